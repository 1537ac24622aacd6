"""A file's tables → columns of cells by name, as texts may cite them."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.tables import Cell, Table

Columns = dict[str, list[Cell]]

_BOOLEANS = ("true", "false")


def columns_of(tables: Iterable[Table]) -> list[Columns]:
    """Return the tables of a file, each as column name → cells."""
    return [_columns(table) for table in tables]


def _columns(table: Table) -> Columns:
    columns: Columns = {}
    for column in table.columns:
        columns.setdefault(column.name, []).extend(cell for cell in column.cells if cell not in _BOOLEANS)
    if table.rows is not None:  # the digest tells both, so that a text may cite them
        columns |= {"rows": [table.rows], "columns": [len(table.columns)]}
    return columns
