"""Configurations against a baseline: one comparison a metric, and Holm's correction over all of them.

The run is the unit: one figure per complete run. Which test is used follows from the design and never from
the figures: pairs by block where both have a run in the same blocks on the same slots, else Welch's test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.floor import measured_by_client
from analysis.metrics import BY_KEY, DURATION, ITL, METRICS, THROUGHPUT, TTFT, Metric
from analysis.models import Comparison, ConfigurationSummary, OverRuns, RunFigures, SweepFloor, Verdict
from analysis.statistics.comparison import (
    MIN_RUNS,
    Difference,
    Floats,
    detectable,
    paired,
    relative_spread,
    typical,
    welch,
)
from analysis.statistics.holm import holm
from analysis.statistics.interval import LEVEL, Interval
from analysis.statistics.sequential import FIRST_LOOK, look_error
from contracts.failures import InputError

ALPHA = 1 - LEVEL
MIN_PAIRS = MIN_RUNS
MIN_PAIRED_FRACTION = 0.8
"""Of the runs of either that have a partner; else too many figures would count for nothing."""

RULE = (
    "Compared are figures of complete runs, candidate − baseline. Where both configurations have a run in the same "
    f"blocks, on the same slots, and in at least {MIN_PAIRS} of them, the runs of a block are a pair (paired t test), so "
    "that drift takes no part; else Welch's t test. The spread of few runs is raised towards the sweep's typical one "
    "where it is below it. A difference is claimed where p after Holm's correction over all comparisons of the "
    "report is below 0.05 and the difference is not below the measurement floor."
)


@dataclass(frozen=True)
class Spreads:
    """Typical spreads of one metric of one agent, as fractions of the mean; ``None``: too few to tell."""

    runs: float | None = None
    """Between the runs of a configuration."""
    pairs: float | None = None
    """Of a configuration's differences from the baseline, by block."""


def compare_two(
    a: OverRuns,
    b: OverRuns,
    metric: Metric,
    *,
    baseline: str,
    candidate: str,
    agent: str,
    floor: float | None,
    may_pair: bool,
    spreads: Spreads | None = None,
    looks: int | None = None,
) -> Comparison:
    """Compare one metric of a candidate ``b`` with that of a baseline ``a``, as the only comparison.

    Args:
        floor: measurement floor of the difference, in the metric's unit; ``None``: it touches none.
        may_pair: whether the blocks of both are the same blocks: both are of one execution.
        spreads: what is typical of the sweep, where there is one (:func:`typical_spreads`).
        looks: the most runs, where how many there are was decided by looking at them; ``None``: their number
            was fixed. Then p and intervals allow for every look, and of one execution only common blocks count: a
            configuration that stopped early would be compared with the later hours of one that went on.
    """
    runs_a, runs_b = _with_value(a, metric), _with_value(b, metric)
    if looks is not None and may_pair:
        runs_a, runs_b = _common_blocks(runs_a, runs_b)
    pairs = _pairs(runs_a, runs_b) if may_pair else None
    if pairs is not None:
        runs_a, runs_b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    x, y = _values(runs_a, metric), _values(runs_b, metric)
    mean_x, mean_y = (float(values.mean()) if values.size else None for values in (x, y))
    apart = mean_y - mean_x if mean_x is not None and mean_y is not None else None
    made = Comparison(
        metric=metric.key,
        agent=agent,
        baseline=baseline,
        candidate=candidate,
        method=None,
        n_baseline=x.size,
        n_candidate=y.size,
        baseline_mean=mean_x,
        candidate_mean=mean_y,
        difference=apart,
        percent=100 * apart / mean_x if apart is not None and mean_x is not None and mean_x > 0 else None,
        floor=floor,
        looks=looks,
        verdict="not compared",
    )
    if not x.size or not y.size:
        without = " and ".join(name for name, values in ((baseline, x), (candidate, y)) if not values.size)
        return _changed(made, why=f"no complete run of {without} has the figure")
    if metric == THROUGHPUT and a.throughput_method != b.throughput_method:
        return _changed(
            made, why="their rates were not made in the same way: the server tells both terms of one only"
        )
    if min(x.size, y.size) < MIN_RUNS:
        return _changed(made, verdict="too few runs", why=f"a test takes {MIN_RUNS} complete runs of each")
    typical_of = spreads or Spreads()
    error = error_of_look(looks)
    found = None if pairs is None else paired(x, y, typical_of.pairs, error)
    if found is None:
        # Pairs that all differ by the same show no noise, but their runs may.
        pairs, found = None, welch(x, y, typical_of.runs, error)
    if found is None:
        return _without_noise(made)
    tested = _tested(made, found, None if pairs is None else len(pairs))
    return _changed(tested, why=_slots_apart(runs_a, runs_b)) if may_pair else tested


