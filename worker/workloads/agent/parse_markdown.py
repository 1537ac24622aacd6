"""Markdown → its pipe tables. Everything else in the file is prose and holds no table."""

from __future__ import annotations

import re

from worker.workloads.agent.parse_csv import tables_of_records
from worker.workloads.agent.tables import Table

_RULE_CELL = re.compile(r":?-+:?")
_SEPARATOR = re.compile(r"(?<!\\)\|")


def parse_markdown(text: str, source: str) -> list[Table]:
    """Return the tables: a header row, a row of dashes with as many cells, then rows; not in code fences."""
    found: list[list[list[str]]] = []
    header: list[str] | None = None
    inside = fenced = False
    for line in text.split("\n"):
        if line.lstrip().startswith(("```", "~~~")):
            fenced, inside, header = not fenced, False, None
            continue
        cells = None if fenced else _cells(line)
        if cells is None:
            inside, header = False, None
        elif inside:
            found[-1].append(cells)
        elif header is not None and len(cells) == len(header) and all(map(_RULE_CELL.fullmatch, cells)):
            found.append([header])
            inside = True
        else:
            header = cells
    names = [source] if len(found) == 1 else [f"{source} table {i}" for i, _ in enumerate(found, 1)]
    return [table for rows, name in zip(found, names, strict=True) for table in tables_of_records(rows, name)]


def _cells(line: str) -> list[str] | None:
    """The row's cells without emphasis marks; ``None`` where the line is no row."""
    row = line.strip()
    if "|" not in row:
        return None
    cells = _SEPARATOR.split(row.removeprefix("|").removesuffix("|"))
    return [cell.strip().strip("*`").strip().replace("\\|", "|") for cell in cells]
