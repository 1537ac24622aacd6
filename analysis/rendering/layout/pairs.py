"""The section on several agents that ran at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.models import SweepSummary
from analysis.models.pairs import LEGACY_NOTE, PairConfiguration
from analysis.pairs.slowdown import RULE
from analysis.rendering.document import Block, Bullet, Bullets, Paragraph, Section
from analysis.rendering.layout.figures.pairs import slowdowns_chart
from analysis.rendering.layout.pair_tables import agents_table, legacy_table, pairs_table
from analysis.rendering.layout.pair_words import answer
from analysis.rendering.layout.words import configuration_anchor
from analysis.rendering.numbers import plural

_MOST = 200
_MOST_INCOMPLETE = 12
_GAIN = (
    "Gain: output tokens per second of all agents together over those of the same agents one after the other, from their runs "
    "alone. "
)
_READ = (
    "All active: part of the makespan in which every agent had a call under way. Fairness: Jain's index of the agents' "
    "rates, or paces, as parts of those alone; 1 is even, 1 over the number of agents is one agent alone. In brackets, and after "
    "±: 95 % intervals."
)


def pairs_sections(summary: SweepSummary) -> tuple[Section, ...]:
    """Return the section; none where no agents ran at the same time."""
    if not summary.pair_configurations:
        return ()
    return (Section("Agents at the Same Time", tuple(_blocks(summary)), anchor="agents"),)


def legacy_section(summary: SweepSummary, pairs: Sequence[PairConfiguration]) -> Section:
    """The legacy figures, named as such."""
    return Section(
        "Legacy Figures", (Paragraph(LEGACY_NOTE), legacy_table(pairs, summary.pairs)), folded=True
    )


def incomplete_blocks(pairs: Sequence[PairConfiguration]) -> Iterator[Block]:
    """Count and name the runs that are in no estimate."""
    found = [(pair, one) for pair in pairs for one in pair.incomplete]
    if not found:
        return
    several = len(pairs) > 1
    yield Paragraph(
        f"{plural(len(found), 'run')} of {sum(max(p.runs, p.runs_planned or 0) for p in pairs)} "
        f"{'is' if len(found) == 1 else 'are'} incomplete and in no figure over runs but the legacy ones:"
    )
    yield Bullets(
        tuple(
            Bullet(one.why, f"{pair.config}, run {one.run}" if several else f"Run {one.run}")
            for pair, one in found[:_MOST_INCOMPLETE]
        )
    )
    if len(found) > _MOST_INCOMPLETE:
        yield Paragraph(f"… and {len(found) - _MOST_INCOMPLETE} more, in summary.json.")


def _blocks(summary: SweepSummary) -> Iterator[Block]:
    pairs = summary.pair_configurations
    anchors: dict[str, str] = {}
    for index, c in enumerate(summary.configurations):
        anchors.setdefault(c.config, configuration_anchor(index))
    yield Paragraph(answer(pairs))
    of_agents = agents_table(pairs[:_MOST], anchors)
    if of_agents is not None:
        yield of_agents
        yield from slowdowns_chart(pairs, anchors)
    yield pairs_table(pairs[:_MOST], anchors)
    if len(pairs) > _MOST:
        yield Paragraph(f"Shown: the first {_MOST} of {len(pairs)} configurations. summary.json holds all.")
    gains = any(pair.gain is not None for pair in pairs)
    yield Paragraph(f"{_GAIN if gains else ''}{_READ}")
    if of_agents is not None:
        yield Paragraph(RULE)
    yield from incomplete_blocks(pairs)
    yield legacy_section(summary, pairs[:_MOST])
