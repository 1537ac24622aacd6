"""A table in memory: named columns of cells, from any kind of file."""

from __future__ import annotations

from dataclasses import dataclass

MAX_COLUMNS = 10_000
"""Columns of one table; a file with more is not parsed."""
MAX_CELLS = 500_000
"""Of all files of a workload, some 60 bytes each in memory; a file with which there would be more is not parsed."""
TOO_MANY_CELLS = f"too many cells: over {MAX_CELLS} in all files"
"""The reason, then. Cells are told by what separates them before they are made, so a separator within a text counts too."""

Cell = str | int | float
"""A cell as the file has it; missing cells are left out."""


@dataclass(frozen=True)
class Column:
    """One column (or one dotted leaf of a JSON file) with its cells in the file's order."""

    name: str
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """One table of one file. A JSON file is one table: each leaf is a column of all its values."""

    source: str
    """The file's shown name, with the number of the table where the file holds several."""
    rows: int | None
    """Number of records; ``None`` where the file has no such notion (JSON)."""
    columns: tuple[Column, ...]


class Unparsed(Exception):
    """A file's contents can't be parsed; the message is the reason, in a few words."""
