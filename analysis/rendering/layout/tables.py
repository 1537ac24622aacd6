"""Tables that leave out what nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.rendering.document import Row, Table
from analysis.rendering.numbers import ABSENT


@dataclass(frozen=True)
class Column:
    title: str
    align: str
    cells: tuple[str, ...]
    keep: bool = False
    """Stays where every cell is absent too."""


def sparse_table(columns: Sequence[Column], anchors: Sequence[str] = ()) -> Table | None:
    """Return a table without the columns that are absent throughout; ``None`` where only kept ones are left.

    ``anchors``: the section that each row's first cell leads to.
    """
    told = [c for c in columns if c.keep or any(cell != ABSENT for cell in c.cells)]
    if all(c.keep for c in told):
        return None
    lines = list(zip(*(c.cells for c in told), strict=True))
    links = anchors or [""] * len(lines)
    return Table(
        tuple(c.title for c in told),
        "".join(c.align for c in told),
        tuple(Row(cells, anchor=anchor) for cells, anchor in zip(lines, links, strict=True)),
    )
