"""Where the time of each stage went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.models import StageOverRuns, SweepSummary
from analysis.rendering.charts.drawing import Axis, Bar, Lane, RowOfLanes, Rows, Series
from analysis.rendering.document import Block, Chart, Paragraph, Table
from analysis.rendering.layout.figures.common import (
    Entry,
    entries,
    figures,
    figures_left_out,
    finite,
    left_out,
    short_names,
)
from analysis.rendering.numbers import plural, seconds, value

_SERIES = (
    Series("load of the model", "block", "amber"),
    Series("prompt evaluation", "block", "violet"),
    Series("evaluation (generating)", "block", "main"),
    Series("rest: client, network, and what the server does not report", "block", "quiet"),
)
_MOST = 20


@dataclass(frozen=True)
class _Stage:
    entry: Entry
    name: str
    calls: int
    parts: tuple[float | None, ...]
    """Mean of each part, ms; ``None``: not told for every call, so that it is in the rest."""
    rest: float
    total: float


def stage_chart(summary: SweepSummary) -> tuple[Block, ...]:
    """Return the chart, or why there is none where calls are."""
    stages = [stage for e in entries(summary) for stage in _stages(e)]
    if not stages and summary.loads:
        return ()  # the stage of a load is the load: its figures stand in its section
    if not stages:
        any_call = any(c.call_count for c in summary.configurations)
        return (Paragraph("No chart of the stages: no valid call has a duration."),) if any_call else ()
    names = list(dict.fromkeys(stage.entry.anchor for stage in stages))
    drawn = [stage for stage in stages if stage.entry.anchor in set(names[:_MOST])]
    several = len({stage.name for stage in drawn}) > 1
    rows = tuple(
        RowOfLanes(
            stage.name if several else stage.entry.short,
            (Lane(bars=_bars(stage)),),
            stage.entry.label if several else "",
            seconds(stage.total),
        )
        for stage in drawn
    )
    text = (
        "Mean duration of each stage's valid calls, cold ones included, and what it consists of: the server's own "
        "load, prompt evaluation and evaluation times, and the rest of the client's wall time."
    )
    over = sum(stage.rest < 0 for stage in drawn)
    notes = (
        (f"The server's times are longer than the client's in {plural(over, 'stage')}: no rest is drawn.",)
        if over
        else ()
    )
    return (
        Chart(
            "Stage breakdown",
            text,
            Rows(
                (Axis("Mean duration (s)", zero=True),),
                _SERIES,
                rows,
                height=20 if several else 24,
                names="" if several else short_names(summary),
            ),
            _table(drawn),
            (*left_out(len(names), min(len(names), _MOST)), *notes, *figures_left_out(len(drawn))),
        ),
    )


def _stages(entry: Entry) -> list[_Stage]:
    return [
        _stage(entry, stage, total)
        for stage in entry.configuration.stages_over_runs
        if (total := finite(stage.call_duration_ms.mean)) is not None
    ]


def _stage(entry: Entry, stage: StageOverRuns, total: float) -> _Stage:
    """Parts that are told for every call of the stage."""
    calls = stage.call_duration_ms.n
    described = (stage.load_ms, stage.prompt_eval_ms, stage.eval_ms)
    parts = tuple(finite(one.mean) if one.n == calls else None for one in described)
    return _Stage(entry, stage.stage, calls, parts, total - sum(p or 0.0 for p in parts), total)


def _bars(stage: _Stage) -> tuple[Bar, ...]:
    bars: list[Bar] = []
    at = 0.0
    for series, part in enumerate((*stage.parts, max(stage.rest, 0.0))):
        if part:
            end = at + part / 1e3
            text = (
                f"{stage.entry.label}, {stage.name}: {_SERIES[series].name.split(':')[0]} {value(part, 'ms')}"
            )
            bars.append(Bar(at, end, series, text, seconds(part)))
            at = end
    return tuple(bars)


def _table(stages: Sequence[_Stage]) -> Table:
    header = (
        "Configuration",
        "Stage",
        "Calls",
        "Load (ms)",
        "Prompt eval (ms)",
        "Eval (ms)",
        "Rest (ms)",
        "Duration (ms)",
    )
    rows = [
        (
            s.entry.anchor,
            (s.entry.label, s.name, str(s.calls), *map(value, s.parts), value(s.rest), value(s.total)),
        )
        for s in stages
    ]
    return figures(header, "llrrrrrr", rows)