def compare_with_baseline(
    configurations: Sequence[ConfigurationSummary],
    baseline: str | None,
    floor: SweepFloor | None,
    looks: int | None = None,
) -> tuple[Comparison, ...]:
    """Compare every configuration with the baseline of the same agent, in every metric that either has.

    All comparisons are one family: p is corrected over all of them. Empty without a baseline.
    """
    made: list[Comparison] = []
    for agent in dict.fromkeys(c.agent for c in configurations):
        of_agent = [c for c in configurations if c.agent == agent]
        base = next((c for c in of_agent if c.config == baseline), None)
        if base is None:
            continue
        others = [c for c in of_agent if c is not base]
        for metric in METRICS:
            spreads = typical_spreads([c.over_runs for c in of_agent], metric, base.over_runs)
            made += [
                compare_two(
                    base.over_runs,
                    c.over_runs,
                    metric,
                    baseline=base.config,
                    candidate=c.config,
                    agent=agent,
                    floor=floor_of(metric, base, c, floor),
                    may_pair=True,
                    spreads=spreads,
                    looks=looks,
                )
                for c in others
                if _with_value(base.over_runs, metric) or _with_value(c.over_runs, metric)
            ]
    return with_holm(made)


def with_holm(comparisons: Iterable[Comparison], alpha: float = ALPHA) -> tuple[Comparison, ...]:
    """Correct p over all of them, and settle each verdict and each smallest detectable difference.

    What is detectable is told at the level that Holm's procedure ended with: α / (tests that rejected nothing).
    """
    family = list(comparisons)
    adjusted = holm([c.p for c in family])
    left = sum(p is not None and p >= alpha for p in adjusted)
    level = alpha / max(left, 1)
    tests = sum(p is not None for p in adjusted)
    return tuple(
        c if p is None else _among(c, p, alpha, level, tests) for c, p in zip(family, adjusted, strict=True)
    )


def typical_spreads(figures: Sequence[OverRuns], metric: Metric, baseline: OverRuns | None = None) -> Spreads:
    """Return the typical spreads of one metric over the configurations of one agent.

    ``baseline`` is among ``figures``; without one, or where runs are not in pairs, nothing is known of pairs.
    """
    runs = typical([relative_spread(_values(_with_value(f, metric), metric)) for f in figures])
    if baseline is None:
        return Spreads(runs=runs)
    base = _with_value(baseline, metric)
    differences: list[float | None] = []
    for other in figures:
        pairs = _pairs(base, _with_value(other, metric)) if other is not baseline else None
        if pairs is None:
            continue
        x = _values([pair[0] for pair in pairs], metric)
        y = _values([pair[1] for pair in pairs], metric)
        differences.append(relative_spread(y - x, (abs(float(x.mean())) + abs(float(y.mean()))) / 2))
    return Spreads(runs=runs, pairs=typical(differences))


def choose_baseline(configurations: Sequence[ConfigurationSummary], asked: str | None) -> str | None:
    """Return the name of the configuration to compare with; ``None`` where there is nothing to compare.

    The one that was asked for, else the one that leaves all parameters to the server, else the first one; of
    those not asked for only one with complete runs.

    Raises:
        InputError: there is none of the name asked for.
    """
    names = list(dict.fromkeys(c.config for c in configurations))
    if asked is not None and asked not in names:
        raise InputError(f"baseline: no configuration is named {asked!r}; the sweep has: {', '.join(names)}")
    if len(names) < 2:
        return None
    if asked is not None:
        return asked
    measured = [c for c in configurations if c.runs_complete]
    plain = [c for c in measured if c.parameters == {}]
    return next((c.config for c in [*plain, *measured]), None)


def floor_of(
    metric: Metric, a: ConfigurationSummary, b: ConfigurationSummary, floor: SweepFloor | None
) -> float | None:
    """Return the measurement floor of a difference in the metric's unit; ``None``: not known, or it touches none.

    A rate that the server reports is its own clock's. Inter-token latencies are always the client's.
    """
    if floor is None:
        return None
    if metric == TTFT:
        return floor.ttft_ms
    if metric == DURATION:  # a sum over calls, each of which the client timed
        calls = [run.valid_calls for c in (a, b) for run in _with_value(c.over_runs, metric)]
        return floor.ttft_ms * max(calls) if calls else None
    if metric == ITL or (metric == THROUGHPUT and (measured_by_client(a) or measured_by_client(b))):
        means = [
            float(values.mean())
            for c in (a, b)
            if (values := _values(_with_value(c.over_runs, metric), metric)).size
        ]
        return floor.rate_percent / 100 * max(means) if means else None
    return None


def _with_value(figures: OverRuns, metric: Metric) -> list[RunFigures]:
    return [run for run in figures.runs if run.complete and getattr(run, metric.key) is not None]


def _values(runs: Sequence[RunFigures], metric: Metric) -> Floats:
    return np.array([getattr(run, metric.key) for run in runs], dtype=np.float64)


