"""The combined report of agents that ran at the same time: both sides, what they did to each other, what they wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.models import ConfigurationSummary, SweepSummary
from analysis.models.pairs import PairConfiguration
from analysis.provenance import provenance as provenance_of
from analysis.rendering.document import Block, Document, Lines, Paragraph, Section, Verbatim
from analysis.rendering.layout.findings import findings_blocks, findings_of
from analysis.rendering.layout.pair_tables import figures_table, runs_table, sides_table, together_table
from analysis.rendering.layout.pair_words import agents_of, answer, contention_text, runs_of
from analysis.rendering.layout.pairs import incomplete_blocks, legacy_section
from analysis.rendering.layout.provenance import provenance_section
from analysis.rendering.layout.words import NOT_RECORDED
from analysis.rendering.layout.workflow import captured, text_blocks

_MOST_RUNS = 100


def pair_report(pair: PairConfiguration, summary: SweepSummary) -> Document:
    """Return the report of all agents of one configuration."""
    by_agent = {c.agent: c for c in summary.configurations if c.config == pair.config}
    sides = [by_agent[agent] for agent in pair.agents if agent in by_agent]
    solos = {(c.config, c.agent): c for c in summary.configurations if c.agents == 1}
    alone = [solos.get((m.solo, m.agent)) if m.solo is not None else None for m in pair.members]
    return Document(
        f"Chimera Agents {' and '.join(pair.agents)}"
        if len(pair.agents) == 2
        else f"{len(pair.agents)} Chimera Agents",
        (
            _header(pair, sides),
            Section("Answer", (Paragraph(answer([pair])), *incomplete_blocks([pair]))),
            Section("Configuration", (sides_table(pair),)),
            Section(
                "Metrics", (figures_table(pair, alone), Section("All Together", (together_table(pair),)))
            ),
            Section("Runs", tuple(_runs(pair, summary))),
            legacy_section(summary, [pair]),
            Section(
                "Key Findings",
                (
                    *findings_blocks(findings_of(summary, pair.config)),
                    *(
                        Section(f"What {c.agent} Found", captured(c.shown.findings if c.shown else None))
                        for c in sides
                    ),
                ),
            ),
            Section(
                "Recommendations",
                tuple(
                    Section(
                        f"What {c.agent} Recommends", captured(c.shown.recommendations if c.shown else None)
                    )
                    for c in sides
                ),
            ),
            Section("Technical Reports", tuple(Section(c.agent, text_blocks(c)) for c in sides)),
            Section("Persona Prompts", tuple(Section(c.agent, (_persona(c),)) for c in sides)),
            provenance_section(provenance_of(summary)),
        ),
    )


def _header(pair: PairConfiguration, sides: Sequence[ConfigurationSummary]) -> Lines:
    ended = max((c.ended_at for c in sides if c.ended_at is not None), default=None)
    return Lines(
        (
            ("Date", NOT_RECORDED if ended is None else f"{ended:%Y-%m-%d}"),
            ("Configuration", pair.config),
            ("Agents at the same time", agents_of(pair)),
            ("Runs complete", runs_of(pair)),
            ("Contention", contention_text(pair)),
        )
    )


def _runs(pair: PairConfiguration, summary: SweepSummary) -> Iterator[Block]:
    found = [run for run in summary.pairs if run.config == pair.config]
    yield runs_table(found[:_MOST_RUNS])
    if len(found) > _MOST_RUNS:
        yield Paragraph(f"Shown: the first {_MOST_RUNS} of {len(found)} runs. summary.json holds all.")


def _persona(c: ConfigurationSummary) -> Block:
    return Paragraph("The persona is not recorded.") if c.persona is None else Verbatim(c.persona)
