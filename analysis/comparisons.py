"""Configurations against a baseline: one comparison a metric, and Holm's correction over all of them.

The run is the unit: one figure per complete run. Which test is used follows from the design and never from
the figures: pairs by block where both have a run in the same blocks on the same slots, else Welch's test.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.floor import measured_by_client
from analysis.metrics import BY_KEY, DURATION, ITL, METRICS, THROUGHPUT, TTFT, Metric
from analysis.models import Comparison, ConfigurationSummary, OverRuns, SweepFloor, Verdict
from analysis.samples import Integers, Sample, plot_of, sample
from analysis.statistics.comparison import (
    MIN_RUNS,
    Difference,
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
    "where it is below it. Where models were loaded plot by plot, configurations of different plots are compared by the means of "
    "their loads: the load is the unit there, not the run, and one that was divided over slots is as many loads. A difference is claimed where p after Holm's correction over all comparisons of the "
    "report is below 0.05 and the difference is not below the measurement floor."
)


@dataclass(frozen=True)
class Spreads:
    """Typical spreads of one metric of one agent, as fractions of the mean; ``None``: too few to tell."""

    runs: float | None = None
    """Between the runs of a configuration."""
    pairs: float | None = None
    """Of a configuration's differences from the baseline, by block."""
    of_loads: Spreads | None = None
    """The same of load means, between plots; ``None``: the order knew no plots."""


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
    between_plots: bool = False,
) -> Comparison:
    """Compare one metric of a candidate ``b`` with that of a baseline ``a``, as the only comparison.

    Args:
        floor: measurement floor of the difference, in the metric's unit; ``None``: it touches none.
        may_pair: whether the blocks of both are the same blocks: both are of one execution.
        spreads: what is typical of the sweep, where there is one (:func:`typical_spreads`).
        looks: the most runs, where how many there are was decided by looking at them; ``None``: their number
            was fixed. Then p and intervals allow for every look, and of one execution only common blocks count: a
            configuration that stopped early would be compared with the later hours of one that went on.
        between_plots: they belong to different whole plots: where the loads are known, each load's mean is one value.
    """
    x, y = sample(a, metric), sample(b, metric)
    by_load = between_plots and (x.has_loads or y.has_loads)
    if by_load:
        x, y = (one.by_load() if one.has_loads else one for one in (x, y))
    if looks is not None and may_pair:
        x, y = _common_blocks(x, y)
    pairs = _pairs(x, y) if may_pair else None
    if pairs is not None:
        x, y = pairs
    mean_x, mean_y = (float(one.values.mean()) if one.size else None for one in (x, y))
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
        unit="load" if by_load else "run",
        verdict="not compared",
    )
    if not x.size or not y.size:
        without = " and ".join(name for name, one in ((baseline, x), (candidate, y)) if not one.size)
        return _changed(made, why=f"no complete run of {without} has the figure")
    if metric == THROUGHPUT and a.throughput_method != b.throughput_method:
        return _changed(
            made, why="their rates were not made in the same way: the server tells both terms of one only"
        )
    if min(x.size, y.size) < MIN_RUNS:
        return _changed(made, verdict="too few runs", why=_too_few(min(x.size, y.size), by_load))
    typical_of = (spreads.of_loads if by_load else spreads) if spreads is not None else None
    typical_of = typical_of or Spreads()
    error = error_of_look(looks)
    found = None if pairs is None else paired(x.values, y.values, typical_of.pairs, error)
    if found is None:
        # Pairs that all differ by the same show no noise, but their runs may.
        pairs, found = None, welch(x.values, y.values, typical_of.runs, error)
    if found is None:
        return _without_noise(made)
    return _tested(made, found, None if pairs is None else x.size, _slots_apart(x, y) if may_pair else None)


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
                    between_plots=plot_of(c) != plot_of(base),
                )
                for c in others
                if sample(base.over_runs, metric).size or sample(c.over_runs, metric).size
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
    samples = [sample(f, metric) for f in figures]
    base = None if baseline is None else sample(baseline, metric)
    of_runs = _spreads(samples, base)
    if not any(one.has_loads for one in samples):
        return of_runs
    loads = [one.by_load() for one in samples if one.has_loads]
    base = None if base is None or not base.has_loads else base.by_load()
    return replace(of_runs, of_loads=_spreads(loads, base))


def _spreads(samples: Sequence[Sample], baseline: Sample | None) -> Spreads:
    runs = typical([relative_spread(one.values) for one in samples])
    if baseline is None:
        return Spreads(runs=runs)
    differences: list[float | None] = []
    for other in samples:
        pairs = _pairs(baseline, other) if other is not baseline else None
        if pairs is None:
            continue
        x, y = (one.values for one in pairs)
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
        calls = [
            run.valid_calls
            for c in (a, b)
            for run in c.over_runs.runs
            if run.complete and run.duration_ms is not None
        ]
        return floor.ttft_ms * max(calls) if calls else None
    if metric == ITL or (metric == THROUGHPUT and (measured_by_client(a) or measured_by_client(b))):
        found = [sample(c.over_runs, metric) for c in (a, b)]
        means = [float(one.values.mean()) for one in found if one.size]
        return floor.rate_percent / 100 * max(means) if means else None
    return None


