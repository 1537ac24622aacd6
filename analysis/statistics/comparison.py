"""Two samples of runs: difference, ratio, p and intervals from one t distribution.

Values are in a metric's unit and finite. Nothing here knows of configurations; :mod:`analysis.comparisons` does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.statistics.interval import LEVEL

Floats = npt.NDArray[np.float64]

MIN_RUNS = 3
"""Fewer show too little of their own spread to be tested."""
PRIOR_DF = 4.0
"""The weight of the typical spread beside a sample's own, in degrees of freedom. It adds as many to the test, but no
more than the sample has itself."""
TYPICAL_QUANTILE = 0.75
"""Which of the sweep's spreads is the typical one. A high one: it must not be the luck of a few quiet samples."""
MIN_TYPICAL = 3
"""Samples that it takes to call a spread typical."""
POWER = 0.8
_EXACT = 1e-12
"""A spread below this fraction of the mean is rounding of equal values."""


@dataclass(frozen=True)
class Difference:
    """Candidate − baseline, tested."""

    method: Literal["welch", "paired-t"]
    baseline_mean: float
    candidate_mean: float
    standard_error: float
    df: float
    moderated: bool
    p: float
    low: float
    """Of the difference, as is high: :data:`analysis.statistics.interval.LEVEL`."""
    high: float
    ratio: tuple[float, float] | None
    """Interval of candidate / baseline; ``None``: the baseline is not apart from 0."""


@dataclass(frozen=True)
class _Moderated:
    variance: float
    df: float
    raised: bool


def relative_spread(values: Floats, scale: float | None = None) -> float | None:
    """Return sd / ``scale`` (the mean, if not given); ``None`` for fewer than :data:`MIN_RUNS` or a scale of 0."""
    if values.size < MIN_RUNS:
        return None
    by = abs(float(values.mean())) if scale is None else abs(scale)
    return float(values.std(ddof=1)) / by if by > 0 else None


def typical(spreads: Sequence[float | None]) -> float | None:
    """Return the typical one of relative spreads; ``None`` where fewer than :data:`MIN_TYPICAL` are known."""
    known = [spread for spread in spreads if spread is not None]
    return float(np.quantile(known, TYPICAL_QUANTILE)) if len(known) >= MIN_TYPICAL else None


def welch(
    baseline: Floats, candidate: Floats, spread: float | None = None, error: float = 1 - LEVEL
) -> Difference | None:
    """Compare independent samples, of at least 2 values each, without taking their variances for equal.

    ``spread`` is the sweep's typical sd / mean. ``error``: that of one look, where there may have been many; the
    interval is at 1 − ``error``, and p is raised alike. Returns ``None`` where no value differs from another: there
    is no noise to test against. Sources: B. L. Welch, Biometrika 34 (1947) 28–35; F. E. Satterthwaite,
    Biometrics Bulletin 2 (1946) 110–114.
    """
    mean_b, mean_c = float(baseline.mean()), float(candidate.mean())
    b = _moderate(_variance(baseline, mean_b), baseline.size - 1, mean_b, spread)
    c = _moderate(_variance(candidate, mean_c), candidate.size - 1, mean_c, spread)
    vb, vc = b.variance / baseline.size, c.variance / candidate.size
    if vb + vc == 0:
        return None
    # Shares first: squares of variances of tiny values would underflow.
    share = vb / (vb + vc)
    df = 1 / (share**2 / b.df + (1 - share) ** 2 / c.df)
    return _tested("welch", mean_b, mean_c, vb, vc, 0.0, vb + vc, df, b.raised or c.raised, error)


def paired(
    baseline: Floats, candidate: Floats, spread: float | None = None, error: float = 1 - LEVEL
) -> Difference | None:
    """Compare pairs, at least 2: the same position of both arrays is one block.

    ``spread`` is the sweep's typical sd of differences / mean; ``error`` as of :func:`welch`. Returns ``None`` where all differences are the
    same. Source: Student, Biometrika 6 (1908) 1–25.
    """
    n = baseline.size
    mean_b, mean_c = float(baseline.mean()), float(candidate.mean())
    scale = (abs(mean_b) + abs(mean_c)) / 2
    own = _variance(candidate - baseline, scale)
    made = _moderate(own, n - 1, scale, spread)
    if made.variance == 0:
        return None
    vb, vc = _variance(baseline, mean_b), _variance(candidate, mean_c)
    cov = (vb + vc - own) / 2
    # The parts sum up to the variance that was tested, so that the ratio's interval agrees with the test.
    if own > 0:
        vb, vc, cov = (part * made.variance / own for part in (vb, vc, cov))
    else:
        vb, vc, cov = made.variance / 2, made.variance / 2, 0.0
    parts = vb / n, vc / n, cov / n
    return _tested("paired-t", mean_b, mean_c, *parts, made.variance / n, made.df, made.raised, error)


