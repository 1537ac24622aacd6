"""The report's own Key Findings and Recommendations: what the rules say, each thing once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.findings import is_answer
from analysis.findings.answers import BEST, MATTERS, against_baseline, best_means, cold_unknown
from analysis.findings.phrases import mention, several_agents
from analysis.findings.titles import title
from analysis.metrics import TTFT
from analysis.models import Finding, SweepSummary
from analysis.rendering.document import Block, Bullet, Bullets, Paragraph, Row, Section, Table
from analysis.rendering.layout.table_of_configurations import percent_text
from analysis.rendering.layout.words import configuration_anchor
from analysis.rendering.numbers import ABSENT, mean_interval, p_value

_OWN = "By Chimera's rules, from the measured figures; no model wrote or judged them."


def key_findings_section(summary: SweepSummary) -> Section:
    """The answers first, then what to distrust."""
    matters = _what_matters(summary)
    return Section(
        "Key Findings",
        (
            Paragraph(_OWN),
            Section("Best Configurations", tuple(_best(summary))),
            *((Section("What Matters", (_bullets(matters),)),) if matters else ()),
            Section("What to Distrust", tuple(_distrust(summary))),
        ),
    )


_NOT_OF_THE_SAME_WORK = "prompts-differ"


def _what_matters(summary: SweepSummary) -> list[Finding]:
    """The answers on axes; what makes TTFT incomparable stands before what matters for it."""
    found = [f for f in summary.findings if is_answer(f) and not f.rule.startswith(BEST)]
    of_ttft = next((i for i, f in enumerate(found) if f.rule == f"{MATTERS}:{TTFT.short}"), None)
    before = [f for f in summary.findings if f.rule == _NOT_OF_THE_SAME_WORK]
    return found if of_ttft is None else [*found[:of_ttft], *before, *found[of_ttft:]]


def recommendations_section(summary: SweepSummary) -> tuple[Section, ...]:
    """What to do next, in the order of the findings: the gravest first. Nothing where nothing is found.

    The advice of what is only noted stands folded with the note.
    """
    bullets = _advices(f for f in summary.findings if f.severity != "note" or is_answer(f))
    return (Section("Recommendations", (Bullets(bullets),)),) if bullets else ()


def findings_of(summary: SweepSummary, config: str) -> tuple[Finding, ...]:
    """What concerns one configuration by name, and is no answer."""
    return tuple(f for f in summary.findings if config in f.configurations and not is_answer(f))


def findings_blocks(found: Sequence[Finding]) -> tuple[Block, ...]:
    """Findings of one configuration, with advice beside each: there is no other place for it."""
    if not found:
        return (Paragraph("Nothing that the rules know of."),)
    items = tuple(
        Bullet(f"{_sentence(finding)}. {finding.advice}", title(finding), finding.evidence)
        for finding in found
    )
    return (Paragraph(_OWN), Bullets(items))


def _best(summary: SweepSummary) -> Iterable[Block]:
    """In a table what the findings of the best say in words."""
    yield Paragraph(summary.verdict)
    yield from _best_table(summary)
    if summary.ttft_verdict is not None:
        yield Paragraph(summary.ttft_verdict)
    if any(metric == TTFT and cold_unknown(c) for metric, c in best_means(summary)):
        yield Paragraph(
            "TTFT: whether the calls behind its best mean were cold or warm is not known, so that loads may be in it."
        )


def _best_table(summary: SweepSummary) -> Iterable[Table]:
    places = {(c.config, c.agent): index for index, c in enumerate(summary.configurations)}
    several = several_agents(summary.configurations)
    rows = []
    for metric, c in best_means(summary):
        found = against_baseline(summary, c, metric)
        described = c.over_runs.of(metric.key)
        baseline = "is the baseline" if c.config == summary.baseline else ABSENT
        rows.append(
            Row(
                (
                    metric.title,
                    mention(c, several),
                    mean_interval(described, metric.unit),
                    str(described.n),
                    baseline if found is None else percent_text(found),
                    ABSENT if found is None else p_value(found.p_holm),
                    ABSENT if found is None else found.verdict,
                ),
                anchor=configuration_anchor(places[c.config, c.agent]),
            )
        )
    if rows:
        header = (
            *("Metric", "Best mean", "Mean, 95 % interval", "Runs"),
            *("Against the baseline", "p, adjusted", "Verdict"),
        )
        yield Table(header, "llrrrrl", tuple(rows), link_column=1, label="Best means")


def _bullets(found: Sequence[Finding]) -> Bullets:
    return Bullets(
        tuple(
            Bullet(f"{_sentence(finding)}.", evidence=finding.evidence)
            if is_answer(finding)
            else _graded(finding)
            for finding in found
        )
    )


def _distrust(summary: SweepSummary) -> Iterable[Block]:
    """What is grave in a box of its own; what is good to know below it."""
    above = _what_matters(summary)
    found = [finding for finding in summary.findings if not is_answer(finding) and finding not in above]
    if not found and summary.warnings:  # a summary of before there were findings
        yield Bullets(tuple(Bullet(text) for text in summary.warnings), tone="warning")
        return
    grave = [finding for finding in found if finding.severity != "note"]
    notes = [finding for finding in found if finding.severity == "note"]
    if grave:
        yield Bullets(tuple(_graded(finding) for finding in grave), tone="warning")
    if notes:
        yield Bullets(tuple(_graded(finding) for finding in notes))
    if not found:
        yield Paragraph("Nothing that the rules know of.")


def _graded(finding: Finding) -> Bullet:
    label = f"{finding.severity.capitalize()}, {title(finding)}"
    advice = (f"What to do: {finding.advice.rstrip('.')}",) if finding.severity == "note" else ()
    return Bullet(f"{_sentence(finding)}.", label, (*finding.evidence, *advice))


def _sentence(finding: Finding) -> str:
    """The text with a capital letter, unless it begins with the name of a configuration."""
    text = finding.text.rstrip(".")
    if text.startswith(finding.configurations):
        return text
    return f"{text[:1].upper()}{text[1:]}"


def _advices(found: Iterable[Finding]) -> tuple[Bullet, ...]:
    labels: dict[str, list[str]] = {}
    for finding in found:
        labels.setdefault(finding.advice, []).append(title(finding))
    return tuple(Bullet(advice, ", ".join(dict.fromkeys(names))) for advice, names in labels.items())
