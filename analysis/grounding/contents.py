"""File contents → columns of cells: the columns that the agent's digest has, by the same names.

CSV: header or ``column 1``; JSON: dotted key paths, ``[]`` for the items of a list; Markdown: pipe tables.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

MAX_COLUMNS = 10_000
MAX_DEPTH = 64

Cell = str | int | float
Columns = dict[str, list[Cell]]

_NUMBER = re.compile(r"\s*[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?+\s*", re.ASCII)
_RULE_CELL = re.compile(r":?-++:?")
_SEPARATOR = re.compile(r"(?<!\\)\|")


class Unreadable(Exception):
    """The contents are not what the file's name says."""


def columns_of(kind: str, content: bytes) -> list[Columns]:
    """Return the tables of a file, each as column name → cells.

    Raises:
        Unreadable: bad encoding or syntax, too deep or too wide.
    """
    text = text_of(content)
    if kind == "csv":
        return _of_csv(text)
    if kind == "json":
        return _of_json(text)
    return _of_markdown(text)


def text_of(content: bytes) -> str:
    """Decode UTF-8 or, by its mark, UTF-16.

    Raises:
        Unreadable: it is neither, or holds NUL.
    """
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable from None
    if "\0" in text:
        raise Unreadable
    return text


def _of_csv(text: str) -> list[Columns]:
    first_line = text.lstrip().split("\n", 1)[0]
    records = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t|", key=first_line.count))
    try:
        return _of_records(record for record in records if any(cell.strip() for cell in record))
    except csv.Error:
        raise Unreadable from None


def _of_records(records: Iterable[list[str]]) -> list[Columns]:
    body = iter(records)
    first = next(body, None)
    if first is None:
        return []
    if len(first) > MAX_COLUMNS:
        raise Unreadable
    headless = all(_NUMBER.fullmatch(cell) for cell in first)
    names = [(not headless and cell.strip()) or f"column {i}" for i, cell in enumerate(first, 1)]
    columns: Columns = {name: [] for name in names}
    rows = 0
    for record in [first, *body] if headless else body:
        rows += 1
        for name, cell in zip(names, record, strict=False):
            columns[name].append(cell)
    # The digest tells both, so that a text may cite them.
    return [columns | {"rows": [rows], "columns": [len(names)]}]


def _of_json(text: str) -> list[Columns]:
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise Unreadable from None
    columns: Columns = {}
    stack: list[Iterator[tuple[str, Any]]] = [iter([("", value)])]
    while stack:
        if len(stack) > MAX_DEPTH + 1:
            raise Unreadable
        for path, node in stack[-1]:
            if isinstance(node, dict | list):
                stack.append(_below(path, node))
                break
            if node is None or isinstance(node, bool):
                continue
            if path not in columns and len(columns) >= MAX_COLUMNS:
                raise Unreadable
            columns.setdefault(path or "value", []).append(node)
        else:
            stack.pop()
    return [columns] if columns else []


def _below(path: str, node: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(node, list):
        return zip(repeat(f"{path}[]"), node, strict=False)
    prefix = f"{path}." if path else ""
    return ((f"{prefix}{key[:80]}", item) for key, item in node.items())


def _of_markdown(text: str) -> list[Columns]:
    found: list[list[list[str]]] = []
    header: list[str] | None = None
    inside = fenced = False
    for line in text.split("\n"):
        if line.lstrip().startswith(("```", "~~~")):
            fenced, inside, header = not fenced, False, None
            continue
        row = None if fenced else cells_of(line)
        if row is None:
            inside, header = False, None
        elif inside:
            found[-1].append(row)
        elif header is not None and len(row) == len(header) and is_rule(row):
            found.append([header])
            inside = True
        else:
            header = row
    return [columns for rows in found for columns in _of_records(rows)]


def cells_of(line: str) -> list[str] | None:
    """Return the cells of a pipe table's row, without emphasis; ``None``: the line is none."""
    row = line.strip()
    if "|" not in row:
        return None
    cells = _SEPARATOR.split(row.removeprefix("|").removesuffix("|"))
    return [cell.strip().strip("*`").strip().replace("\\|", "|") for cell in cells]


def is_rule(row: list[str]) -> bool:
    """Whether it is the row of dashes below a table's header."""
    return all(_RULE_CELL.fullmatch(cell) for cell in row)
