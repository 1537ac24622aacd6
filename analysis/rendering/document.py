"""The view model: a document of sections and blocks whose strings are plain text, already formatted.

A renderer escapes every string; none holds markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, overload

from analysis.rendering.charts.drawing import Drawing

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
    evidence: tuple[str, ...] = ()
    """What the text rests on: after it, and folded where the format can."""


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
    sort: tuple[float | None, ...] = ()
    """Of an interactive table: the unrounded value of each column; ``None``: not known, or sorted as text.
    None at all: the number that a right-aligned cell begins with."""
    facets: tuple[str, ...] = ()
    """Of an interactive table: the row's value of each of the table's facets."""


@dataclass(frozen=True)
class Table:
    header: tuple[str, ...]
    align: str
    """One letter a column: l or r."""
    rows: tuple[Row, ...]
    link_column: int = 0
    interactive: bool = False
    """Readers may sort and filter it, where the format can."""
    facets: tuple[str, ...] = ()
    """Names of what rows can be filtered by, next to a free text; :attr:`Row.facets` holds the values."""
    label: str = ""
    """What the table holds, for readers who don't see what stands around it."""

    def __post_init__(self) -> None:
        for cells in (self.align, *(row.cells for row in self.rows)):
            if len(cells) != len(self.header):
                raise ValueError(f"{cells!r} does not fit the header {self.header!r}")
        for row in self.rows:
            if row.sort and len(row.sort) != len(self.header):
                raise ValueError(f"{row.sort!r} does not fit the header {self.header!r}")
            if row.facets and len(row.facets) != len(self.facets):
                raise ValueError(f"{row.facets!r} does not fit the facets {self.facets!r}")


@dataclass(frozen=True)
class Chart:
    """A drawing, what it shows in words, and its figures."""

    title: str
    text: str
    """One to three sentences: what is drawn, and what it says. They stand where nothing can be drawn."""
    drawing: Drawing
    table: Table
    """The figures of the drawing."""
    notes: tuple[str, ...] = ()
    """What is not drawn, and why."""
    tabular: bool = False
    """The table stands for the drawing in formats that can't draw; else the words do, because the figures
    stand elsewhere in the document."""


@dataclass(frozen=True)
class TextMark:
    """A part of a text that a verdict stands for: ``start`` ≤ offset < ``end``, in characters of the text."""

    start: int
    end: int
    tone: Literal["supported", "contradicted", "not_found"]
    title: str = ""
    """Of a contradicted one the true value, of a supported one where it stands."""


@dataclass(frozen=True)
class Verbatim:
    """Text shown as it is."""

    text: str
    by_model: bool = False
    """The model's words: marked, and folded where the format can."""
    marks: tuple[TextMark, ...] = ()
    """In any order; one that overlaps an earlier one, or lies outside the text, is not shown."""


class Later(Sequence["Block"]):
    """Blocks that are made when they are read, and not kept: a report of thousands of sections holds one at a time."""

    def __init__(self, make: Callable[[], Sequence[Block]]) -> None:
        self._make = make

    @overload
    def __getitem__(self, index: int) -> Block: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Block]: ...

    def __getitem__(self, index: int | slice) -> Block | Sequence[Block]:
        return self._make()[index]

    def __iter__(self) -> Iterator[Block]:
        return iter(self._make())

    def __len__(self) -> int:
        return len(self._make())


@dataclass(frozen=True)
class Section:
    title: str
    blocks: Sequence[Block]
    anchor: str = ""
    """Set for those that a table of contents lists."""
    folded: bool = False
    """Shown by its title, to be opened; where there is nothing to open, as any other."""


Block: TypeAlias = Paragraph | Lines | Bullets | Table | Chart | Verbatim | Section


@dataclass(frozen=True)
class Document:
    title: str
    blocks: tuple[Block, ...]
