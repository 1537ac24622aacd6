"""Whether configurations were asked for the same work."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.findings.phrases import configs, first_of, mention, several_agents
from analysis.models import ConfigurationSummary, Finding, SweepSummary

PROMPTS_DIFFER = 0.02
"""Relative difference of median prompt lengths; a template's few tokens stay below it."""


def prompts_differ(summary: SweepSummary) -> Iterator[Finding]:
    """TTFT holds the prompt's processing, so that it compares only equal prompts. Agents and models are kept apart."""
    groups: dict[tuple[str, str | None, str], list[tuple[float, ConfigurationSummary]]] = {}
    for c in summary.configurations:
        if c.is_load:
            continue  # prompts of a load are drawn; which are counted depends on the load
        for stage, length in c.prompt_tokens.items():
            groups.setdefault((c.agent, c.model, stage), []).append((length, c))
    several = several_agents(summary.configurations)
    evidence, concerned = [], []
    for (_, _, stage), found in groups.items():
        low, high = min(found, key=lambda f: f[0]), max(found, key=lambda f: f[0])
        if low[0] > 0 and high[0] / low[0] - 1 > PROMPTS_DIFFER:
            evidence.append(
                f"{stage}: median {low[0]:g} tokens in {mention(low[1], several)}, {high[0]:g} in {mention(high[1], several)}"
            )
            concerned += [c for _, c in found]
    if evidence:
        yield Finding(
            rule="prompts-differ",
            severity="warning",
            text="prompts are not of one length in all configurations: their TTFT and prompt eval are not of the same work",
            evidence=first_of(evidence),
            advice="Compare TTFT only between configurations with equal prompts, or per prompt token. Look why they differ: a context "
            "that cuts them (num_ctx), a prompt cache that hides a part (server.prompt_cache: false), or a stage that is given "
            "the answer of the one before.",
            configurations=configs(concerned),
        )
