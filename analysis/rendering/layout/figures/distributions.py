"""How TTFT and ITL are distributed: every value as a dot, with quartiles and median."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.models import ConfigurationSummary, SweepSummary
from analysis.rendering.charts.drawing import Axis, Box, Dot, Lane, RowOfLanes, Rows, Series
from analysis.rendering.document import Block, Chart, Table
from analysis.rendering.layout.figures.common import (
    Entry,
    entries,
    figures,
    figures_left_out,
    finite,
    left_out,
    short_names,
    thinned,
)
from analysis.rendering.layout.words import gaps_text
from analysis.rendering.numbers import plural, value

_MOST_ROWS = 24
_MOST_PANELS = 3
_MOST_DOTS = 100
"""Of one row."""
_GOLDEN = 0.6180339887498949
_FEWEST_FOR_A_BOX = 4
"""Of fewer values quartiles say no more than the dots."""
_BOX = "Box: first to third quartile, with the median (from 4 values on)."


@dataclass(frozen=True)
class _Five:
    """Of all values: how many, least, quartiles and median (of few: none), greatest."""

    n: int
    least: float | None = None
    quartiles: tuple[float, float, float] | None = None
    greatest: float | None = None


@dataclass(frozen=True)
class _Sample:
    """The values of one row in one panel, as (what it is, value)."""

    values: tuple[tuple[str, float], ...]
    """Those that a dot can be drawn for: a summary of a large sweep leaves calls out."""
    five: _Five


def distribution_charts(summary: SweepSummary) -> tuple[Block, ...]:
    """Return the charts of TTFT (by stage) and of ITL, of those that any call tells."""
    some, names = entries(summary), short_names(summary)
    return (*_ttft(some, names), *_itl(some, names))


def _ttft(some: Sequence[Entry], names: str) -> Iterator[Chart]:
    told = [e for e in some if any(stage.ttft_ms.n for stage in e.configuration.stages_over_runs)]
    if not told:
        return
    stages = list(
        dict.fromkeys(
            stage.stage
            for e in some
            for stage in e.configuration.stages_over_runs
            if stage.ttft_ms.n or stage.ttft_cold_ms.n
        )
    )
    shown, panels = told[:_MOST_ROWS], stages[:_MOST_PANELS]
    samples = [(e, tuple(_warm(e.configuration, stage) for stage in panels)) for e in shown]
    cold = sum(stage.ttft_cold_ms.n for e in some for stage in e.configuration.stages_over_runs)
    notes = [*left_out(len(told), len(shown))]
    if cold:
        notes.append(f"Not drawn: {plural(cold, 'cold call')}, whose TTFT holds the load of the model.")
    if len(stages) > len(panels):
        notes.append(
            f"Not drawn: {plural(len(stages) - len(panels), 'further stage')}. summary.json holds all."
        )
    yield Chart(
        "Distribution of TTFT",
        f"One dot a valid call that is not known to be cold, by stage. {_BOX}",
        Rows(
            tuple(Axis("TTFT (ms)") for _ in panels),
            (Series("one call", "ring", "main"),),
            _rows(samples),
            titles=tuple(panels),
            height=24,
            size=3.2,
            names=names,
        ),
        _table(samples, panels, "Stage"),
        (*notes, *_thinned_note(samples), *figures_left_out(len(samples) * len(panels))),
    )


def _warm(c: ConfigurationSummary, name: str) -> _Sample:
    values = tuple(
        (f"run {call.run}", number)
        for call in c.calls
        if call.stage == name
        and call.valid
        and call.cold is not True
        and (number := finite(call.ttft_ms)) is not None
    )
    stage = next((stage for stage in c.stages_over_runs if stage.stage == name), None)
    if stage is None or stage.ttft_ms.n == len(values):
        return _Sample(values, _five_of(values))
    d = stage.ttft_ms
    inner = None if d.q1 is None or d.median is None or d.q3 is None else (d.q1, d.median, d.q3)
    return _Sample(values, _Five(d.n, d.min, inner if d.n >= _FEWEST_FOR_A_BOX else None, d.max))


def _five_of(values: Sequence[tuple[str, float]]) -> _Five:
    numbers = [number for _, number in values]
    return _Five(len(numbers), min(numbers), _quartiles(numbers), max(numbers)) if numbers else _Five(0)


def _itl(some: Sequence[Entry], names: str) -> Iterator[Chart]:
    known = [(e, values) for e in some if (values := _itl_of_runs(e.configuration))]
    if not known:
        return
    samples = [(e, (_Sample(values, _five_of(values)),)) for e, values in known[:_MOST_ROWS]]
    gaps = [
        f"{e.label}: {gaps_text(g)} ({g.n} gaps)"
        for e, _ in samples
        if e.configuration.conditions and (g := e.configuration.conditions.itl_gaps)
    ]
    single = (
        f"Single gaps, which summary.json holds as quantiles only: {'; '.join(gaps[:3])}{'; …' if len(gaps) > 3 else ''}.",
    )
    yield Chart(
        "Distribution of inter-token latency (ITL)",
        f"One dot a complete run: the mean over its calls' mean ITL. {_BOX}",
        Rows(
            (Axis("ITL (ms)"),),
            (Series("one run", "ring", "main"),),
            _rows(samples),
            height=24,
            size=3.2,
            names=names,
        ),
        _table(samples, ("all",), "Stages"),
        (*left_out(len(known), len(samples)), *(single if gaps else ()), *_thinned_note(samples)),
    )


def _itl_of_runs(c: ConfigurationSummary) -> tuple[tuple[str, float], ...]:
    return tuple(
        (f"run {run.run}", number)
        for run in c.over_runs.runs
        if run.complete and (number := finite(run.itl_ms)) is not None
    )


def _rows(samples: Sequence[tuple[Entry, tuple[_Sample, ...]]]) -> tuple[RowOfLanes, ...]:
    return tuple(RowOfLanes(e.short, tuple(_lane(e, s) for s in lanes)) for e, lanes in samples)


def _lane(entry: Entry, sample: _Sample) -> Lane:
    drawn = thinned(sample.values, _MOST_DOTS, lambda _: False)
    dots = tuple(
        Dot(number, 0, f"{entry.label}, {name}: {value(number, 'ms')}", lift=_spread(index))
        for index, (name, number) in enumerate(drawn)
    )
    return Lane(dots, _box(entry, sample.five.quartiles))


def _spread(index: int) -> float:
    """Put equal values beside each other: the golden ratio's multiples, evenly over the row."""
    return (index * _GOLDEN % 1.0 - 0.5) * 1.2


