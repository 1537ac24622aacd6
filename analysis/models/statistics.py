"""What the statistics say of a sweep: comparisons, effects of axes and of slots, trends, findings."""

from __future__ import annotations

from typing import Literal

from analysis.statistics.interval import Interval
from contracts.base import Strict

Verdict = Literal["better", "worse", "no difference shown", "below the floor", "too few runs", "not compared"]
"""Of a candidate against its baseline. Only the first two are differences."""

Severity = Literal["critical", "warning", "note"]


class Comparison(Strict):
    """One metric of one configuration against the baseline's. Differences are candidate − baseline."""

    metric: str
    """Key of :mod:`analysis.metrics`."""
    agent: str
    baseline: str
    """Configuration's name, as is candidate."""
    candidate: str
    method: Literal["paired-t", "welch"] | None
    """``None``: not tested (see why)."""
    n_baseline: int
    """Values: runs, or loads (unit)."""
    n_candidate: int
    unit: Literal["run", "load"] = "run"
    """What one value is: a run, or the mean of the runs of one load, between configurations of different plots."""
    pairs: int | None = None
    """Blocks in which both have a value, of a paired test."""
    baseline_mean: float | None
    candidate_mean: float | None
    difference: float | None
    """In the metric's unit."""
    difference_interval: Interval | None = None
    percent: float | None
    """100 × difference / baseline."""
    percent_interval: Interval | None = None
    standard_error: float | None = None
    """Of the difference, in the metric's unit."""
    df: float | None = None
    """Degrees of freedom of the t distribution that interval and p are from."""
    moderated: bool = False
    """A spread of few runs was raised towards the sweep's typical one (:mod:`analysis.statistics.comparison`)."""
    p: float | None = None
    p_holm: float | None = None
    """Adjusted for all comparisons of the report."""
    detectable_percent: float | None = None
    """The smallest true difference that this many runs would have shown with a probability of 80 %, at the
    level that Holm's procedure ended with."""
    floor: float | None = None
    """Measurement floor of the difference, in the metric's unit; ``None``: not known, or it does not touch it."""
    looks: int | None = None
    """The most runs, where their number was decided by looking: p and intervals allow for every look."""
    verdict: Verdict
    why: str | None = None
    """What the verdict rests on, where the numbers alone don't tell."""


class AxisLevel(Strict):
    """One value of an axis, over all else."""

    value: str
    """As people write it."""
    runs: int
    mean: float
    interval: Interval | None = None


class AxisEffect(Strict):
    """How much one axis moves a metric."""

    axis: str
    levels: tuple[AxisLevel, ...]
    share: float | None
    """Fraction of the variance between runs that the axis explains; never below 0."""
    largest_percent: float | None
    """The largest difference between two of its values, % of the smaller one."""
    p: float | None = None
    p_holm: float | None = None
    inert: bool = False
    """The server made one value of all of its values, so that nothing was swept."""


class InteractionEffect(Strict):
    """How much the effect of one axis depends on another."""

    axes: tuple[str, str]
    share: float | None
    p: float | None = None
    p_holm: float | None = None


class Trend(Strict):
    """Whether a metric drifts with time or order."""

    n: int
    percent_per_run: float | None
    """Slope, % of the mean from one run (block) to the next."""
    p: float | None
    p_holm: float | None = None
    drifting: bool


class MainEffects(Strict):
    """The factorial analysis of one metric."""

    metric: str
    agent: str
    runs: int
    axes: tuple[AxisEffect, ...]
    interactions: tuple[InteractionEffect, ...] = ()
    slot_share: float | None = None
    """Fraction of the variance that slots (hosts) explain; ``None``: one slot, or not apart from the axes."""
    block_share: float | None = None
    """That of the blocks: drift over time."""
    load_share: float | None = None
    """That of the loads within their plots; ``None``: the order knew no plots, or each was loaded once."""
    loads: int | None = None
    """Loads of all plots together, the unit for axes whose change reloads the model; ``None``: no plots."""
    higher_share: float | None = None
    """What configurations differ by beyond axes and pairs of axes: interactions of three and more, and pairs that
    can't be estimated; ``None``: nothing is left for it, or it is not apart from the noise."""
    residual_share: float | None = None
    """What is left: the noise between runs."""
    balanced: bool
    """Every combination of values was measured equally often: only then the shares add up exactly."""
    drift: Trend | None = None
    """Over the whole execution, configurations' means taken out."""
    notes: tuple[str, ...] = ()
    """What could not be estimated, and why."""


class SlotEffect(Strict):
    """One slot against its pool, configurations' means taken out."""

    slot: str
    runs: int
    percent: float
    """Its mean difference from the other slots of its pool."""
    interval: Interval | None = None
    """Of percent."""
    p: float | None = None
    p_holm: float | None = None
    outlying: bool = False


class HostEffects(Strict):
    """Differences between the slots of one pool that measured the same configurations."""

    metric: str
    agent: str
    pool: str | None
    variance_share: float
    """Variance component of slots, as a fraction of slots + runs."""
    sd_percent: float
    """Its square root, % of the mean."""
    slots: tuple[SlotEffect, ...]


class RunOutlier(Strict):
    """A run outside Tukey's fences of its configuration: shown, and in every figure."""

    metric: str
    run: int
    value: float
    low: float
    """The fences."""
    high: float


class ConfigurationTrend(Strict):
    """One metric over the runs of one configuration."""

    metric: str
    trend: Trend


class Precision(Strict):
    """Whether a configuration was measured until precise."""

    metric: str
    target_percent: float
    """Asked half-width of the interval, % of the mean."""
    reached_percent: float | None
    """Half-width of the confidence sequence at the end; ``None``: too few runs."""
    reached: bool


class Finding(Strict):
    """One thing that a reader must know, with what it rests on and what to do."""

    rule: str
    """Name of the rule, kebab-case."""
    severity: Severity
    text: str
    evidence: tuple[str, ...] = ()
    advice: str
    configurations: tuple[str, ...] = ()
    """Those concerned; none: the sweep as a whole."""
