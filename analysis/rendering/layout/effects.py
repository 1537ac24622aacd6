"""Which axes matter, what depends on what, how slots differ, whether the sweep drifted."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.findings.phrases import several_agents
from analysis.formatting import MINUS, two_digits
from analysis.metrics import BY_KEY
from analysis.models import AxisEffect, AxisLevel, MainEffects, SweepSummary
from analysis.rendering.document import Block, Bullet, Bullets, Paragraph, Row, Section, Table
from analysis.rendering.layout.charts import main_effects_charts
from analysis.rendering.numbers import ABSENT, decimals, ends, p_value, percent, plural, signed

_BALANCED = "Every combination of values was measured equally often, so that the shares add up to 100 %."
_UNBALANCED = (
    "Not every combination of values was measured equally often: shares overlap and need not add up."
)


def effects_section(summary: SweepSummary) -> tuple[Section, ...]:
    """Return the section, or nothing where no effect was estimated."""
    blocks = (*_axes(summary), *_slots(summary), *_drift(summary))
    return (Section("Effects", blocks, anchor="effects"),) if blocks else ()


def _axes(summary: SweepSummary) -> Iterator[Block]:
    for effects in summary.main_effects:
        metric = BY_KEY[effects.metric]
        agent = f" ({effects.agent})" if several_agents(summary.configurations) else ""
        header = (
            *("What", "Share of the variance", "Largest difference (%)", "p", "p, adjusted"),
            f"Mean of each value ({metric.unit}), 95 % interval",
        )
        rows = (
            *(_axis(axis) for axis in effects.axes),
            *(
                Row(
                    (
                        " × ".join(pair.axes),
                        percent(pair.share),
                        ABSENT,
                        p_value(pair.p),
                        p_value(pair.p_holm),
                        ABSENT,
                    )
                )
                for pair in effects.interactions
            ),
            *_others(effects),
        )
        words = f"{plural(effects.runs, 'run')}. {_BALANCED if effects.balanced else _UNBALANCED}"
        notes = (Bullets(tuple(map(Bullet, effects.notes))),) if effects.notes else ()
        yield Section(
            f"Main Effects: {metric.title}{agent}", (Table(header, "lrrrrl", rows), Paragraph(words), *notes)
        )
    if summary.main_effects:
        yield from main_effects_charts(summary)


def _axis(axis: AxisEffect) -> Row:
    name = f"{axis.axis} (inert)" if axis.inert else axis.axis
    largest = ABSENT if axis.largest_percent is None else two_digits(axis.largest_percent)
    return Row(
        (
            name,
            percent(axis.share),
            largest,
            p_value(axis.p),
            p_value(axis.p_holm),
            "; ".join(map(_level, axis.levels)),
        ),
        tone="muted" if axis.inert else "",
    )


def _level(level: AxisLevel) -> str:
    if level.interval is None:
        return f"{level.value}: {level.mean:.2f}"
    places = decimals(level.interval)
    return f"{level.value}: {level.mean:.{places}f} ({ends(level.interval, places)})"


def _others(effects: MainEffects) -> Iterator[Row]:
    for what, share in (
        ("slots", effects.slot_share),
        ("blocks (time)", effects.block_share),
        ("loads of a plot", effects.load_share),
        ("higher interactions", effects.higher_share),
        ("noise between runs", effects.residual_share),
    ):
        if share is not None:
            yield Row((what, percent(share), *[ABSENT] * 4), tone="muted")


def _slots(summary: SweepSummary) -> Iterator[Block]:
    if not summary.host_effects:
        return
    several = several_agents(summary.configurations)
    rows = tuple(
        Row(
            (
                BY_KEY[effects.metric].title,
                *((effects.agent,) if several else ()),
                effects.pool or ABSENT,
                percent(effects.variance_share),
                slot.slot,
                str(slot.runs),
                signed(slot.percent, slot.interval),
                ends(slot.interval),
                p_value(slot.p),
                p_value(slot.p_holm),
                "outlying" if slot.outlying else "",
            ),
            tone="bad" if slot.outlying else "",
        )
        for effects in summary.host_effects
        for slot in effects.slots
    )
    header = (
        *("Metric", *(("Agent",) if several else ()), "Pool", "Slots' share of the variance", "Slot", "Runs"),
        *("From its pool (%)", "95 % interval", "p", "p, adjusted", "Verdict"),
    )
    table = Table(header, "l" + "l" * several + "lrlrrrrrl", rows)
    words = (
        "Each slot against the others of its pool, with the configurations' means taken out. The share is that of the variance "
        "between runs of one configuration; p is corrected over all slots and metrics."
    )
    yield Section("Slots", (table, Paragraph(words)))


def _drift(summary: SweepSummary) -> Iterator[Block]:
    found = [(effects, effects.drift) for effects in summary.main_effects if effects.drift is not None]
    if not found:
        return
    several = several_agents(summary.configurations)
    rows = tuple(
        Row(
            (
                BY_KEY[effects.metric].title,
                *((effects.agent,) if several else ()),
                str(trend.n),
                ABSENT
                if trend.percent_per_run is None
                else f"{trend.percent_per_run:+.3f}".replace("-", MINUS),
                p_value(trend.p),
                p_value(trend.p_holm),
                "drifting" if trend.drifting else "no drift shown",
            ),
            tone="bad" if trend.drifting else "",
        )
        for effects, trend in found
    )
    header = (
        *("Metric", *(("Agent",) if several else ()), "Runs", "Change from block to block (%)"),
        *("p", "p, adjusted", "Verdict"),
    )
    words = "Over the whole execution, with the configurations' means taken out."
    yield Section("Drift over Time", (Table(header, "l" + "l" * several + "rrrrl", rows), Paragraph(words)))
