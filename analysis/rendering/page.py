"""What one HTML page is made of while it is rendered: tables' rows, ids, and which sections stand apart.

A place where something is put in later is a marker between two NULs, which no escaped text can hold
(:func:`analysis.rendering.plain.visible` shows a NUL as ␀).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from markupsafe import Markup

from analysis.rendering.charts.svg import escaped
from analysis.rendering.document import Row, Section, Table

UNLINKED = "\0\0"
"""Where it is said that some rows lead nowhere."""
_NUMBER = re.compile(r"[-+−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def marker(anchor: str) -> str:
    """Return the place of a section that stands apart."""
    return f"\0{anchor}\0"


@dataclass
class Page:
    """State of one rendering. Chart names are counted, so that each page needs its own ``prefix`` of ids."""

    optional: frozenset[str] = frozenset()
    """Anchors of sections that are rendered apart."""
    most_rows: int | None = None
    """Of a table that is not interactive."""
    most_interactive: int | None = None
    """Of one that is."""
    prefix: str = ""
    levels: dict[str, tuple[Section, int]] = field(default_factory=dict)
    """Anchor → section that stands apart, and its heading's level."""
    _named: int = 0

    def apart(self, section: Section, level: int) -> bool:
        if section.anchor not in self.optional:
            return False
        self.levels[section.anchor] = (section, level)
        return True

    def place(self, section: Section) -> Markup:
        return Markup(marker(section.anchor))

    def unlinked_note(self) -> Markup:
        return Markup(UNLINKED)

    def next_name(self, kind: str) -> str:
        self._named += 1
        return f"{self.prefix}{kind}-{self._named}"

    def rows(self, table: Table) -> Markup:
        """Return the ``<tr>``s."""
        shown = table.rows[: self._most(table)]
        choices = [(index, {v: str(i) for i, v in enumerate(vs)}) for index, _, vs in _choices(table)]
        right = [letter == "r" for letter in table.align]
        return Markup("\n").join(Markup(_row(row, table, right, choices)) for row in shown)

    def numeric(self, table: Table) -> tuple[bool, ...]:
        """Return which columns of an interactive table sort as numbers: those of which any value is known."""
        right = [letter == "r" for letter in table.align]
        return tuple(
            any(_sort_key(row, column, right[column]) is not None for row in table.rows)
            for column in range(len(right))
        )

    def cut_note(self, table: Table) -> Markup:
        """Say how many rows are left out, where any is."""
        most = self._most(table)
        cut = 0 if most is None else len(table.rows) - most
        if cut <= 0:
            return Markup("")
        return Markup(
            f'<p class="note">… and {cut:,} more rows, left out for this file’s size: report.md holds them.</p>'
        )

    def shown(self, table: Table) -> int:
        """Return how many rows are there."""
        most = self._most(table)
        return len(table.rows) if most is None else min(most, len(table.rows))

    def _most(self, table: Table) -> int | None:
        return self.most_interactive if table.interactive else self.most_rows

    def choices(self, table: Table) -> list[tuple[str, tuple[str, ...]]]:
        """Return (facet, its values) of those that have several values."""
        return [(name, values) for _, name, values in _choices(table)]


def _choices(table: Table) -> list[tuple[int, str, tuple[str, ...]]]:
    found = []
    for index, name in enumerate(table.facets):
        values = {row.facets[index] for row in table.rows if row.facets}
        if len(values) > 1:
            found.append((index, name, tuple(sorted(values, key=_natural))))
    return found


def _natural(value: str) -> tuple[bool, float, str]:
    try:
        number = float(value)
    except ValueError:
        return True, 0.0, value
    return not math.isfinite(number), number if math.isfinite(number) else 0.0, value


def _row(row: Row, table: Table, right: list[bool], choices: list[tuple[int, dict[str, str]]]) -> str:
    named = f' class="{row.tone}"' if row.tone else ""
    if table.interactive and row.facets:
        named += f' data-f="{",".join(numbers[row.facets[index]] for index, numbers in choices)}"'
    return f"<tr{named}>{''.join(_cells(row, table, right))}</tr>"


def _cells(row: Row, table: Table, right: list[bool]) -> Iterator[str]:
    for column, cell in enumerate(row.cells):
        words = escaped(cell)
        kind = ' class="r"' if right[column] else ""
        key = _sort_key(row, column, right[column]) if table.interactive else None
        data = "" if key is None else f' data-v="{key}"'
        if row.anchor and column == table.link_column:
            yield f'<td{kind}{data}><a href="#{escaped(row.anchor)}">{words}</a></td>'
        else:
            yield f"<td{kind}{data}>{words}</td>"


def _sort_key(row: Row, column: int, right: bool) -> str | None:
    if row.sort:
        given = row.sort[column]
        return None if given is None or not math.isfinite(given) else f"{given!r}"
    match = _NUMBER.match(row.cells[column]) if right else None
    return match[0].replace(",", "").replace("−", "-") if match else None
