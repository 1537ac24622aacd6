"""Slowdowns of agents that ran at the same time: a dot each with its interval, an agent a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.models.pairs import PairAgent, PairConfiguration, Slowdown, SlowdownOf
from analysis.rendering.charts.drawing import Axis, Dot, Lane, RowOfLanes, Rows, Series
from analysis.rendering.document import Chart, Table
from analysis.rendering.layout.figures.common import figures, figures_left_out, finite, span
from analysis.rendering.layout.pair_words import TITLES, ratio_text, slowdown_of, verdict_text
from analysis.rendering.numbers import ABSENT, p_value, plural

_SERIES = (
    Series("alone: 1", "ring", "quiet"),
    Series("slowed down, 95 % interval", "diamond", "red"),
    Series("none shown", "circle", "main"),
    Series("faster", "square", "teal"),
    Series("not tested", "triangle", "amber"),
)
_ALONE = 0
_PLACE = {"slowed down": 1, "none shown": 2, "faster": 3, "not known": 4}
_OF: tuple[SlowdownOf, ...] = ("rate", "ttft", "pace")
_MOST = 60


def slowdowns_chart(pairs: Sequence[PairConfiguration], anchors: Mapping[str, str]) -> tuple[Chart, ...]:
    """Return the chart; nothing where no agent was measured alone. ``anchors``: configuration → its section."""
    told = [
        (pair, m)
        for pair in pairs
        for m in pair.members
        if any(s.ratio is not None and finite(s.ratio.value) is not None for s in m.slowdowns)
    ]
    if not told:
        return ()
    drawn = told[:_MOST]
    panels = [of for of in _OF if any(_ratio(m, of) is not None for _, m in drawn)]
    titles = tuple(f"{TITLES[of]}, times slower" for of in panels)
    rows = tuple(
        RowOfLanes(m.agent, tuple(_lane(m, of) for of in panels), group=pair.config) for pair, m in drawn
    )
    cut = len(told) - len(drawn)
    return (
        Chart(
            "Slowdown of each agent",
            "Together against alone: 1 is as alone, further right is slower. Rate: tokens per second while it "
            "writes; pace: tokens per second of its whole duration, with reading and waiting.",
            Rows(
                tuple(Axis(title) for title in titles), _SERIES, rows, titles=titles, height=28, names="Agent"
            ),
            _table(told, anchors),
            (
                *((f"Not drawn: {plural(cut, 'further agent')}. summary.json holds all.",) if cut else ()),
                *figures_left_out(len(told)),
            ),
        ),
    )


def _ratio(member: PairAgent, of: SlowdownOf) -> float | None:
    found = slowdown_of(member, of)
    return None if found is None or found.ratio is None else finite(found.ratio.value)


def _lane(member: PairAgent, of: SlowdownOf) -> Lane:
    found, at = slowdown_of(member, of), _ratio(member, of)
    if found is None or found.ratio is None or at is None:
        return Lane()
    text = f"{member.agent}, {TITLES[of]}: {ratio_text(found.ratio)} times slower, {found.verdict}"
    return Lane(
        (
            Dot(1.0, _ALONE, f"{member.agent} alone"),
            Dot(at, _PLACE[found.verdict], text, span(found.ratio.interval)),
        )
    )


def _table(told: Sequence[tuple[PairConfiguration, PairAgent]], anchors: Mapping[str, str]) -> Table:
    rows = []
    for pair, m in told:
        cells = []
        for of in _OF:
            found = slowdown_of(m, of)
            cells += [ratio_text(found.ratio if found else None), _p(found)]
        rows.append((anchors.get(pair.config, ""), (pair.config, m.agent, *cells, verdict_text(m))))
    header = (
        "Configuration",
        "Agent",
        "Rate",
        "p, adjusted",
        "TTFT",
        "p, adjusted",
        "Pace",
        "p, adjusted",
        "Verdict",
    )
    return figures(header, "llrrrrrrl", rows)


def _p(found: Slowdown | None) -> str:
    return ABSENT if found is None else p_value(found.comparison.p_holm)