def error_of_look(looks: int | None) -> float:
    """The error that one look may have, so that all of them together have that of one."""
    return ALPHA if looks is None else look_error(max(looks, FIRST_LOOK))


def _common_blocks(a: Sample, b: Sample) -> tuple[Sample, Sample]:
    return a.where(np.isin(a.blocks, b.blocks)), b.where(np.isin(b.blocks, a.blocks))


def _pairs(a: Sample, b: Sample) -> tuple[Sample, Sample] | None:
    """Return the values of both that have a partner in the same block; ``None`` where the design makes no pairs.

    On two slots the runs of a block would differ by the slots too: pairs would not be more alike than others. Of loads the
    number stands for the block; where one was divided over slots, there are no pairs.
    """
    if not (a.has_blocks and b.has_blocks):
        return None
    if not (a.size == b.size and np.array_equal(a.blocks, b.blocks) and _ascending(a.blocks)):
        common, at_a, at_b = np.intersect1d(a.blocks, b.blocks, return_indices=True)
        if len(set(a.blocks.tolist())) < a.size or len(set(b.blocks.tolist())) < b.size:
            return None
        if common.size < max(MIN_PAIRS, MIN_PAIRED_FRACTION * max(a.size, b.size)):
            return None
        at_b.sort()  # in the candidate's order
        at_a = at_a[np.searchsorted(common, b.blocks[at_b])]
        a, b = a.where(at_a), b.where(at_b)
    elif a.size < MIN_PAIRS:
        return None
    return (a, b) if a.slots.tolist() == b.slots.tolist() else None


def _ascending(blocks: Integers) -> bool:
    return bool(np.all(blocks[1:] > blocks[:-1]))


def _slots_apart(a: Sample, b: Sample) -> str | None:
    """Say so where each was measured on one slot only, and not on the same."""
    (one, *more), (other, *others) = (list(dict.fromkeys(x.slots.tolist())) for x in (a, b))
    if more or others or one is None or other is None or one == other:
        return None
    return f"measured on one slot each, {one} and {other}: the difference may be theirs"


def _too_few(n: int, by_load: bool) -> str:
    if not by_load:
        return f"a test takes {MIN_RUNS} complete runs of each"
    loads = "one load" if n == 1 else f"{n} loads"
    return (
        f"they are of different plots, and {loads} of the model can't tell what differs between plots from what differs "
        f"between loads; a test takes {MIN_RUNS} loads of each (order: {{loads: {MIN_RUNS}}})"
    )


def _tested(c: Comparison, found: Difference, pairs: int | None, why: str | None) -> Comparison:
    """Return the comparison with its test, as the only one."""
    method, ratio = found.method, found.ratio
    percent = None
    if ratio is not None and c.percent is not None:
        percent = Interval(low=100 * (ratio[0] - 1), high=100 * (ratio[1] - 1), method=method)
    return _changed(
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
        detectable_percent=_detectable(c, found.standard_error, found.df, ALPHA),
        why=why,
    )


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
    return _changed(c, **_correction(c, p_holm, level, alpha))


def _correction(c: Comparison, p_holm: float, level: float, alpha: float) -> dict[str, object]:
    return {
        "p_holm": p_holm,
        "verdict": _verdict(c, p_holm, alpha),
        "detectable_percent": _detectable(c, c.standard_error, c.df, level),
    }


def _among(c: Comparison, p_holm: float, alpha: float, level: float, tests: int) -> Comparison:
    changes = _correction(c, p_holm, level, alpha)
    # Else the interval, which is of this comparison alone, would seem to say another thing than the verdict.
    if changes["verdict"] == "no difference shown" and c.p is not None and c.p < alpha:
        changes["why"] = f"p is below {alpha:.2g} alone, but not corrected for the {tests} comparisons made"
    return _changed(c, **changes)


def _detectable(c: Comparison, standard_error: float | None, df: float | None, level: float) -> float | None:
    if standard_error is None or df is None or c.baseline_mean is None or c.baseline_mean <= 0:
        return None
    of_one_look = level * error_of_look(c.looks) / ALPHA
    return 100 * detectable(standard_error, df, of_one_look) / c.baseline_mean


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
    """Return a changed copy. Comparisons come by ten thousands: this is a third of ``model_copy``'s time."""
    made = Comparison.__new__(Comparison)
    object.__setattr__(made, "__dict__", c.__dict__ | fields)
    object.__setattr__(made, "__pydantic_fields_set__", c.__pydantic_fields_set__)
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made
