"""What all charts share: which configurations, in which order, under which names; figures as written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from analysis.models import ConfigurationSummary, SweepSummary
from analysis.rendering.document import Row, Table
from analysis.rendering.layout.words import configuration_anchor
from analysis.rendering.numbers import ABSENT, decimals, ends, plural
from analysis.statistics.interval import Interval

MOST_FIGURES = 50
"""Rows of a chart's table of figures: it repeats what other tables and summary.json hold."""

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """A configuration as charts name it."""

    configuration: ConfigurationSummary
    label: str
    short: str
    """The same without the names that all configurations' names repeat (:func:`short_names`)."""
    rank: int | None
    anchor: str


def entries(summary: SweepSummary) -> tuple[Entry, ...]:
    """Return all configurations, the best ranked first; those without a rank last, in their order."""
    places = {(r.config, r.agent): r.rank for r in summary.ranking}
    names = short_names(summary)
    several = len({c.agent for c in summary.configurations}) > 1
    found = [
        Entry(
            c,
            _labelled(c.config, c, several),
            _labelled(" · ".join(_values(c.config)) if names else c.config, c, several),
            places.get((c.config, c.agent)),
            configuration_anchor(index),
        )
        for index, c in enumerate(summary.configurations)
    ]
    return tuple(sorted(found, key=lambda e: math.inf if e.rank is None else e.rank))


def short_names(summary: SweepSummary) -> str:
    """``num_gpu · temperature`` where every configuration's name is ``num_gpu=…,temperature=…``; else nothing."""
    found = {_names(c.config) for c in summary.configurations}
    names = found.pop() if len(found) == 1 else None
    return " · ".join(names) if names else ""


def _names(name: str) -> tuple[str, ...] | None:
    parts = [part.partition("=") for part in name.split(",")]
    return (
        tuple(key for key, _, _ in parts) if all(key and sign and rest for key, sign, rest in parts) else None
    )


def _values(name: str) -> list[str]:
    return [part.partition("=")[2] for part in name.split(",")]


def _labelled(name: str, c: ConfigurationSummary, several: bool) -> str:
    alone = ", alone" if c.agents == 1 else ""
    return f"{name} ({c.agent}{alone})" if several else name


def finite(number: float | None) -> float | None:
    """Return what can be drawn; JSON from elsewhere may hold an infinity."""
    return number if number is not None and math.isfinite(number) else None


def span(interval: Interval | None) -> tuple[float, float] | None:
    """Return the ends of an interval, where there are two to draw."""
    if interval is None or not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return None
    return interval.low, interval.high


def number(figure: float | None, interval: Interval | None = None) -> str:
    """Write a figure with the decimals that its interval carries; without one two, or four digits of a small one."""
    if figure is None:
        return ABSENT
    if interval is not None:
        return f"{figure:.{decimals(interval)}f}"
    return f"{figure:.2f}" if abs(figure) >= 1 or figure == 0 else f"{figure:.4g}"


def with_ends(figure: float, interval: Interval | None, unit: str) -> str:
    """``96.1 tok/s (95.1 to 97.2)``."""
    known = "" if interval is None else f" ({ends(interval)})"
    return f"{number(figure, interval)} {unit}{known}"


def figures(
    header: Sequence[str], align: str, rows: Sequence[tuple[str, tuple[str, ...]]], link: int = 0
) -> Table:
    """Return a chart's table from (anchor, cells); the first :data:`MOST_FIGURES` rows."""
    made = tuple(Row(cells, anchor=anchor) for anchor, cells in rows[:MOST_FIGURES])
    return Table(tuple(header), align, made, link_column=link)


def figures_left_out(total: int) -> tuple[str, ...]:
    """Say that the table of figures is cut, where it is."""
    if total <= MOST_FIGURES:
        return ()
    return (f"The table below holds {MOST_FIGURES} of {total} rows. summary.json holds all.",)


def left_out(
    total: int, shown: int, what: str = "configuration", which: str = "best ranked"
) -> tuple[str, ...]:
    """Say how many of them are drawn, where not all are."""
    if shown >= total:
        return ()
    return (f"Drawn: {shown} of {plural(total, what)}, the {which} ones. summary.json holds all.",)


def thinned(items: Sequence[T], most: int, keep: Callable[[T], bool]) -> tuple[T, ...]:
    """Return at most about ``most`` items, in their order: those to keep first, of the others every k-th."""
    if len(items) <= most:
        return tuple(items)
    kept = {index for index, item in enumerate(items) if keep(item)}
    others = [index for index in range(len(items)) if index not in kept]
    kept = set(sorted(kept)[:most])
    room = most - len(kept)
    chosen = set(others[:: math.ceil(len(others) / room)]) if room else set()
    return tuple(item for index, item in enumerate(items) if index in kept or index in chosen)
