"""The table of all configurations: rank, parameters, figures with intervals, comparison, outcomes."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.comparisons import ALPHA
from analysis.findings.phrases import several_agents
from analysis.metrics import ENERGY, THROUGHPUT, TTFT, UNGROUNDED, Metric
from analysis.models import Comparison, ConfigurationSummary, Ranked, SweepSummary
from analysis.rendering.document import Row, Table
from analysis.rendering.layout.words import (
    configuration_anchor,
    outcome_counts,
    parameter_value,
    runs_text,
)
from analysis.rendering.numbers import (
    ABSENT,
    count,
    ends,
    mean_interval,
    percent,
    signed,
)
from analysis.verdicts import same_mean
from contracts.configuration import PARAMETER_NAMES

_Cell = tuple[str, float | None]
"""As printed; to sort by."""


def configurations_table(summary: SweepSummary) -> Table:
    """One row a configuration, in the order of the ranking; 95 % intervals."""
    places = {(c.config, c.agent): index for index, c in enumerate(summary.configurations)}
    axes = swept(summary.configurations)
    agents = ("Agent",) if several_agents(summary.configurations) else ()
    extra = [metric for metric in (ENERGY, UNGROUNDED) if _is_known(summary, metric)]
    compared = summary.baseline is not None and bool(summary.comparisons)
    against = {(c.candidate, c.agent): c for c in summary.comparisons if c.metric == THROUGHPUT.key}
    header = (
        *("Rank", "Configuration", "Throughput (tok/s)", "CV", "TTFT (ms)", *agents),
        *(f"{metric.title} ({metric.unit})" for metric in extra),
        *(("Throughput against the baseline", "Verdict") if compared else ()),
        *("Throughput against the first", *axes, "Runs complete", "Calls by outcome"),
    )
    align = "rlrrr" + "l" * len(agents) + "r" * len(extra) + "rl" * compared + "l" + "r" * len(axes) + "rl"
    rows = []
    for entry in summary.ranking:
        index = places[entry.config, entry.agent]
        c = summary.configurations[index]
        values = [_axis(c, axis) for axis in axes]
        cells: list[_Cell] = [
            (count(entry.rank), entry.rank),
            (c.config, None),
            _mean(c, THROUGHPUT),
            (percent(c.over_runs.throughput_tok_s.cv), c.over_runs.throughput_tok_s.cv),
            _mean(c, TTFT),
            *((c.agent, None) for _ in agents),
            *(_mean(c, metric) for metric in extra),
            *(_baseline(c, against.get((c.config, c.agent)), summary) if compared else ()),
            (_first(entry, summary.ranking[0], _set_back(summary)), None),
            *values,
            (runs_text(c), c.runs_complete),
            (outcome_counts(c), None),
        ]
        rows.append(
            Row(
                tuple(text for text, _ in cells),
                tone="muted" if entry.rank is None else "bad" if c.degenerate_calls else "",
                anchor=configuration_anchor(index),
                sort=tuple(sort for _, sort in cells),
                facets=(*(text for text, _ in values), *(c.agent for _ in agents)),
            )
        )
    return Table(
        header,
        align,
        tuple(rows),
        link_column=1,
        interactive=True,
        facets=(*axes, *agents),
        label="Configurations",
    )


def swept(configurations: Sequence[ConfigurationSummary]) -> tuple[str, ...]:
    """Names of the axes: what differs between configurations."""
    names = []
    if len({c.model for c in configurations}) > 1:
        names.append("model")
    known = [c.parameters for c in configurations if c.parameters is not None]
    return (*names, *(name for name in PARAMETER_NAMES if len({p.get(name) for p in known}) > 1))


def _is_known(summary: SweepSummary, metric: Metric) -> bool:
    return any(c.over_runs.of(metric.key).n for c in summary.configurations)


def _axis(c: ConfigurationSummary, axis: str) -> _Cell:
    if axis == "model":
        return c.model or ABSENT, None
    if c.parameters is None:
        return ABSENT, None
    value = c.parameters.get(axis)
    return parameter_value(value), value


def _mean(c: ConfigurationSummary, metric: Metric) -> _Cell:
    described = c.over_runs.of(metric.key)
    return mean_interval(described), described.mean


def _baseline(
    c: ConfigurationSummary, comparison: Comparison | None, summary: SweepSummary
) -> tuple[_Cell, _Cell]:
    if c.config == summary.baseline:
        return ("baseline", 0.0), (ABSENT, None)
    if comparison is None:
        return (ABSENT, None), (ABSENT, None)
    return (percent_text(comparison), comparison.percent), (comparison.verdict, None)


def percent_text(comparison: Comparison) -> str:
    """``+12.3 % (11.8 to 12.9)``."""
    if comparison.percent is None:
        return ABSENT
    interval = comparison.percent_interval
    within = "" if interval is None else f" ({ends(interval)})"
    return f"{signed(comparison.percent, interval)} %{within}"


def _set_back(summary: SweepSummary) -> bool:
    clean_first = summary.ranking_rule == "clean-first"
    return clean_first and any(not entry.degenerate_calls for entry in summary.ranking[:1])


def _first(entry: Ranked, first: Ranked, set_back: bool) -> str:
    """What can be said of it; of one that is set back for its answers only that."""
    difference = _difference(entry, first)
    if entry.why is None:
        return difference
    return entry.why if set_back or difference == ABSENT else f"{difference}; {entry.why}"


def _difference(entry: Ranked, first: Ranked) -> str:
    if entry.rank == 1:
        return "first"
    if entry.comparison is not None and same_mean(first, entry):
        return "same mean"
    if entry.below_floor:
        return "none: below the floor"
    comparison = entry.comparison
    if comparison is None:
        return ABSENT
    if comparison.verdict == "worse":
        return f"slower, {percent_text(comparison)}"
    return comparison.verdict


MEANING = (
    "Means over complete runs, TTFT without calls known to be cold; ± and the ends in brackets are 95 % intervals. Verdicts rest on p after Holm's correction over all "
    f"comparisons of this report, at {ALPHA:g}."
)
