"""Throughput against TTFT, one point a configuration, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.models import SweepSummary
from analysis.rendering.charts.drawing import Axis, Point, Scatter, Series
from analysis.rendering.document import Block, Chart, Paragraph, Table
from analysis.rendering.layout.figures.common import (
    Entry,
    entries,
    figures,
    figures_left_out,
    finite,
    number,
    span,
    with_ends,
)
from analysis.rendering.numbers import count, ends, plural

_FRONT, _OTHER, _SET_BACK = range(3)
_SERIES = (
    Series("on the Pareto front, by rank", "circle", "main"),
    Series("another configuration has more throughput and a lower TTFT", "ring", "quiet"),
    Series("with degenerate answers: not set against the others", "triangle", "red"),
)
_MOST_NAMED = 8
_TITLE = "Throughput against TTFT"


@dataclass(frozen=True)
class _Placed:
    entry: Entry
    ttft: float
    rate: float
    series: int


def pareto_chart(summary: SweepSummary) -> tuple[Block, ...]:
    """Return the chart; of fewer than two configurations nothing, or why there is none."""
    if len(summary.configurations) < 2 or not summary.is_choice:
        return ()
    placed = _placed(summary)
    if len(placed) < 2:
        return (Paragraph(f"No chart of throughput against TTFT: {_WITHOUT}."),)
    front = [p for p in placed if p.series == _FRONT]
    missing = sum(c.agents != 1 for c in summary.configurations) - len(placed)
    best = sorted(front, key=lambda p: -p.rate)
    names = "; ".join(_name(p.entry) for p in best[:_MOST_NAMED])
    more = f"; and {len(front) - _MOST_NAMED} more" if len(front) > _MOST_NAMED else ""
    text = (
        "One point a configuration: means over complete runs, with their 95 % intervals; TTFT without calls known to be cold. "
        "Up and to the left is better. On the Pareto front, where none has both more throughput and a lower TTFT: "
        f"{names}{more}. The front is that of the means: neighbours whose intervals overlap are not told apart."
    )
    notes = (
        (f"Not drawn, without both figures over complete runs: {plural(missing, 'configuration')}.",)
        if missing
        else ()
    )
    return (
        Chart(
            _TITLE,
            text,
            Scatter(
                Axis("TTFT (ms), lower is better"),
                Axis("Throughput (tok/s), higher is better"),
                _SERIES,
                tuple(map(_point, placed)),
                _staircase(front),
                "Pareto front",
            ),
            _table(placed),
            (*notes, *_crowded(front), *figures_left_out(len(placed))),
            tabular=len(placed) <= _MOST_NAMED,
        ),
    )


_WITHOUT = "fewer than two configurations have both over complete runs"


def pareto_front(points: Sequence[tuple[float, float]]) -> set[int]:
    """Return the indices of the points (cost, gain) that no other beats in one without losing in the other."""
    best, at, front = float("-inf"), float("nan"), set()
    for index in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        cost, gain = points[index]
        if gain > best or (gain == best and cost == at):
            best, at = gain, cost
            front.add(index)
    return front


def _placed(summary: SweepSummary) -> list[_Placed]:
    """Points in the order of the front (by TTFT), then the others by rank."""
    known = [
        (e, ttft, rate)
        for e in entries(summary)
        if e.configuration.agents != 1
        and (ttft := finite(e.configuration.over_runs.ttft_ms.mean)) is not None
        and (rate := finite(e.configuration.over_runs.throughput_tok_s.mean)) is not None
    ]
    clean = [k for k in known if not k[0].configuration.degenerate_calls]
    eligible = clean if clean and summary.ranking_rule == "clean-first" else known
    front = {eligible[i][0].anchor for i in pareto_front([(ttft, rate) for _, ttft, rate in eligible])}
    able = {e.anchor for e, *_ in eligible}
    placed = [
        _Placed(e, ttft, rate, _FRONT if e.anchor in front else _OTHER if e.anchor in able else _SET_BACK)
        for e, ttft, rate in known
    ]
    return sorted(placed, key=lambda p: (p.series, p.ttft if p.series == _FRONT else 0.0))


def _crowded(front: Sequence[_Placed]) -> tuple[str, ...]:
    if len(front) <= _MOST_NAMED:
        return ()
    return (
        "Where points of the front lie close together, not each is labelled; the table below begins with all of them.",
    )


def _staircase(front: Sequence[_Placed]) -> tuple[tuple[float, float], ...]:
    corners: list[tuple[float, float]] = []
    for p in front:
        if corners:
            corners.append((p.ttft, corners[-1][1]))
        corners.append((p.ttft, p.rate))
    return tuple(corners) if len(front) > 1 else ()


def _point(p: _Placed) -> Point:
    runs = p.entry.configuration.over_runs
    x, y = runs.ttft_ms.mean_interval, runs.throughput_tok_s.mean_interval
    words = f"{_name(p.entry)}: {with_ends(p.rate, y, 'tok/s')}, TTFT {with_ends(p.ttft, x, 'ms')}"
    label = f"#{p.entry.rank}" if p.series == _FRONT and p.entry.rank is not None else ""
    return Point(p.ttft, p.rate, p.series, words, span(x), span(y), label)


def _name(entry: Entry) -> str:
    return entry.label if entry.rank is None else f"#{entry.rank} {entry.label}"


def _table(placed: Sequence[_Placed]) -> Table:
    header = (
        "Rank",
        "Configuration",
        "Runs",
        "TTFT (ms)",
        "95 % interval",
        "Throughput (tok/s)",
        "95 % interval",
        "Front",
    )
    rows = [
        (
            p.entry.anchor,
            (
                count(p.entry.rank),
                p.entry.label,
                str(p.entry.configuration.over_runs.throughput_tok_s.n),
                number(p.ttft, p.entry.configuration.over_runs.ttft_ms.mean_interval),
                ends(p.entry.configuration.over_runs.ttft_ms.mean_interval),
                number(p.rate, p.entry.configuration.over_runs.throughput_tok_s.mean_interval),
                ends(p.entry.configuration.over_runs.throughput_tok_s.mean_interval),
                ("yes", "no", "degenerate answers")[p.series],
            ),
        )
        for p in placed
    ]
    return figures(header, "rlrrrrrl", rows, link=1)
