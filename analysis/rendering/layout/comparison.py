"""Two results against each other → document: baseline | candidate | difference with its interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from analysis import floor as floor_words
from analysis.compare import conditions, gates, matching
from analysis.compare.answer import answer
from analysis.compare.models import ComparisonOfResults, Gate, Unmatched
from analysis.formatting import ABSENT, MINUS, decimals, ends, p_value, plural, signed, two_digits, utc
from analysis.metrics import BY_KEY
from analysis.models import Comparison, Verdict
from analysis.rendering.document import (
    Block,
    Bullet,
    Bullets,
    Document,
    Lines,
    Paragraph,
    Row,
    Section,
    Table,
    Tone,
)
from analysis.rendering.layout.baseline import n_words
from analysis.rendering.layout.provenance import NOT_KNOWN, provenance_section
from analysis.rendering.layout.tables import Column, sparse_table
from analysis.statistics.interval import Interval

_NO_TEST = "No test was made, so no difference is claimed."
_MOST_VALUES = 6
_MOST_ALONE = 100


@dataclass(frozen=True)
class ComparisonRow:
    """One comparison as people read it."""

    configuration: str
    agent: str
    metric: str
    """With its unit."""
    baseline: str
    candidate: str
    difference: str
    percent: str
    p: str
    verdict: str
    why: str
    tone: Tone


def comparison_document(result: ComparisonOfResults) -> Document:
    """Return the comparison report."""
    return Document(
        title=f"Chimera Comparison: {result.baseline.title} and {result.candidate.title}",
        blocks=(
            Section("Overview", (_header(result), *_answer(result)), anchor="overview"),
            *_distrust(result),
            *_comparisons(result),
            _conditions(result),
            *_alone(result),
            provenance_section(result.baseline, "Provenance of the Baseline", "baseline"),
            provenance_section(result.candidate, "Provenance of the Candidate", "candidate"),
            _rules(result),
        ),
    )


def comparison_rows(result: ComparisonOfResults) -> list[ComparisonRow]:
    """Return every comparison, in the baseline's order of configurations."""
    regressions = {
        (gate.threshold.metric, found.agent, found.baseline)
        for gate in result.gates
        for found in gate.regressions
    }
    return [_row(c, (c.metric, c.agent, c.baseline) in regressions) for c in result.comparisons]


def summary_sentences(result: ComparisonOfResults) -> list[str]:
    """Return the answer in words: what differs, the verdicts counted, and what became of each ``--fail-on``."""
    if not result.comparable:
        return [f"Not comparable: {why}." for why in result.why_not]
    counts = Counter(c.verdict for c in result.comparisons)
    told = [f"{verdict} {counts[verdict]}" for verdict in get_args(Verdict) if counts[verdict]]
    if not told or result.untested is not None:
        return [answer(result), *(_gate_sentence(gate) for gate in result.gates)]
    matched = plural(len(result.matched), "configuration")
    return [
        answer(result),
        f"{plural(len(result.comparisons), 'comparison')} of {matched}: {', '.join(told)}.",
        *(_gate_sentence(gate) for gate in result.gates),
    ]


def method_line(result: ComparisonOfResults) -> str:
    """Return what a table needs beside it; :func:`method_sentences` says the rest."""
    if not result.tests:
        return _NO_TEST
    return (
        f"Means of complete runs; family of {plural(result.tests, 'test')}, p corrected over all of them (Holm); "
        "whatever else changed between the two results is in the difference too."
    )


def method_sentences(result: ComparisonOfResults) -> list[str]:
    """Return how the table's p, intervals and verdicts were made, and what they can't tell."""
    return [
        "Figures are means of complete runs; the run is the unit. Differences are candidate − baseline, tested by "
        "Welch's t test: runs of two results are no pairs. The spread of few runs is raised towards the typical one of "
        "both results where it is below it. Each interval is a 95 % interval of its own difference alone.",
        _NO_TEST
        if not result.tests
        else f"Family of {plural(result.tests, 'test')}: p is corrected over all of them (Holm). A difference is claimed "
        "where that p is below 0.05 and the difference is not below the measurement floor. Where none is shown, the "
        "smallest true difference is told that as many runs would have shown with a probability of 80 %.",
        *_looks(result),
        "Two results are two occasions: whatever else changed between them, the machine's state among it, is in the "
        "difference too, and runs can't tell it apart. Repeating both results, or measuring both in the blocks of one "
        "sweep, can.",
    ]


