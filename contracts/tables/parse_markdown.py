"""Markdown → its pipe tables. Everything else in the file is prose and holds no table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from contracts.tables.parse_csv import tables_of_records
from contracts.tables.table import MAX_CELLS, TOO_MANY_CELLS, Table, Unparsed

_RULE_CELL = re.compile(r":?-++:?")
_SEPARATOR = re.compile(r"(?<!\\)\|")


def parse_markdown(text: str, source: str, most: int = MAX_CELLS) -> list[Table]:
    """Return the tables: a header row, a row of dashes with as many cells, then rows; not in code fences.

    Raises:
        Unparsed: there are too many columns, or more than ``most`` cells.
    """
    if text.count("|") > most:
        raise Unparsed(TOO_MANY_CELLS)
    found: list[list[list[str]]] = []
    header: list[str] | None = None
    inside = fenced = False
    for line in _lines(text):
        if line.lstrip().startswith(("```", "~~~")):
            fenced, inside, header = not fenced, False, None
            continue
        cells = None if fenced else cells_of(line)
        if cells is None:
            inside, header = False, None
        elif inside:
            found[-1].append(cells)
        elif header is not None and len(cells) == len(header) and is_rule(cells):
            found.append([header])
            inside = True
        else:
            header = cells
    names = [source] if len(found) == 1 else [f"{source} table {i}" for i, _ in enumerate(found, 1)]
    return [table for rows, name in zip(found, names, strict=True) for table in tables_of_records(rows, name)]


def _lines(text: str) -> Iterator[str]:
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def is_rule(row: list[str]) -> bool:
    """Whether it is the row of dashes below a table's header."""
    return all(_RULE_CELL.fullmatch(cell) for cell in row)


def cells_of(line: str) -> list[str] | None:
    """Return the cells of a pipe table's row, without emphasis marks; ``None``: the line is none."""
    row = line.strip()
    if "|" not in row:
        return None
    cells = _SEPARATOR.split(row.removeprefix("|").removesuffix("|"))
    return [cell.strip().strip("*`").strip().replace("\\|", "|") for cell in cells]
