"""CSV → table. The delimiter is whichever of , ; tab | splits the first line into most fields."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from itertools import chain

from contracts.tables.table import MAX_CELLS, MAX_COLUMNS, TOO_MANY_CELLS, Cell, Column, Table, Unparsed

DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)


def parse_csv(text: str, source: str, most: int = MAX_CELLS) -> list[Table]:
    """Return the file's one table, or none where it is empty; ``most``: cells that it may have.

    Raises:
        Unparsed: the csv module rejects the text, or there are too many columns or cells.
    """
    delimiter = _delimiter(text)
    if text.count(delimiter) + max(map(text.count, "\r\n")) > most:
        raise Unparsed(TOO_MANY_CELLS)
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return tables_of_records((r for r in records if any(cell.strip() for cell in r)), source)
    except csv.Error as error:
        raise Unparsed(f"bad CSV: {error}") from None


def tables_of_records(records: Iterable[list[str]], source: str) -> list[Table]:
    """Make one table of records, or none of none.

    The first record is the header unless all its cells are numbers. Short records miss their last
    cells; cells beyond the header are ignored.

    Raises:
        Unparsed: there are too many columns.
    """
    body = iter(records)
    first = next(body, None)
    if first is None:
        return []
    if len(first) > MAX_COLUMNS:
        raise Unparsed(f"more than {MAX_COLUMNS} columns")
    headless = all(is_number(cell) for cell in first)
    names = [(not headless and cell.strip()) or f"column {i}" for i, cell in enumerate(first, 1)]
    columns: list[list[Cell]] = [[] for _ in names]
    rows = 0
    for record in chain([first], body) if headless else body:
        rows += 1
        for column, cell in zip(columns, record, strict=False):
            column.append(cell)
    return [Table(source, rows, tuple(map(Column, names, columns)))]


def is_number(cell: str) -> bool:
    """Whether the text is one plain decimal number (no units, no thousands separators)."""
    return _NUMBER.fullmatch(cell) is not None


def _delimiter(text: str) -> str:
    first_line = text.lstrip().split("\n", 1)[0]
    return max(DELIMITERS, key=first_line.count)
