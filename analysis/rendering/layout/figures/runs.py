"""Runs as dots over time: a band per configuration, with what is special about a run by shape and colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from analysis.formatting import two_digits
from analysis.metrics import THROUGHPUT, TTFT, Metric
from analysis.models import RunFigures, SweepSummary
from analysis.rendering.charts.drawing import Axis, Dot, Lane, RowOfLanes, Rows, Series
from analysis.rendering.document import Block, Chart, Paragraph, Table
from analysis.rendering.layout.figures.common import (
    Entry,
    entries,
    figures,
    figures_left_out,
    finite,
    short_names,
    thinned,
)
from analysis.rendering.numbers import plural, utc, value

_SERIES = (
    Series("complete, warm", "circle", "main"),
    Series("complete, with a cold call", "diamond", "teal"),
    Series("outlier (outside Tukey's fences)", "square", "violet"),
    Series("incomplete: a call is excluded, in no estimate", "cross", "red"),
    Series("suspect: the worker may have changed a time", "triangle", "amber"),
)
_ORDINARY, _COLD, _OUTLIER, _INCOMPLETE, _SUSPECT = range(5)
_WORDS = ("", "cold call", "outlier", "incomplete", "suspect")
_MOST_BANDS = 16
_MOST_DOTS = 2000
"""Of one chart: what a page can carry and an eye can tell apart."""


@dataclass(frozen=True)
class _Run:
    figures: RunFigures
    value: float
    series: int


@dataclass(frozen=True)
class _Band:
    entry: Entry
    centre: float
    runs: tuple[_Run, ...]


def runs_chart(summary: SweepSummary) -> tuple[Block, ...]:
    """Return one chart each of throughput and TTFT, of those that any run has."""
    charts = tuple(chart for metric in (THROUGHPUT, TTFT) for chart in _chart(summary, metric))
    if not charts and any(c.over_runs.runs for c in summary.configurations):
        return (Paragraph("No chart of runs over time: no run has a throughput or a TTFT."),)
    return charts


def _chart(summary: SweepSummary, metric: Metric) -> tuple[Chart, ...]:
    known = [e for e in entries(summary) if _has(e, metric)]
    if not known:
        return ()
    most = max(len(e.configuration.over_runs.runs) for e in known)
    bands = _chosen(known, max(1, min(_MOST_BANDS, _MOST_DOTS // most)), metric)
    drawn = [_thin(band) for band in bands]
    reach = _reach(drawn)
    clock = _Clock.of([run.figures for band in drawn for run in band.runs])
    edge = sum(abs(_percent(run, band)) > reach for band in drawn for run in band.runs)
    series_used = {run.series for band in drawn for run in band.runs}
    special = ", ".join(
        _counted(sum(run.series == s for band in drawn for run in band.runs), s)
        for s in sorted(series_used - {_ORDINARY})
    )
    text = (
        f"One dot a run, one band a configuration. The line is the mean of its complete runs (at the right); a band's "
        f"edges are {two_digits(reach)} % above and below it, the same for all bands. Marked: {special or 'none'}."
    )
    rows = tuple(
        RowOfLanes(
            band.entry.short,
            (Lane(tuple(_dot(run, band, clock, reach, metric) for run in band.runs)),),
            after=value(band.centre, metric.unit),
        )
        for band in drawn
    )
    return (
        Chart(
            f"{metric.title} of each run over time",
            text,
            Rows(
                (Axis(clock.label),),
                _SERIES,
                rows,
                height=40,
                centre=True,
                size=4.5,
                names=short_names(summary),
            ),
            _table(drawn, metric),
            (
                *_left_out(known, bands, drawn),
                *_at_the_edge(edge),
                *_without(summary, metric),
                *figures_left_out(sum(len(band.runs) for band in drawn)),
            ),
        ),
    )


def _has(entry: Entry, metric: Metric) -> bool:
    """Whether any run has the figure: the mean tells it of the complete ones."""
    over = entry.configuration.over_runs
    return finite(over.of(metric.key).mean) is not None or any(
        finite(getattr(run, metric.key)) is not None for run in over.runs
    )


def _band(entry: Entry, metric: Metric) -> _Band:
    c = entry.configuration
    outlying = {outlier.run for outlier in c.outliers if outlier.metric == metric.key}
    runs = tuple(
        _Run(run, number, _series(run, outlying))
        for run in c.over_runs.runs
        if (number := finite(getattr(run, metric.key))) is not None
    )
    mean = finite(c.over_runs.of(metric.key).mean)
    return _Band(entry, sum(run.value for run in runs) / len(runs) if mean is None else mean, runs)


def _counted(number: int, series: int) -> str:
    return f"{number} {_WORDS[series] if series != _COLD else 'with a cold call'}"


def _series(run: RunFigures, outlying: set[int]) -> int:
    if run.suspect_calls:
        return _SUSPECT
    if not run.complete:
        return _INCOMPLETE
    if run.run in outlying:
        return _OUTLIER
    return _COLD if run.cold_calls else _ORDINARY


def _chosen(entries_: Sequence[Entry], most: int, metric: Metric) -> list[_Band]:
    """Half of the room for what is best ranked, the rest for bands with something to see; in their order."""
    if len(entries_) <= most:
        return [_band(e, metric) for e in entries_]
    head = list(range((most + 1) // 2))
    special = [i for i in range(len(head), len(entries_)) if _has_marked(entries_[i], metric)]
    rest = [i for i in range(len(head), len(entries_)) if i not in set(special)]
    return [_band(entries_[i], metric) for i in sorted((head + special + rest)[:most])]


def _has_marked(entry: Entry, metric: Metric) -> bool:
    c = entry.configuration
    if c.suspect_calls or any(outlier.metric == metric.key for outlier in c.outliers):
        return True
    return c.runs_complete < len(c.over_runs.runs)


def _thin(band: _Band) -> _Band:
    return _Band(band.entry, band.centre, thinned(band.runs, _MOST_DOTS, lambda run: run.series > _COLD))


def _percent(run: _Run, band: _Band) -> float:
    return 100 * (run.value - band.centre) / abs(band.centre) if band.centre else 0.0


def _reach(bands: Sequence[_Band]) -> float:
    """The largest deviation of a complete run, %: an incomplete one is another mix of stages and may lie anywhere."""
    whole = [abs(_percent(run, band)) for band in bands for run in band.runs if run.figures.complete]
    return max(whole, default=0.0) or 1.0


@dataclass(frozen=True)
class _Clock:
    """Time since the first start in a fitting unit; the run's number where any start is not known."""

    label: str
    first: datetime | None
    seconds: float

    @classmethod
    def of(cls, runs: Sequence[RunFigures]) -> _Clock:
        starts = [run.started_at for run in runs if run.started_at is not None]
        if len(starts) < len(runs):
            return cls("Run", None, 1.0)
        first = min(starts)
        span = (max(starts) - first).total_seconds()
        unit, seconds = next(
            (u for u in (("Hours", 3600.0), ("Minutes", 60.0)) if span >= 3 * u[1]), ("Seconds", 1.0)
        )
        return cls(f"{unit} since {utc(first)}", first, seconds)

    def __call__(self, run: RunFigures) -> float:
        if self.first is None or run.started_at is None:
            return float(run.run)
        return (run.started_at - self.first).total_seconds() / self.seconds


