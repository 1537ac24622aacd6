"""The view model: a document of sections and blocks whose strings are plain text, already formatted.

A renderer escapes every string; none holds markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Tone = Literal["", "bad", "muted"]


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Lines:
    """Header lines: (label, value)."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bullet:
    text: str
    label: str = ""


@dataclass(frozen=True)
class Bullets:
    items: tuple[Bullet, ...]
    tone: Literal["", "warning"] = ""


@dataclass(frozen=True)
class Row:
    cells: tuple[str, ...]
    tone: Tone = ""
    anchor: str = ""
    """Section that the row's ``link_column`` leads to, where the format has links."""


@dataclass(frozen=True)
class Table:
    header: tuple[str, ...]
    align: str
    """One letter a column: l or r."""
    rows: tuple[Row, ...]
    link_column: int = 0

    def __post_init__(self) -> None:
        for cells in (self.align, *(row.cells for row in self.rows)):
            if len(cells) != len(self.header):
                raise ValueError(f"{cells!r} does not fit the header {self.header!r}")


@dataclass(frozen=True)
class Verbatim:
    """Text shown as it is."""

    text: str
    by_model: bool = False
    """The model's words: marked, and folded where the format can."""


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]
    anchor: str = ""
    """Set for those that a table of contents lists."""


Block: TypeAlias = Paragraph | Lines | Bullets | Table | Verbatim | Section


@dataclass(frozen=True)
class Document:
    title: str
    blocks: tuple[Block, ...]
