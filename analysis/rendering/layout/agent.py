"""One agent's report, in the second seed's layout: the text first, then what was measured and asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from analysis.findings.titles import title
from analysis.models import Call, ConfigurationSummary, Finding, SweepSummary
from analysis.provenance import provenance as provenance_of
from analysis.rendering.document import (
    Block,
    Bullet,
    Bullets,
    Document,
    Lines,
    Paragraph,
    Section,
    Verbatim,
)
from analysis.rendering.layout.findings import findings_blocks, findings_of
from analysis.rendering.layout.load_runs import load_runs_sections
from analysis.rendering.layout.provenance import provenance_section
from analysis.rendering.layout.words import NOT_RECORDED
from analysis.rendering.layout.workflow import captured, summary_blocks, text_blocks
from analysis.rendering.numbers import count, mean_interval, value
from analysis.statistics.description import Description
from analysis.statistics.estimate import estimate
from analysis.statistics.total import total_count, total_float
from contracts.configuration import describe_parameters

_NO_RUN = Paragraph("No run of this agent has any record.")


def agent_report(
    configuration: ConfigurationSummary, summary: SweepSummary, persona: str | None = None
) -> Document:
    """Return the report of one agent under one configuration.

    ``persona``: the prompt that made the agent what it is; ``None``: the configuration's, where one is recorded.
    """
    c = configuration
    shown = c.shown
    concerned = findings_of(summary, c.config)
    return Document(
        _title(c.agent),
        (
            Section(f"Technical Report: {_title(c.agent)} Analysis", (_header(c, summary), *text_blocks(c))),
            Section("Workflow Summary", (_NO_RUN,) if shown is None else summary_blocks(shown)),
            Section("Metrics", _metrics(c)),
            Section(
                "Key Findings",
                (
                    *_findings(c, concerned),
                    Section("The Model's Key Findings", captured(shown.findings if shown else None)),
                ),
            ),
            Section(
                "Recommendations",
                (
                    _advice(concerned),
                    Section(
                        "The Model's Recommendations", captured(shown.recommendations if shown else None)
                    ),
                ),
            ),
            Section("Persona Prompt", (_persona(persona or c.persona),)),
            provenance_section(provenance_of(summary)),
        ),
    )


def _company(c: ConfigurationSummary, summary: SweepSummary) -> tuple[tuple[str, str], ...]:
    """Whether it ran alone or with others; of an agent that knows no others nothing is said."""
    if c.agents == 1:
        return (("Measured", "alone, to compare with"),)
    others = [
        agent
        for pair in summary.pair_configurations
        if pair.config == c.config and c.agent in pair.agents
        for agent in pair.agents
        if agent != c.agent
    ]
    return (("Measured", f"at the same time as {', '.join(others)}"),) if others else ()


def _title(agent: str) -> str:
    """An agent that is called as the tool is not named twice."""
    return "Chimera Agent" if agent.lower() == "chimera" else f"Chimera Agent {agent}"


def _findings(c: ConfigurationSummary, found: Sequence[Finding]) -> Iterator[Block]:
    """This configuration's own apart from those of the sweep: they speak of others too."""
    alone = [finding for finding in found if set(finding.configurations) == {c.config}]
    shared = [finding for finding in found if set(finding.configurations) != {c.config}]
    yield from _without_advice(alone)
    if shared:
        blocks = tuple(_without_advice(shared))
        yield Section("Findings of the Sweep About This and Other Configurations", blocks)


def _without_advice(found: Sequence[Finding]) -> Iterator[Block]:
    """What to do stands under Recommendations, once."""
    for block in findings_blocks([finding.model_copy(update={"advice": ""}) for finding in found]):
        if isinstance(block, Bullets):
            block = Bullets(tuple(replace(item, text=item.text.rstrip()) for item in block.items))
        yield block


def _advice(found: Sequence[Finding]) -> Block:
    """By the rules, of what concerns this configuration; the same advice once."""
    labels: dict[str, list[str]] = {}
    for finding in found:
        labels.setdefault(finding.advice, []).append(title(finding))
    if not labels:
        return Paragraph("Chimera's rules have no advice for this configuration.")
    return Bullets(tuple(Bullet(text, ", ".join(dict.fromkeys(names))) for text, names in labels.items()))


def _header(c: ConfigurationSummary, summary: SweepSummary) -> Lines:
    parameters = (
        f"{c.config} (parameters not recorded)" if c.parameters is None else describe_parameters(c.parameters)
    )
    return Lines(
        (
            ("Date", NOT_RECORDED if c.ended_at is None else f"{c.ended_at:%Y-%m-%d}"),
            ("Agent Type", _title(c.agent)),
            *_company(c, summary),
            ("Model", c.model or NOT_RECORDED),
            ("Configuration", parameters),
        )
    )


def _metrics(c: ConfigurationSummary) -> tuple[Block, ...]:
    """The seed's seven figures, of the run that is shown; then over all runs. Of loads those of each run and over them."""
    if c.shown is None:
        return (_NO_RUN,)
    if c.is_load:
        return load_runs_sections(c) or (_NO_RUN,)
    run = c.shown.run
    calls = [call for call in c.calls if call.run == run and call.valid]
    of_run = sum(call.run == run for call in c.calls)
    over = c.over_runs
    return (
        Paragraph(
            f"Of run {run}, {len(calls)} of {of_run} calls valid: means of rate and TTFT, sums of the rest."
        ),
        Bullets(tuple(_figures(calls))),
        Paragraph("Over all complete runs, with 95 % intervals:"),
        Bullets(
            (
                Bullet(f"Throughput: {_over_runs(over.throughput_tok_s, 'tok/s')}"),
                Bullet(f"TTFT, no cold calls: {_over_runs(over.ttft_ms, 'ms')}"),
            )
        ),
    )


def _over_runs(described: Description, unit: str) -> str:
    n = f" (n = {described.n})" if described.n != 1 else ""
    return f"{mean_interval(described, unit)}{n}"


def _figures(calls: list[Call]) -> list[Bullet]:
    def total(name: str) -> str:
        return value(total_float([getattr(call, name) for call in calls]), "ms")

    throughput = estimate(call.throughput_tok_s for call in calls).mean
    ttft = estimate(call.ttft_ms for call in calls).mean
    return [
        Bullet(f"Throughput: {value(throughput, 'tok/s')}"),
        Bullet(f"TTFT: {value(ttft, 'ms')}"),
        Bullet(f"Total Duration: {total('duration_ms')}"),
        Bullet(f"Tokens Generated: {count(total_count([call.tokens for call in calls]))}"),
        Bullet(f"Prompt Eval: {total('prompt_eval_ms')}"),
        Bullet(f"Eval Duration: {total('eval_ms')}"),
        Bullet(f"Load Duration: {total('load_ms')}"),
    ]


def _persona(persona: str | None) -> Block:
    if persona is None:
        return Paragraph(
            "The persona is not recorded: this agent was given none, or its workload keeps none."
        )
    return Verbatim(persona)
