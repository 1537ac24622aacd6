"""Sweep file → SweepSpec; whatever is wrong is one message that names file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from contracts.failures import InputError
from contracts.sweep import SweepSpec
from producer.sweep_problems import Location, dotted, problems


def load(path: Path) -> SweepSpec:
    """Read and check one sweep file.

    Raises:
        InputError: with every problem, one a line: ``file:line: key: what is wrong``.
    """
    tree, lines = _read(path)
    return checked(tree, str(path), lines)


def checked(tree: dict[str, Any], name: str, lines: dict[Location, int | None]) -> SweepSpec:
    """Return the spec of a sweep that is written as ``tree``.

    Args:
        tree: Keys as in a sweep file, of plain values.
        name: What messages begin with: the file.
        lines: Line of every key and item; ``None``: it has none, as it stands in no file.

    Raises:
        InputError: with every problem, one a line.
    """
    try:
        return SweepSpec.model_validate(tree)
    except ValidationError as error:
        raise InputError("\n".join(problems(error, name, lines))) from None


def where(path: Path, *keys: str) -> str:
    """Return ``file:line: key`` of the first of ``keys`` (dotted) that stands in the file, to begin a message with.

    A sweep that was made in Python has no file, and so no line; which of several keys it is can't be told then.
    """
    if not path.exists():
        return f"{path}: {keys[0]}" if len(keys) == 1 else str(path)
    lines = _read(path)[1]
    for key in keys:
        at = tuple(key.split("."))
        if at in lines:
            return f"{path}:{lines[at]}: {key}"
    return str(path)


def _read(path: Path) -> tuple[dict[str, Any], dict[Location, int | None]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; 'chimera init {path}' writes one") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; give the sweep file in it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read as UTF-8 text: {error}") from None
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):  # a few lines of them can stand for gigabytes
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise InputError(f"{path}:{line}: YAML aliases (*{event.anchor}) are not taken")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Location, int | None] = {}
        if node is not None:
            _walk(path, node, (), lines)
        tree = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}:{line}: not YAML: {_yaml_words(str(error.problem))}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply") from None
    if not isinstance(tree, dict):
        raise InputError(
            f"{path}:1: a sweep file is a mapping of keys, such as 'name: my-sweep' (docs/sweep_file.md)"
        )
    return tree, lines


def _yaml_words(problem: str) -> str:
    if "'\\t'" in problem:
        return "indent with spaces, not with tabs"
    if "found another document" in problem:
        return "a file holds one sweep; put what comes after '---' into another file"
    return problem


def _walk(path: Path, node: yaml.Node, at: Location, lines: dict[Location, int | None]) -> None:
    """Note the line of every key and item; a key that stands twice is an error, as YAML 1.2 has it."""
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*at, str(key.value))
            if below in lines:
                line = key.start_mark.line + 1
                raise InputError(
                    f"{path}:{line}: {dotted(below)}: stands twice (first in line {lines[below]})"
                )
            lines[below] = key.start_mark.line + 1
            _walk(path, value, below, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(path, value, (*at, index), lines)