def detectable(standard_error: float, df: float, alpha: float) -> float:
    """Return the true difference that a two-sided t test at ``alpha`` shows with probability :data:`POWER`.

    The noncentral t distribution in its normal approximation (N. L. Johnson, B. L. Welch, Biometrika 31
    (1940) 362–389): within 1 % of the exact value for 2 and more degrees of freedom.
    """
    critical = -float(special.stdtrit(df, alpha / 2))
    # Mean and variance of sqrt(chi² / df).
    mean = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) * math.sqrt(2 / df)
    variance = max(0.0, 1 - mean**2)
    apart = critical * mean + float(special.ndtri(POWER)) * math.sqrt(1 + critical**2 * variance)
    return apart * standard_error


def _variance(values: Floats, scale: float) -> float:
    """Sample variance; 0 where the values differ by no more than rounding."""
    sd = float(values.std(ddof=1))
    return sd**2 if sd > _EXACT * abs(scale) else 0.0


def _moderate(variance: float, df: int, scale: float, spread: float | None) -> _Moderated:
    """Raise a variance of few values towards the typical one; never lower it.

    Three runs of a server with two states are all in one of them once in four times. Their own spread then says
    that a difference between the states is a difference between configurations. The weighted mean of variances is
    that of the moderated t test (G. K. Smyth, Statistical Applications in Genetics and Molecular Biology 3
    (2004) 3), which would also lower a large variance; that is not done here.
    """
    if spread is None:
        return _Moderated(variance, df, False)
    weighted = (PRIOR_DF * (spread * scale) ** 2 + df * variance) / (PRIOR_DF + df)
    if weighted <= variance:
        return _Moderated(variance, df, False)
    return _Moderated(weighted, df + min(PRIOR_DF, df), True)


def _tested(
    method: Literal["welch", "paired-t"],
    mean_b: float,
    mean_c: float,
    vb: float,
    vc: float,
    cov: float,
    variance: float,
    df: float,
    moderated: bool,
    error: float,
) -> Difference:
    """``variance`` of the difference: vb + vc − 2 cov, which may cancel to 0 where pairs are nearly alike."""
    standard_error = math.sqrt(variance)
    difference = mean_c - mean_b
    critical = -float(special.stdtrit(df, error / 2))
    p = 2 * float(special.stdtr(df, -abs(difference) / standard_error))
    return Difference(
        method=method,
        baseline_mean=mean_b,
        candidate_mean=mean_c,
        standard_error=standard_error,
        df=df,
        moderated=moderated,
        p=min(1.0, p * (1 - LEVEL) / error),
        low=difference - critical * standard_error,
        high=difference + critical * standard_error,
        ratio=_fieller(mean_b, mean_c, vb, vc, cov, critical),
    )


def _fieller(
    mean_b: float, mean_c: float, vb: float, vc: float, cov: float, critical: float
) -> tuple[float, float] | None:
    """Return the ratios ρ for which candidate − ρ × baseline is not apart from 0 (variances of means).

    1 is among them exactly where the difference is not apart from 0 at the same level. Source: E. C. Fieller,
    Journal of the Royal Statistical Society B 16 (1954) 175–185.
    """
    squared = critical**2
    a = mean_b**2 - squared * vb
    if mean_b <= 0 or a <= 0:
        return None
    half = mean_b * mean_c - squared * cov
    inside = half**2 - a * (mean_c**2 - squared * vc)
    if inside < 0:  # rounding only: mean_c / mean_b is always a solution
        inside = 0.0
    root = math.sqrt(inside)
    return (half - root) / a, (half + root) / a