def _looks(result: ComparisonOfResults) -> Iterator[str]:
    looks = max((c.looks for c in result.comparisons if c.looks is not None), default=None)
    if looks is not None:
        yield (
            "How many runs there are was decided by looking at them: p, intervals and what would have been shown allow "
            f"for every look at up to {looks} runs, and are so much wider."
        )


def _header(result: ComparisonOfResults) -> Lines:
    sides = (("Baseline", result.baseline), ("Candidate", result.candidate))
    by = f", by chimera-bench {result.chimera}" if result.chimera else ""
    return Lines(
        (
            *((label, f"{p.title}, measured {utc(p.created_at)}") for label, p in sides),
            ("Compared", f"{utc(result.made_at)}{by}"),
            ("Name", result.name),
            ("Command", result.command or NOT_KNOWN),
        )
    )


def _answer(result: ComparisonOfResults) -> Iterator[Block]:
    for sentence in summary_sentences(result):
        yield Paragraph(sentence)
    found = [(gate, r) for gate in result.gates for r in gate.regressions]
    if found:
        items = []
        for gate, r in found:
            c = next(
                c
                for c in result.comparisons
                if (c.metric, c.agent, c.baseline) == (gate.threshold.metric, r.agent, r.baseline)
            )
            row = _row(c, True)
            beyond = {
                True: "its whole interval is beyond the threshold",
                False: "its interval reaches back across the threshold",
                None: "without an interval in per cent",
            }[r.whole_interval]
            items.append(
                Bullet(
                    f"{row.metric}: {row.percent} %, {row.baseline} → {row.candidate}; {beyond}",
                    row.configuration,
                )
            )
        yield Section("Regressions", (Bullets(tuple(items), tone="warning"),))


def _distrust(result: ComparisonOfResults) -> Iterator[Section]:
    if result.warnings and result.comparable:
        items = tuple(Bullet(text) for text in result.warnings)
        yield Section("What to Distrust", (Bullets(items, tone="warning"),), anchor="distrust")


def _comparisons(result: ComparisonOfResults) -> Iterator[Section]:
    if not result.comparable:
        return
    rows = comparison_rows(result)
    several = len({row.agent for row in rows}) > 1
    columns = [
        Column("Configuration", "l", tuple(r.configuration for r in rows), keep=True),
        *([Column("Agent", "l", tuple(r.agent for r in rows), keep=True)] if several else []),
        Column("Metric", "l", tuple(r.metric for r in rows), keep=True),
        Column("Baseline", "r", tuple(r.baseline for r in rows)),
        Column("Candidate", "r", tuple(r.candidate for r in rows)),
        Column("Difference (95 % interval)", "r", tuple(r.difference for r in rows)),
        Column("Difference, % (95 % interval)", "r", tuple(r.percent for r in rows)),
        Column("p (Holm)", "r", tuple(r.p for r in rows)),
        Column("Verdict", "l", tuple(f"{r.verdict}{f': {r.why}' if r.why else ''}" for r in rows)),
    ]
    table = sparse_table(columns)
    if table is None:
        yield Section("Comparisons", (Paragraph("No figure is known of any matched configuration."),))
        return
    toned = Table(
        table.header,
        table.align,
        tuple(Row(row.cells, tone=r.tone) for row, r in zip(table.rows, rows, strict=True)),
    )
    words = tuple(Paragraph(sentence) for sentence in method_sentences(result))
    yield Section("Comparisons", (toned, *words), anchor="comparisons")


def _conditions(result: ComparisonOfResults) -> Section:
    rows = tuple(
        Row(
            (
                c.what,
                _state(c.state, c.allowed),
                _values(c.baseline),
                _values(c.candidate),
                c.allow or "may differ",
            ),
            tone="bad" if c.forbids else "" if c.state == "differs" else "muted",
        )
        for c in result.conditions
    )
    header = ("What", "State", "Baseline", "Candidate", "Name in --allow")
    return Section("Conditions", (Table(header, "lllll", rows),), anchor="conditions")


