"""GPU power and energy per token, where a GPU was sampled."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.models import SweepSummary
from analysis.rendering.charts.drawing import Axis, Dot, Lane, RowOfLanes, Rows, Series, Shape, Tone
from analysis.rendering.document import Block, Chart, Table
from analysis.rendering.layout.figures.common import (
    Entry,
    entries,
    figures,
    figures_left_out,
    finite,
    left_out,
    number,
    short_names,
    span,
    with_ends,
)
from analysis.rendering.numbers import ABSENT, ends, mean_sd
from analysis.statistics.estimate import Estimate

_MOST = 24
_OF_STAGES: tuple[tuple[Shape, Tone], ...] = (
    ("square", "amber"),
    ("diamond", "teal"),
    ("triangle", "violet"),
    ("ring", "quiet"),
)
"""Of the stages' power; stages beyond are only in the table."""
_PANEL_ENERGY, _PANEL_POWER = "Energy per token (J)", "GPU power (W)"


def energy_chart(summary: SweepSummary) -> tuple[Block, ...]:
    """Return the chart; nothing where no configuration has power or energy."""
    told = [e for e in entries(summary) if _energy(e) is not None or any(_power(e).values())]
    if not told:
        return ()
    shown = told[:_MOST]
    stages = list(dict.fromkeys(stage for e in shown for stage in _power(e)))[: len(_OF_STAGES)]
    series = (
        Series("whole run: mean, 95 % interval", "circle", "main"),
        *(
            Series(f"{stage}: mean ± sd over calls", shape, tone)
            for stage, (shape, tone) in zip(stages, _OF_STAGES, strict=False)
        ),
    )
    rows = tuple(RowOfLanes(e.short, (_energy_lane(e), _power_lane(e, stages))) for e in shown)
    text = (
        "Left: Σ energy / Σ tokens of each complete run, mean over runs and its 95 % interval; the energy holds prompt "
        "processing and idle draw. Right: mean power during the valid calls of each stage, of all sampled GPUs together."
    )
    return (
        Chart(
            "GPU power and energy per token",
            text,
            Rows(
                (Axis(_PANEL_ENERGY), Axis(_PANEL_POWER)),
                series,
                rows,
                titles=(_PANEL_ENERGY, _PANEL_POWER),
                height=26,
                names=short_names(summary),
            ),
            _table(shown),
            (*left_out(len(told), len(shown)), *figures_left_out(sum(max(1, len(_power(e))) for e in shown))),
        ),
    )


def _energy(entry: Entry) -> float | None:
    return finite(entry.configuration.over_runs.joules_per_token.mean)


def _power(entry: Entry) -> dict[str, Estimate]:
    return {t.stage: t.power_w for t in entry.configuration.telemetry if finite(t.power_w.mean) is not None}


def _energy_lane(entry: Entry) -> Lane:
    mean = _energy(entry)
    if mean is None:
        return Lane()
    interval = entry.configuration.over_runs.joules_per_token.mean_interval
    words = f"{entry.label}: {with_ends(mean, interval, 'J per token')}"
    return Lane((Dot(mean, 0, words, span(interval)),))


def _power_lane(entry: Entry, stages: Sequence[str]) -> Lane:
    power = _power(entry)
    dots = []
    for index, stage in enumerate(stages):
        found = power.get(stage)
        if found is None or found.mean is None:
            continue
        sd = finite(found.sd)
        between = None if sd is None else (found.mean - sd, found.mean + sd)
        lift = 0.0 if len(stages) == 1 else 0.7 - 1.4 * index / (len(stages) - 1)
        dots.append(
            Dot(found.mean, index + 1, f"{entry.label}, {stage}: {mean_sd(found, 'W')}", between, lift)
        )
    return Lane(tuple(dots))


def _table(shown: Sequence[Entry]) -> Table:
    header = ("Configuration", "Energy per token (J)", "95 % interval", "Stage", "GPU power (W)", "Calls")
    rows = []
    for e in shown:
        interval = e.configuration.over_runs.joules_per_token.mean_interval
        own = (number(_energy(e), interval), ends(interval))
        power = _power(e)
        if not power:
            rows.append((e.anchor, (e.label, *own, ABSENT, ABSENT, ABSENT)))
        rows += [(e.anchor, (e.label, *own, stage, mean_sd(p), str(p.n))) for stage, p in power.items()]
    return figures(header, "lrrlrr", rows)
