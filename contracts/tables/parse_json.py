"""JSON → table: every leaf is a column under its dotted path; ``[]`` stands for all items of a list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import repeat
from typing import Any

from contracts.tables.table import MAX_CELLS, MAX_COLUMNS, TOO_MANY_CELLS, Cell, Column, Table, Unparsed

MAX_DEPTH = 64
"""Levels of nesting."""
MAX_KEY = 80
"""Characters of one key that a column's name keeps."""


def parse_json(text: str, source: str, most: int = MAX_CELLS) -> list[Table]:
    """Return the file's one table, or none where it has no leaf; ``most``: values that it may have.

    ``{"models": [{"name": "a", "ttft": {"mean": 1}}, …]}`` has the columns ``models[].name`` and
    ``models[].ttft.mean``.

    Raises:
        Unparsed: not JSON, nested too deeply, or with too many different paths or values.
    """
    if sum(map(text.count, ",[{")) > most:  # values, empty lists and objects included, but the first
        raise Unparsed(TOO_MANY_CELLS)
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        raise Unparsed(f"bad JSON: {error.msg} (line {error.lineno})") from None
    except RecursionError:
        raise Unparsed(f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        raise Unparsed("bad JSON: a number with too many digits") from None
    columns = _leaves(value)
    return [Table(source, None, tuple(Column(*item) for item in columns.items()))] if columns else []


def _leaves(value: Any) -> dict[str, list[Cell]]:
    columns: dict[str, list[Cell]] = {}
    # Iterators, not lists: a path is only built when its turn comes, so a wide file stays cheap.
    stack: list[Iterator[tuple[str, Any]]] = [iter([("", value)])]
    while stack:
        if len(stack) > MAX_DEPTH + 1:
            raise Unparsed(f"nested deeper than {MAX_DEPTH} levels")
        for path, node in stack[-1]:
            if isinstance(node, dict | list):
                stack.append(_below(path, node))
                break
            _add(columns, path or "value", node)
        else:
            stack.pop()
    return columns


def _below(path: str, node: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(node, list):
        return zip(repeat(f"{path}[]"), node, strict=False)
    prefix = f"{path}." if path else ""
    return ((f"{prefix}{_clipped(key)}", item) for key, item in node.items())


def _clipped(key: str) -> str:
    return key if len(key) <= MAX_KEY else key[: MAX_KEY - 1] + "…"


def _add(columns: dict[str, list[Cell]], path: str, leaf: str | int | float | bool | None) -> None:
    if leaf is None:
        return
    if path not in columns and len(columns) >= MAX_COLUMNS:
        raise Unparsed(f"more than {MAX_COLUMNS} different paths")
    columns.setdefault(path, []).append(str(leaf).lower() if isinstance(leaf, bool) else leaf)