def _dot(run: _Run, band: _Band, clock: _Clock, reach: float, metric: Metric) -> Dot:
    words = f", {_WORDS[run.series]}" if run.series else ""
    slot = f" on {run.figures.slot}" if run.figures.slot else ""
    text = f"{band.entry.label}, run {run.figures.run}{slot}: {value(run.value, metric.unit)}{words}"
    return Dot(clock(run.figures), run.series, text, lift=max(-1.0, min(1.0, _percent(run, band) / reach)))


def _table(bands: Sequence[_Band], metric: Metric) -> Table:
    """Special runs first: the table is cut."""
    runs = [(band, run) for band in bands for run in band.runs]
    runs.sort(key=lambda pair: pair[1].series <= _COLD)
    header = ("Configuration", "Run", "Started", f"{metric.title} ({metric.unit})", "Marked")
    rows = [
        (
            band.entry.anchor,
            (
                band.entry.label,
                str(run.figures.run),
                utc(run.figures.started_at),
                value(run.value),
                _WORDS[run.series] or "no",
            ),
        )
        for band, run in runs
    ]
    return figures(header, "lrlrl", rows)


def _left_out(known: Sequence[Entry], bands: Sequence[_Band], drawn: Sequence[_Band]) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if len(bands) < len(known):
        notes = (
            f"Drawn: {len(bands)} of {len(known)} configurations: the best ranked, then those with a marked run. summary.json holds all.",
        )
    cut = sum(len(a.runs) - len(b.runs) for a, b in zip(bands, drawn, strict=True))
    return (*notes, f"Not drawn: {plural(cut, 'ordinary run')}, evenly left out.") if cut else notes


def _at_the_edge(number: int) -> tuple[str, ...]:
    return (f"Beyond a band's edge, and drawn on it: {plural(number, 'run')}.",) if number else ()


def _without(summary: SweepSummary, metric: Metric) -> tuple[str, ...]:
    """Runs that have no such figure can't be placed."""
    figures_ = [getattr(run, metric.key) for c in summary.configurations for run in c.over_runs.runs]
    absent = sum(figure is None or not math.isfinite(figure) for figure in figures_)
    lost = sum(entry.stage == "all" for c in summary.configurations for entry in c.excluded)
    parts = [f"{plural(absent, 'run')} without a {metric.title} of a valid call"] if absent else []
    parts += [f"{plural(lost, 'planned run')} without any record"] if lost else []
    return (f"Not drawn: {' and '.join(parts)}.",) if parts else ()