def _state(state: str, allowed: bool) -> str:
    return "differs, allowed" if allowed else state


def _values(values: tuple[str, ...]) -> str:
    more = f" and {len(values) - _MOST_VALUES} more" if len(values) > _MOST_VALUES else ""
    return "; ".join(values[:_MOST_VALUES]) + more if values else NOT_KNOWN


def _alone(result: ComparisonOfResults) -> Iterator[Section]:
    sides: tuple[tuple[str, tuple[Unmatched, ...]], ...] = (
        ("Baseline", result.only_baseline),
        ("Candidate", result.only_candidate),
    )
    rows = [Row((side, entry.config, entry.agent)) for side, names in sides for entry in names]
    if rows:
        blocks: list[Block] = [Table(("Only in", "Configuration", "Agent"), "lll", tuple(rows[:_MOST_ALONE]))]
        if len(rows) > _MOST_ALONE:
            blocks.append(Paragraph(f"… and {len(rows) - _MOST_ALONE} more: compare.json names them all."))
        yield Section("Not Compared", tuple(blocks))


def _rules(result: ComparisonOfResults) -> Section:
    texts = [("Comparable", conditions.RULE), ("Matching", matching.RULE)]
    if result.gates:
        texts.append(("Regression", gates.RULE))
    texts.append(("Measurement floor", f"{_floor(result)} {floor_words.RULE}"))
    return Section("Rules", (Bullets(tuple(Bullet(text, label) for label, text in texts)),), anchor="rules")


def _floor(result: ComparisonOfResults) -> str:
    if result.floor is None:
        return "Not known of either result."
    return (
        f"The larger one of both results: TTFT {result.floor.ttft_ms:.2f} ms, rates measured by the client "
        f"{result.floor.rate_percent:.2f} %."
    )


def _gate_sentence(gate: Gate) -> str:
    text = gate.threshold.text
    if not gate.tested:
        return f"--fail-on {text}: could not be checked."
    checked = f"checked in {plural(gate.tested, 'configuration')}"
    return f"--fail-on {text}: {plural(len(gate.regressions), 'regression')}, {checked}."


def _row(c: Comparison, regression: bool) -> ComparisonRow:
    metric = BY_KEY[c.metric]
    verdict = f"{c.verdict}, regression" if regression else c.verdict
    return ComparisonRow(
        configuration=c.baseline if c.baseline == c.candidate else f"{c.baseline} → {c.candidate}",
        agent=c.agent,
        metric=f"{metric.title} ({metric.unit})",
        baseline=_mean(c.baseline_mean, n_words(c.n_baseline, c), c.difference_interval),
        candidate=_mean(c.candidate_mean, n_words(c.n_candidate, c), c.difference_interval),
        difference=_with_ends(c.difference, c.difference_interval),
        percent=_with_ends(c.percent, c.percent_interval),
        p=p_value(c.p_holm),
        verdict=verdict,
        why=_why(c, metric.unit),
        tone="bad" if c.verdict == "worse" else "" if c.verdict == "better" else "muted",
    )


def _mean(mean: float | None, n: str, interval: Interval | None) -> str:
    if mean is None:
        return ABSENT
    shown = _four_digits(mean) if interval is None else f"{mean:.{decimals(interval)}f}"
    return f"{shown} ({n})"


def _with_ends(number: float | None, interval: Interval | None) -> str:
    if number is None:
        return ABSENT
    if interval is None:
        return f"{'+' if number >= 0 else MINUS}{_four_digits(abs(number))}"
    return f"{signed(number, interval)} ({ends(interval)})"


def _four_digits(number: float) -> str:
    """``21227``, ``96.69``, ``0.003125``: where no interval tells what digits mean anything."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    return f"{number:.{min(max(3 - math.floor(math.log10(abs(number))), 0), 9)}f}"


def _why(c: Comparison, unit: str) -> str:
    parts = [c.why] if c.why else []
    if c.verdict == "no difference shown" and c.detectable_percent is not None:
        parts.append(f"{two_digits(c.detectable_percent)} % would have been shown")
    if c.verdict == "below the floor" and c.floor is not None:
        parts.append(f"floor {c.floor:.2g} {unit}")
    return "; ".join(parts)
