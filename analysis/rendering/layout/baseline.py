"""Every configuration against the baseline: what was shown, what was not, and what could have been."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import get_args

from analysis.comparisons import RULE
from analysis.findings.phrases import MOST_DETECTABLE, several_agents, some
from analysis.formatting import two_digits
from analysis.metrics import BY_KEY, METRICS
from analysis.models import Comparison, SweepSummary, Verdict
from analysis.rendering.document import Block, Paragraph, Row, Section, Table
from analysis.rendering.layout.table_of_configurations import percent_text
from analysis.rendering.layout.words import configuration_anchor
from analysis.rendering.numbers import ABSENT, decimals, ends, p_value, signed

_MOST = 200
_VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


def baseline_section(summary: SweepSummary) -> tuple[Section, ...]:
    """Return the section, or nothing where nothing was compared."""
    if summary.baseline is None or not summary.comparisons:
        return ()
    return (
        Section(
            "Comparisons with the Baseline", tuple(_blocks(summary, summary.baseline)), anchor="comparisons"
        ),
    )


def comparison_row(c: Comparison, anchor: str = "", agent: bool = False) -> Row:
    """One line of :func:`comparison_header`."""
    metric = BY_KEY[c.metric]
    within = "" if c.difference_interval is None else f" ({ends(c.difference_interval)})"
    cells = (
        c.candidate,
        *((c.agent,) if agent else ()),
        f"{metric.title} ({metric.unit})",
        _mean(c.baseline_mean, c.n_baseline, c),
        _mean(c.candidate_mean, c.n_candidate, c),
        ABSENT if c.difference is None else f"{signed(c.difference, c.difference_interval)}{within}",
        percent_text(c),
        p_value(c.p_holm if c.p_holm is not None else c.p),
        f"{c.verdict}: {c.why}" if c.why else c.verdict,
        _detectable(c),
    )
    blanks = (None,) * (2 + agent)
    return Row(
        cells,
        anchor=anchor,
        sort=(
            *blanks,
            c.baseline_mean,
            c.candidate_mean,
            c.difference,
            c.percent,
            c.p_holm,
            None,
            c.detectable_percent,
        ),
        facets=(metric.title, c.verdict),
    )


def comparison_header(agent: bool = False) -> tuple[str, ...]:
    return (
        *("Configuration", *(("Agent",) if agent else ()), "Metric", "Baseline", "Candidate"),
        *("Difference", "Difference (%)", "p, adjusted", "Verdict", "Smallest that would have been shown"),
    )


def _detectable(c: Comparison) -> str:
    if c.detectable_percent is None:
        return ABSENT
    if c.detectable_percent > MOST_DETECTABLE:
        return f"> {MOST_DETECTABLE} %"
    return f"{two_digits(c.detectable_percent)} %"


def _blocks(summary: SweepSummary, baseline: str) -> Iterator[Block]:
    several = several_agents(summary.configurations)
    yield Paragraph(f"Baseline: {baseline}. {RULE}")
    yield _counts(summary.comparisons)
    places = {(c.config, c.agent): index for index, c in enumerate(summary.configurations)}
    alike = _not_compared(summary.comparisons)
    folded = {id(c) for of_one in alike.values() for c in of_one}
    rest = [c for c in summary.comparisons if id(c) not in folded]
    shown = _most_telling(rest)
    rows = tuple(
        comparison_row(c, configuration_anchor(places[c.candidate, c.agent]), several) for c in shown
    )
    align = "l" + "l" * several + "lrrrrrlr"
    if rows:
        yield Table(
            comparison_header(several),
            align,
            rows,
            interactive=True,
            facets=("Metric", "Verdict"),
            label="Comparisons with the baseline",
        )
    for why, of_one in alike.items():
        yield Paragraph(_folded(why, of_one))
    if len(shown) < len(rest):
        yield Paragraph(
            f"Shown are differences first, the largest of them first; {len(rest) - len(shown)} more comparisons are in "
            "summary.json."
        )
    yield Paragraph(_READ)


_READ = (
    "In brackets: 95 % intervals. The last column is the smallest true difference that these runs would have shown with a "
    "probability of 80 %: where no difference is shown, a larger one is improbable, and a smaller one may be there."
)


def _not_compared(comparisons: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """Reason → comparisons that were not made, where several share it: their rows would all say the same."""
    by_why: dict[str, list[Comparison]] = {}
    for c in comparisons:
        if c.verdict == "not compared" and c.why:
            by_why.setdefault(c.why, []).append(c)
    return {why: found for why, found in by_why.items() if len(found) > 1}


def _folded(why: str, found: Sequence[Comparison]) -> str:
    by_metric: dict[str, list[str]] = {}
    for c in found:
        by_metric.setdefault(BY_KEY[c.metric].title, []).append(c.candidate)
    named = "; ".join(f"{metric} of {some(names)}" for metric, names in by_metric.items())
    return f"Not compared ({len(found)}): {named}: {why}."


def _counts(comparisons: Sequence[Comparison]) -> Table:
    """Metric → how many comparisons came to which verdict."""
    counts = Counter((c.metric, c.verdict) for c in comparisons)
    verdicts = [verdict for verdict in _VERDICTS if any((m.key, verdict) in counts for m in METRICS)]
    rows = tuple(
        Row((metric.title, *(str(counts[metric.key, verdict]) for verdict in verdicts)))
        for metric in METRICS
        if any((metric.key, verdict) in counts for verdict in verdicts)
    )
    return Table(("Metric", *verdicts), "l" + "r" * len(verdicts), rows)


def _most_telling(comparisons: Sequence[Comparison]) -> Sequence[Comparison]:
    """As they stand where there are few; of many, differences first, by size."""
    if len(comparisons) <= _MOST:
        return comparisons
    return sorted(comparisons, key=lambda c: (c.verdict not in ("better", "worse"), -abs(c.percent or 0.0)))[
        :_MOST
    ]


def _mean(mean: float | None, n: int, c: Comparison) -> str:
    """With the decimals of the difference."""
    return ABSENT if mean is None else f"{mean:.{decimals(c.difference_interval)}f} ({n_words(n, c)})"


def n_words(n: int, c: Comparison) -> str:
    """``n = 5``; of loads, which are no runs, ``n = 3 loads``."""
    return f"n = {n}" if c.unit == "run" else f"n = {n} loads"
