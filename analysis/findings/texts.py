"""What the models wrote: figures that the data contradict."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.findings.phrases import configs, first_of, mention, several_agents, share
from analysis.formatting import plural
from analysis.models import ConfigurationSummary, Finding, SweepSummary

_QUOTED = 3


def ungrounded(summary: SweepSummary) -> Iterator[Finding]:
    found = [
        (c, rate)
        for c in summary.configurations
        if (rate := c.grounding) is not None and rate.figures and rate.contradicted + rate.not_found
    ]
    if not found:
        return
    several = several_agents(summary.configurations)
    figures = sum(rate.figures for _, rate in found)
    contradicted = sum(rate.contradicted for _, rate in found)
    missing = sum(rate.not_found for _, rate in found)
    found.sort(key=lambda entry: -entry[1].contradicted / entry[1].figures)
    yield Finding(
        rule="ungrounded-text",
        severity="warning" if contradicted else "note",
        text=f"of {plural(figures, 'figure')} in the models' texts the data contradict {contradicted} ({share(contradicted / figures)}) and "
        f"don't hold {missing} ({share(missing / figures)})",
        evidence=first_of(
            [
                f"{mention(c, several)}: {rate.contradicted} contradicted, {rate.not_found} not found, of {rate.figures}{_examples(c)}"
                for c, rate in found
            ]
        ),
        advice="Quote no figure of these texts: the tables of this report are measured. The marks in the texts show each one; "
        "chimera ground TEXT.md --paths DIR checks any other text.",
        configurations=configs(c for c, _ in found),
    )


def _examples(c: ConfigurationSummary) -> str:
    wrong = dict.fromkeys(
        f"{figure.figure} for {figure.truth}"
        for text in c.groundings
        for figure in text.figures
        if figure.verdict == "contradicted" and figure.truth is not None
    )
    return f" ({', '.join(list(wrong)[:_QUOTED])})" if wrong else ""