def _quartiles(numbers: Sequence[float]) -> tuple[float, float, float] | None:
    if len(numbers) < _FEWEST_FOR_A_BOX:
        return None
    q1, median, q3 = (float(q) for q in np.quantile(np.array(numbers), (0.25, 0.5, 0.75)))
    return q1, median, q3


def _box(entry: Entry, found: tuple[float, float, float] | None) -> Box | None:
    if found is None:
        return None
    q1, median, q3 = found
    return Box(
        q1, median, q3, f"{entry.label}: quartiles {value(q1)} and {value(q3)}, median {value(median, 'ms')}"
    )


def _table(samples: Sequence[tuple[Entry, tuple[_Sample, ...]]], panels: Sequence[str], over: str) -> Table:
    header = ("Configuration", over, "n", "Least (ms)", "Q1", "Median", "Q3", "Greatest (ms)")
    rows = [
        (e.anchor, (e.label, panel, str(sample.five.n), *_cells(sample.five)))
        for e, lanes in samples
        for panel, sample in zip(panels, lanes, strict=True)
    ]
    return figures(header, "llrrrrrr", rows)


def _cells(five: _Five) -> tuple[str, ...]:
    return tuple(map(value, (five.least, *(five.quartiles or (None, None, None)), five.greatest)))


def _thinned_note(samples: Sequence[tuple[Entry, tuple[_Sample, ...]]]) -> tuple[str, ...]:
    some = [s for _, lanes in samples for s in lanes]
    notes = []
    if any(len(s.values) > _MOST_DOTS for s in some):
        notes.append(
            f"Of more than {_MOST_DOTS} values in a row an even part is drawn; box and table hold all of them."
        )
    if any(s.five.n > len(s.values) for s in some):
        notes.append(
            "Drawn are the calls that the summary lists, of the first runs; box and table hold all of them."
        )
    return tuple(notes)