def error_of_look(looks: int | None) -> float:
    """The error that one look may have, so that all of them together have that of one."""
    return ALPHA if looks is None else look_error(max(looks, FIRST_LOOK))


def _common_blocks(
    a: Sequence[RunFigures], b: Sequence[RunFigures]
) -> tuple[list[RunFigures], list[RunFigures]]:
    common = {run.block for run in a} & {run.block for run in b}
    return [run for run in a if run.block in common], [run for run in b if run.block in common]


def _pairs(a: Sequence[RunFigures], b: Sequence[RunFigures]) -> list[tuple[RunFigures, RunFigures]] | None:
    """Return the runs of both by block; ``None`` where the design does not make pairs of them.

    On two slots the runs of a block would differ by the slots too: pairs would not be more alike than others.
    """
    if not (_once_a_block(a) and _once_a_block(b)):
        return None
    of_block = {run.block: run for run in a}
    common = [(of_block[run.block], run) for run in b if run.block in of_block]
    if len(common) < max(MIN_PAIRS, MIN_PAIRED_FRACTION * max(len(a), len(b))):
        return None
    return common if all(x.slot == y.slot for x, y in common) else None


def _slots_apart(a: Sequence[RunFigures], b: Sequence[RunFigures]) -> str | None:
    """Say so where each was measured on one slot only, and not on the same."""
    slots = [{run.slot for run in runs} for runs in (a, b)]
    (one, *more), (other, *others) = slots
    if more or others or one is None or other is None or one == other:
        return None
    return f"measured on one slot each, {one} and {other}: the difference may be theirs"


def _once_a_block(runs: Sequence[RunFigures]) -> bool:
    counts = Counter(run.block for run in runs)
    return None not in counts and all(count == 1 for count in counts.values())


def _tested(c: Comparison, found: Difference, pairs: int | None) -> Comparison:
    """Return the comparison with its test, as the only one."""
    method, ratio = found.method, found.ratio
    percent = None
    if ratio is not None and c.percent is not None:
        percent = Interval(low=100 * (ratio[0] - 1), high=100 * (ratio[1] - 1), method=method)
    tested = _changed(
        c,
        method=method,
        pairs=pairs,
        difference_interval=Interval(low=found.low, high=found.high, method=method),
        percent_interval=percent,
        standard_error=found.standard_error,
        df=found.df,
        moderated=found.moderated,
        p=found.p,
        verdict=_verdict(c, found.p, ALPHA),
    )
    return _changed(tested, detectable_percent=_detectable_percent(tested, ALPHA))


def _without_noise(c: Comparison) -> Comparison:
    same = np.isclose(c.difference or 0.0, 0.0, atol=1e-12 * abs(c.baseline_mean or 0.0))
    if same:
        return _changed(c, verdict="no difference shown", why="all runs of both have the same figure")
    if _below_floor(c):
        return _changed(c, verdict="below the floor", why="no run differs from another of its configuration")
    return _changed(
        c,
        why="no run differs from another of its configuration: there is no noise to test the difference against",
    )


def corrected(c: Comparison, p_holm: float, level: float, alpha: float = ALPHA) -> Comparison:
    """Return a tested comparison with its corrected p, the verdict that follows, and what ``level`` could detect."""
    return _changed(
        c,
        p_holm=p_holm,
        verdict=_verdict(c, p_holm, alpha),
        detectable_percent=_detectable_percent(c, level),
    )


def _among(c: Comparison, p_holm: float, alpha: float, level: float, tests: int) -> Comparison:
    made = corrected(c, p_holm, level, alpha)
    # Else the interval, which is of this comparison alone, would seem to say another thing than the verdict.
    if made.verdict == "no difference shown" and c.p is not None and c.p < alpha:
        why = f"p is below {alpha:.2g} alone, but not corrected for the {tests} comparisons made"
        return _changed(made, why=why)
    return made


def _detectable_percent(c: Comparison, level: float) -> float | None:
    if c.standard_error is None or c.df is None or c.baseline_mean is None or c.baseline_mean <= 0:
        return None
    of_one_look = level * error_of_look(c.looks) / ALPHA
    return 100 * detectable(c.standard_error, c.df, of_one_look) / c.baseline_mean


def _verdict(c: Comparison, p: float, alpha: float) -> Verdict:
    if _below_floor(c):
        return "below the floor"
    if p >= alpha:
        return "no difference shown"
    higher = (c.difference or 0.0) > 0
    return "better" if higher == (BY_KEY[c.metric].better == "higher") else "worse"


def _below_floor(c: Comparison) -> bool:
    return c.floor is not None and c.difference is not None and abs(c.difference) < c.floor


def _changed(c: Comparison, **fields: object) -> Comparison:
    return c.model_copy(update=fields)
