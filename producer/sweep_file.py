"""Sweep file → SweepSpec; whatever is wrong is one message that names file, line and key."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from contracts.configuration import AXIS_NAMES, Parameters
from contracts.failures import InputError
from contracts.sweep import Axes, OrderSpec, Point, RunsSpec, ServerSpec, SweepSpec, Timeouts
from contracts.workloads import (
    AgentPairWorkload,
    AgentSpec,
    AgentWorkload,
    PromptsWorkload,
    SaturationSearch,
    Slo,
    Synthetic,
    TokenCounts,
)

_WORKLOADS: dict[str, type[BaseModel]] = {
    "agent": AgentWorkload,
    "agent-pair": AgentPairWorkload,
    "prompts": PromptsWorkload,
}
Location = tuple[str | int, ...]

_MODELS: dict[str, type[BaseModel]] = {
    "": SweepSpec,
    "axes": Axes,
    "include": Point,
    "exclude": Point,
    "baseline": Point,
    "runs": RunsSpec,
    "workload.agents": AgentSpec,
    "workload.agents.parameters": Parameters,
    "workload.synthetic": Synthetic,
    "workload.synthetic.input_tokens": TokenCounts,
    "workload.synthetic.output_tokens": TokenCounts,
    "workload.slo": Slo,
    "workload.search": SaturationSearch,
    "server": ServerSpec,
    "server.timeouts": Timeouts,
    "order": OrderSpec,
}


def load(path: Path) -> SweepSpec:
    """Read and check one sweep file.

    Raises:
        InputError: with every problem, one a line: ``file:line: key: what is wrong``.
    """
    tree, lines = _read(path)
    try:
        return SweepSpec.model_validate(tree)
    except ValidationError as error:
        errors = error.errors()
        kept = [d for d in errors if not _follows_from_another(d)] or errors
        problems = [_problem(path, lines, d) for d in kept]
        raise InputError("\n".join(dict.fromkeys(problems))) from None


def where(path: Path, *keys: str) -> str:
    """Return ``file:line: key`` of the first of ``keys`` (dotted) that stands in the file, to begin a message with."""
    lines = _read(path)[1]
    for key in keys:
        at = tuple(key.split("."))
        if at in lines:
            return f"{path}:{lines[at]}: {key}"
    return str(path)


def _read(path: Path) -> tuple[Any, dict[Location, int]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read as UTF-8 text: {error}") from None
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):  # a few lines of them can stand for gigabytes
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise InputError(f"{path}:{line}: YAML aliases (*{event.anchor}) are not taken")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Location, int] = {}
        if node is not None:
            _walk(path, node, (), lines)
        tree = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}:{line}: not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply") from None
    if not isinstance(tree, dict):
        raise InputError(f"{path}:1: a sweep file is a mapping of keys, such as 'name: my-sweep'")
    return tree, lines


def _walk(path: Path, node: yaml.Node, at: Location, lines: dict[Location, int]) -> None:
    """Note the line of every key and item; a key that stands twice is an error, as YAML 1.2 has it."""
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*at, str(key.value))
            if below in lines:
                line = key.start_mark.line + 1
                raise InputError(
                    f"{path}:{line}: {_dotted(below)}: stands twice (first in line {lines[below]})"
                )
            lines[below] = key.start_mark.line + 1
            _walk(path, value, below, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(path, value, (*at, index), lines)


def _problem(path: Path, lines: dict[Location, int], details: ErrorDetails) -> str:
    at = _below_what_is_written(details["loc"], lines)
    line = next(lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in lines)
    key = _dotted(at)
    return f"{path}:{line}: {f'{key}: ' if key else ''}{_words(at, details)}"


def _follows_from_another(details: ErrorDetails) -> bool:
    """A list whose only value is wrong is reported as empty too."""
    return details["type"] == "too_short" and bool(details["input"])


def _below_what_is_written(location: Location, lines: dict[Location, int]) -> Location:
    """Drop the parts of pydantic's location that name a type of a union, not a key of the file."""
    kept: Location = ()
    for index, part in enumerate(location):
        last = index == len(location) - 1
        if (*kept, part) in lines or (last and "[" not in str(part) and part not in ("int", "float", "str")):
            kept = (*kept, part)
    return kept


def _words(at: Location, details: ErrorDetails) -> str:
    kind, given = details["type"], details.get("input")
    if kind == "extra_forbidden":
        known = _known_keys(at, details)
        near = difflib.get_close_matches(str(at[-1]), [*known, *AXIS_NAMES], n=1)
        hint = ""
        if near:
            where = "" if near[0] in known else " under 'axes'"
            hint = f"; did you mean {near[0]!r}{where}?"
        elif known:
            hint = f"; known are: {', '.join(known)}"
        return f"unknown key{hint}"
    if kind == "missing":
        return "is missing"
    if kind == "too_short":
        least = details.get("ctx", {}).get("min_length", 1)
        return "must hold at least one value" if least == 1 else f"must hold at least {least} values"
    message = details["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(given, dict | list) or kind == "value_error" else f" (got {given!r})"
    return message[0].lower() + message[1:] + shown


def _known_keys(at: Location, details: ErrorDetails) -> list[str]:
    """Return the keys that may stand where an unknown one does; a workload's depend on its kind."""
    section = ".".join(str(part) for part in at[:-1] if not isinstance(part, int))
    if section == "workload":
        tag = next((str(part).strip("[]") for part in details["loc"] if str(part).startswith("[")), "agent")
        return list(_WORKLOADS[tag].model_fields)
    return list(_MODELS[section].model_fields) if section in _MODELS else []


def _dotted(location: Location) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
