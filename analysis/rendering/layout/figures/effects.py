"""Main effects: what each value of an axis gives over all else, and how much of the variance is whose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.metrics import BY_KEY, THROUGHPUT, TTFT
from analysis.models import AxisEffect, AxisLevel, MainEffects, SweepSummary
from analysis.rendering.charts.drawing import Axis, Bar, Dot, Lane, RowOfLanes, Rows, Series
from analysis.rendering.document import Block, Chart
from analysis.rendering.layout.figures.common import figures, finite, number, span, with_ends
from analysis.rendering.numbers import ends, percent, plural

_LEVEL, _INERT = range(2)
_LEVELS = (Series("value of an axis", "circle", "main"), Series("value of an inert axis", "ring", "quiet"))
_AXIS, _INTERACTION, _PLACE, _NOISE = range(4)
_SHARES = (
    Series("axis", "block", "main"),
    Series("interaction of two axes", "block", "violet"),
    Series("slots, and blocks in time", "block", "amber"),
    Series("left: noise between runs", "block", "quiet"),
)
_MOST_LEVELS = 60
_MOST_INTERACTIONS = 15


def main_effects_charts(summary: SweepSummary) -> tuple[Block, ...]:
    """Return the charts of throughput and TTFT, by agent; nothing where no axis was swept."""
    wanted = [m for key in (THROUGHPUT.key, TTFT.key) for m in summary.main_effects if m.metric == key]
    several = len({m.agent for m in wanted}) > 1
    return tuple(chart for m in wanted for chart in (*_levels_chart(m, several), *_shares_chart(m, several)))


def _titled(words: str, m: MainEffects, several: bool) -> str:
    return f"{words} ({m.agent})" if several else words


def _levels_chart(m: MainEffects, several: bool) -> Iterator[Chart]:
    metric = BY_KEY[m.metric]
    levels = [(axis, level) for axis in m.axes for level in axis.levels if finite(level.mean) is not None]
    if not levels:
        return
    drawn = levels[:_MOST_LEVELS]
    rows = tuple(
        RowOfLanes(
            level.value,
            (Lane((_level_dot(axis, level, metric.unit),)),),
            _heading(axis),
            plural(level.runs, "run"),
        )
        for axis, level in drawn
    )
    direction = "right" if metric.better == "higher" else "left"
    text = (
        f"Mean over all runs with that value of the axis, and its 95 % interval; further {direction} is better. "
        f"{_largest(m.axes)}"
    )
    table = figures(
        ("Axis", "Value", "Runs", f"Mean ({metric.unit})", "95 % interval"),
        "llrrr",
        [
            (
                "",
                (
                    axis.axis,
                    level.value,
                    str(level.runs),
                    number(level.mean, level.interval),
                    ends(level.interval),
                ),
            )
            for axis, level in drawn
        ],
    )
    cut = len(levels) - len(drawn)
    notes = (f"Not drawn: {plural(cut, 'further value')}. summary.json holds all.",) if cut else ()
    yield Chart(
        _titled(f"Main effects on {_lower(metric.title)}", m, several),
        text,
        Rows((Axis(f"{metric.title} ({metric.unit})"),), _LEVELS, rows, height=26),
        table,
        notes,
    )


def _lower(title: str) -> str:
    """In the middle of a sentence; an abbreviation stays."""
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


def _heading(axis: AxisEffect) -> str:
    words = f"{axis.axis} · inert: one value to the server" if axis.inert else axis.axis
    return words if axis.share is None else f"{words} · {percent(axis.share)} of the variance"


def _level_dot(axis: AxisEffect, level: AxisLevel, unit: str) -> Dot:
    text = f"{axis.axis} {level.value}: {with_ends(level.mean, level.interval, unit)}, {plural(level.runs, 'run')}"
    return Dot(level.mean, _INERT if axis.inert else _LEVEL, text, span(level.interval))


def _largest(axes: Sequence[AxisEffect]) -> str:
    known = [(axis.largest_percent, axis) for axis in axes if finite(axis.largest_percent) is not None]
    if not known:
        return ""
    most, axis = max(known, key=lambda pair: pair[0] or 0.0)
    return f"Largest difference between two values of one axis: {axis.axis}, {most:.1f} %."


def _shares_chart(m: MainEffects, several: bool) -> Iterator[Chart]:
    metric = BY_KEY[m.metric]
    shares = [(name, share, s) for name, share, s in _shares(m) if finite(share) is not None]
    if not shares:
        return
    rows = tuple(
        RowOfLanes(
            name,
            (Lane(bars=(Bar(0.0, 100 * share, series, f"{name}: {percent(share)}", percent(share)),)),),
        )
        for name, share, series in shares
    )
    largest = max(shares, key=lambda entry: entry[1])
    exact = (
        ""
        if m.balanced
        else " Not every combination was measured equally often: the shares need not add up to 100 %."
    )
    yield Chart(
        _titled(f"What explains the variance of {_lower(metric.title)}", m, several),
        f"Share of the variance between runs. The largest: {largest[0]}, {percent(largest[1])}.{exact}",
        Rows((Axis("Share of variance (%)", zero=True),), _SHARES, rows, height=24),
        figures(
            ("Source", "Share of variance"),
            "lr",
            [("", (name, percent(share))) for name, share, _ in shares],
        ),
        m.notes,
    )


def _shares(m: MainEffects) -> Iterator[tuple[str, float, int]]:
    """(source, share, series), largest first within a kind."""
    axes = [(a.axis + (" (inert)" if a.inert else ""), a.share, _AXIS) for a in m.axes]
    pairs = [(" × ".join(i.axes), i.share, _INTERACTION) for i in m.interactions]
    places = [("slots (hosts)", m.slot_share, _PLACE), ("blocks (time)", m.block_share, _PLACE)]
    places.append(("loads of a plot", m.load_share, _PLACE))
    groups = (axes, sorted(pairs, key=lambda e: -(e[1] or 0.0))[:_MOST_INTERACTIONS], places)
    for group in groups:
        for name, share, series in sorted(group, key=lambda e: -(e[1] or 0.0)):
            if share is not None:
                yield name, share, series
    if m.higher_share is not None:
        yield "higher interactions", m.higher_share, _INTERACTION
    if m.residual_share is not None:
        yield "left (noise)", m.residual_share, _NOISE
