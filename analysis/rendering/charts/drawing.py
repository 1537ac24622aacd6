"""What a drawing holds: plain numbers and plain text, in the units of its axes. No markup, no positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Shape = Literal["circle", "ring", "diamond", "square", "triangle", "cross", "block"]
"""``block``: the filled bars of :class:`Bar`; the others are marks."""

Tone = Literal["main", "teal", "amber", "red", "violet", "quiet"]
"""Colours by name; the style sheet has each for light, dark and paper."""


@dataclass(frozen=True)
class Series:
    """What marks have in common. Two series of a drawing differ in shape and in tone."""

    name: str
    shape: Shape
    tone: Tone


@dataclass(frozen=True)
class Axis:
    label: str
    """With its unit."""
    zero: bool = False
    """Begins at 0."""


@dataclass(frozen=True)
class Point:
    """One mark of a scatter plot."""

    x: float
    y: float
    series: int
    """Index into the drawing's series."""
    text: str
    """What it is and its values."""
    x_interval: tuple[float, float] | None = None
    y_interval: tuple[float, float] | None = None
    label: str = ""
    """A few letters drawn beside it."""


@dataclass(frozen=True)
class Scatter:
    """Points over two numeric axes. The marks of the first series lie on top; no axis goes below 0 where no point does."""

    x: Axis
    y: Axis
    series: tuple[Series, ...]
    points: tuple[Point, ...]
    steps: tuple[tuple[float, float], ...] = ()
    """Corners of a staircase through some of the points, by rising x."""
    steps_name: str = ""


@dataclass(frozen=True)
class Dot:
    """One mark in a row."""

    x: float
    series: int
    text: str
    interval: tuple[float, float] | None = None
    lift: float = 0.0
    """Where between the row's lower (−1) and upper (1) edge; 0: its middle."""


@dataclass(frozen=True)
class Box:
    """Quartiles and median of a row's dots."""

    q1: float
    median: float
    q3: float
    text: str


@dataclass(frozen=True)
class Bar:
    """A filled part of a row, from ``start`` to ``end``."""

    start: float
    end: float
    series: int
    text: str
    label: str = ""
    """Written into it where there is room."""


@dataclass(frozen=True)
class Lane:
    """One row in one panel."""

    dots: tuple[Dot, ...] = ()
    box: Box | None = None
    bars: tuple[Bar, ...] = ()


@dataclass(frozen=True)
class RowOfLanes:
    """One row: a lane for each panel."""

    label: str
    lanes: tuple[Lane, ...]
    group: str = ""
    """A heading stands above the first row of each group."""
    after: str = ""
    """A few words behind the row."""


@dataclass(frozen=True)
class Rows:
    """Named rows beside one panel or several, each over a numeric axis of its own."""

    panels: tuple[Axis, ...]
    series: tuple[Series, ...]
    rows: tuple[RowOfLanes, ...]
    titles: tuple[str, ...] = ()
    """Of the panels, where there are several."""
    names: str = ""
    """What the labels are, above them."""
    size: float = 4.0
    """Half the width of a dot, pixels."""
    height: int = 22
    """Of a row, pixels."""
    centre: bool = False
    """A line through each row's middle: what the dots' lift is measured from."""


Drawing: TypeAlias = Scatter | Rows
