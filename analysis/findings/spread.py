"""How well runs reproduce: too few, wide, unstable, bimodal, drifting; outliers; what could not be told."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.findings.phrases import configs, first_of, mention, several_agents, share
from analysis.findings.planning import runs_for_interval
from analysis.formatting import mean_interval, p_words, plural, signed, two_digits
from analysis.metrics import BY_KEY, THROUGHPUT, TTFT, Metric
from analysis.models import ConfigurationSummary, Finding, Severity, SweepSummary, Trend
from analysis.samples import sample
from analysis.statistics.description import Description

FEW_RUNS = 3
HALF_WIDTH = 0.05
"""Wanted half-width of the 95 % interval, as a fraction of the mean."""
CV_LIMITS = {THROUGHPUT.key: 0.05, TTFT.key: 0.2}
"""Rules of thumb: greedy and sampled decoding on one idle GPU repeats within 1 %, warm TTFT within some per cent."""
MANY_MORE = 100
"""Runs to come, from which more of them are no plan."""
BIMODAL_FROM = 10
BIMODAL_GAP = 0.5
BIMODAL_SIDE = 0.25
BIMODAL_RANGE = 0.02
_KEEP_STILL = (
    "Look at the runs over time and at the conditions of the fast and the slow ones (telemetry, stages.jsonl); keep "
    "other work off host and GPU, fix the clocks (nvidia-smi --lock-gpu-clocks), and run the sweep anew."
)


def few_runs(summary: SweepSummary) -> Iterator[Finding]:
    found = [c for c in summary.configurations if c.over_runs.throughput_tok_s.n < FEW_RUNS]
    if not found:
        return
    several = several_agents(summary.configurations)
    lacking = [(c, c.over_runs.throughput_tok_s) for c in found]
    yield Finding(
        rule="few-runs",
        severity="warning",
        text=f"some configurations have fewer than {FEW_RUNS} complete runs: their ± says little",
        evidence=first_of(
            [f"{mention(c, several)}: {plural(d.n, 'complete run')}{_to_come(d)}" for c, d in lacking]
        ),
        advice=_to_more_runs(found),
        configurations=configs(found),
    )


def wide_intervals(summary: SweepSummary) -> Iterator[Finding]:
    several = several_agents(summary.configurations)
    for metric, severity in ((THROUGHPUT, "warning"), (TTFT, "note")):
        wide = [
            (width, c, c.over_runs.of(metric.key))
            for c in summary.configurations
            if (width := _half_width(c.over_runs.of(metric.key))) is not None and width > HALF_WIDTH
        ]
        wide = [entry for entry in wide if entry[2].n >= FEW_RUNS]
        if not wide:
            continue
        wide.sort(key=lambda entry: -entry[0])
        plans = [_more(d) for *_, d in wide]
        known = [plan for plan in plans if plan is not None]
        most = max(known) if len(known) == len(plans) else None
        yield Finding(
            rule=f"wide-interval-{metric.short}",
            severity=_severity(severity),
            text=f"{metric.title} is known to no better than ± {100 * HALF_WIDTH:.0f} % in "
            f"{plural(len(wide), 'configuration')}",
            evidence=first_of(
                [
                    f"{mention(c, several)}: {mean_interval(d, metric.unit)} (± {100 * width:.1f} %, n = {d.n}){_to_come(d)}"
                    for width, c, d in wide
                ]
            ),
            advice=_to_narrow(most, max(d.n for *_, d in wide), metric, _fixed([c for _, c, _ in wide])),
            configurations=configs(c for _, c, _ in wide),
        )


def unstable(summary: SweepSummary) -> Iterator[Finding]:
    several = several_agents(summary.configurations)
    for key, limit in CV_LIMITS.items():
        metric = BY_KEY[key]
        found = [
            (cv, c, d)
            for c in summary.configurations
            for d in [c.over_runs.of(key)]
            if d.n >= FEW_RUNS and (cv := d.cv) is not None and abs(cv) > limit and not _is_drawn(c)
        ]
        if not found:
            continue
        found.sort(key=lambda entry: -abs(entry[0]))
        yield Finding(
            rule=f"unstable-{metric.short}",
            severity="warning",
            text=f"{metric.title} does not reproduce in {plural(len(found), 'configuration')}: its CV over runs is above {100 * limit:g} %",
            evidence=first_of(
                [
                    f"{mention(c, several)}: CV {share(cv)} (n = {d.n}){_range(d, metric)}"
                    for cv, c, d in found
                ]
            ),
            advice=_KEEP_STILL,
            configurations=configs(c for _, c, _ in found),
        )


def _is_drawn(c: ConfigurationSummary) -> bool:
    """Whether arrivals or the load itself differ from run to run: of open loops, and of searches."""
    return any(step.rate is not None or step.step > 1 for run in c.over_runs.runs for step in run.steps)


def bimodal(summary: SweepSummary) -> Iterator[Finding]:
    """Two groups of runs with nothing between: a mean of them is a value that no run has."""
    several = several_agents(summary.configurations)
    for metric in (THROUGHPUT, TTFT):
        found = [
            (c, groups)
            for c in summary.configurations
            if (groups := two_groups(_values(c, metric))) is not None
        ]
        if found:
            yield Finding(
                rule=f"bimodal-{metric.short}",
                severity="warning",
                text=f"the runs of {plural(len(found), 'configuration')} fall into two groups of {metric.title}, with nothing "
                "between: their mean is a value that no run has",
                evidence=first_of(
                    [
                        f"{mention(c, several)}: {g.low_n} runs up to {g.low_max:.2f} and {g.high_n} from {g.high_min:.2f} {metric.unit}"
                        for c, g in found
                    ]
                ),
                advice="Look what the two groups differ in (slot, time, clocks, a second client of the server) and measure "
                "each apart; until then quote the two groups, not the mean.",
                configurations=configs(c for c, _ in found),
            )


@dataclass(frozen=True)
class Groups:
    """Two groups of values."""

    low_n: int
    low_max: float
    high_n: int
    high_min: float


def two_groups(values: Sequence[float]) -> Groups | None:
    """Return the groups if the largest gap between sorted values is more than half of their range.

    Each group must hold a quarter of the values, and the range must be 2 % of the mean. Normal and log-normal values
    do so by chance in 4 of 1,000 samples of 10 and in none of 20,000 of 30 (of 8, it would be in 32 of 1,000).
    """
    if len(values) < BIMODAL_FROM:
        return None
    ordered = np.sort(np.array(values, dtype=np.float64))
    span = float(ordered[-1] - ordered[0])
    if span <= BIMODAL_RANGE * abs(float(ordered.mean())):
        return None
    gaps = np.diff(ordered)
    cut = int(np.argmax(gaps)) + 1
    smaller = min(cut, len(ordered) - cut)
    if gaps[cut - 1] <= BIMODAL_GAP * span or smaller < BIMODAL_SIDE * len(ordered):
        return None
    return Groups(cut, float(ordered[cut - 1]), len(ordered) - cut, float(ordered[cut]))


def trends(summary: SweepSummary) -> Iterator[Finding]:
    several = several_agents(summary.configurations)
    found = [(c, entry) for c in summary.configurations for entry in c.trends if entry.trend.drifting]
    if found:
        yield Finding(
            rule="trend-over-runs",
            severity="warning",
            text=f"{plural(len({c.config for c, _ in found}), 'configuration')} changed from run to run: a mean over a trend depends on "
            "how long it was measured",
            evidence=first_of(
                [f"{mention(c, several)}: {_slope(BY_KEY[e.metric], e.trend, 'run')}" for c, e in found]
            ),
            advice="Warm up longer (warmup: N), wait until the GPU's temperature is steady, and look for throttling; then "
            "run the sweep anew.",
            configurations=configs(c for c, _ in found),
        )


def drift(summary: SweepSummary) -> Iterator[Finding]:
    found = [effects for effects in summary.main_effects if effects.drift and effects.drift.drifting]
    if found:
        yield Finding(
            rule="drift",
            severity="warning",
            text="the whole sweep drifted over time",
            evidence=first_of(
                [_slope(BY_KEY[e.metric], e.drift, "block") for e in found if e.drift is not None]
            ),
            advice="The blocks spread the drift over all configurations, so that comparisons paired by block hold; absolute "
            "figures do not. Warm the machine up before the sweep, and watch clocks and temperature.",
        )


def outliers(summary: SweepSummary) -> Iterator[Finding]:
    found = [(c, entry) for c in summary.configurations for entry in c.outliers]
    if not found:
        return
    several = several_agents(summary.configurations)
    runs = {(c.config, c.agent, entry.run) for c, entry in found}
    verb = "lies" if len(runs) == 1 else "lie"
    yield Finding(
        rule="outlier-runs",
        severity="note",
        text=f"{plural(len(runs), 'run')} {verb} outside Tukey's fences of {'its' if len(runs) == 1 else 'their'} configuration: flagged, and in every figure",
        evidence=first_of(
            [
                f"{mention(c, several)}, run {e.run}: {BY_KEY[e.metric].title} {e.value:.2f}, fences {e.low:.2f} to {e.high:.2f} {BY_KEY[e.metric].unit}"
                for c, e in found
            ]
        ),
        advice="Look at these runs (conditions, telemetry, what else ran). Don't drop them without a cause; where one is "
        "found, remove it and run the sweep anew. The median beside the mean tells how much they weigh.",
        configurations=configs(c for c, _ in found),
    )


def not_precise(summary: SweepSummary) -> Iterator[Finding]:
    several = several_agents(summary.configurations)
    found = [(c, p) for c in summary.configurations for p in c.precision if not p.reached]
    reasons = {(c.config, c.agent): _why_not_precise(c, summary) for c, _ in found}
    if found:
        yield Finding(
            rule="precision-not-reached",
            severity="warning",
            text=f"{len(reasons)} of {plural(len(summary.configurations), 'configuration')} did not reach the asked precision: "
            + "; ".join(f"{number} {why}" for why, number in Counter(reasons.values()).items()),
            evidence=first_of(
                [
                    f"{mention(c, several)}: {BY_KEY[p.metric].title} asked ± {p.target_percent:g} %, reached "
                    + (
                        "nothing: too few runs"
                        if p.reached_percent is None
                        else f"± {two_digits(p.reached_percent)} %"
                    )
                    for c, p in found
                ]
            ),
            advice=" ".join(_PRECISER[why] for why in dict.fromkeys(reasons.values())),
            configurations=configs(c for c, _ in found),
        )


_NONE_COMPLETE = "without enough complete runs"
_AT_MOST = "at the limit of runs"
_STOPPED = "when the sweep ended, before the limit of runs"
_PRECISER = {
    _NONE_COMPLETE: "Find out why runs failed (Excluded), then measure anew: more runs of the same kind would fail too.",
    _AT_MOST: "Raise runs.max in the sweep file and run it again, or ask for less; where a configuration is unstable, find the "
    "cause first.",
    _STOPPED: "Run the sweep again to go on where it ended (chimera run SWEEP.yaml), with more time or jobs allowed (max_time, "
    "max_jobs) where these ended it.",
}


def _why_not_precise(c: ConfigurationSummary, summary: SweepSummary) -> str:
    until = summary.runs_until
    if c.runs_complete < 2 or (until is not None and c.runs_complete < min(until.min, c.runs)):
        return _NONE_COMPLETE
    return _STOPPED if until is not None and c.runs < until.max else _AT_MOST


def _to_more_runs(found: Sequence[ConfigurationSummary]) -> str:
    if all((c.runs_planned or 0) >= FEW_RUNS for c in found):
        return "Enough runs were planned, but too few are complete: find out what failed (Excluded) and measure these anew."
    plan = f"Plan at least {FEW_RUNS} runs (runs: {FEW_RUNS} in the sweep file; 5 or more to compare)"
    if _fixed(found):
        return f"{plan}."
    return f"{plan}, or let the sweep run until it is precise (runs: {{min: 3, max: 30, until: {{throughput: 1%}}}})."


def _fixed(found: Sequence[ConfigurationSummary]) -> bool:
    """Whether the number of runs has to be given: of several agents, and of searches."""
    return any(c.agents is not None or any(len(run.steps) > 1 for run in c.over_runs.runs) for c in found)


def _to_narrow(more: int | None, n: int, metric: Metric, fixed: bool) -> str:
    wanted = f"± {100 * HALF_WIDTH:.0f} %"
    if more == 0:
        return (
            "The spread itself would allow a narrower interval: few loads, or a few runs far from the others, make it wide. Look at these "
            "first (Outliers, order.loads)."
        )
    if more is None:
        return f"No plausible number of runs gives {wanted} at this spread: find its cause first."
    if more > MANY_MORE:
        return f"It would take about {more} more runs for {wanted} in each of them: find the cause of the spread first."
    most = 10 * math.ceil(1.5 * (n + more) / 10)  # the number is itself an estimate
    plan = f"Plan about {more} more runs for a 95 % interval of {wanted} in each of them"
    if fixed:
        return f"{plan}."
    return (
        f"{plan}, or let the sweep find the number: "
        f"runs: {{min: 3, max: {most}, until: {{{metric.short}: {100 * HALF_WIDTH:.0f}%}}}}."
    )


def _severity(text: str) -> Severity:
    return "warning" if text == "warning" else "note"


def _half_width(d: Description) -> float | None:
    if d.mean_interval is None or not d.mean:
        return None
    return (d.mean_interval.high - d.mean_interval.low) / 2 / abs(d.mean)


def _more(d: Description) -> int | None:
    """Runs to come for the wanted half-width."""
    if d.cv is None:
        return None
    needed = runs_for_interval(d.cv, HALF_WIDTH)
    return None if needed is None else max(needed - d.n, 0)


def _to_come(d: Description) -> str:
    if d.n < 2:
        return "; one run shows no spread" if d.n else ""
    more = _more(d)
    return f"; about {more} more for ± {100 * HALF_WIDTH:.0f} %" if more else ""


def _range(d: Description, metric: Metric) -> str:
    return "" if d.min is None or d.max is None else f", {d.min:.2f} to {d.max:.2f} {metric.unit}"


def _values(c: ConfigurationSummary, metric: Metric) -> list[float]:
    values: list[float] = sample(c.over_runs, metric).values.tolist()
    return values


def _slope(metric: Metric, trend: Trend, step: str) -> str:
    p = trend.p_holm if trend.p_holm is not None else trend.p
    tested = "" if p is None else f", {p_words(p)}"
    slope = (
        ""
        if trend.percent_per_run is None
        else f" {signed(trend.percent_per_run)} % from one {step} to the next"
    )
    return f"{metric.title}{slope} ({plural(trend.n, 'run')}{tested})"
