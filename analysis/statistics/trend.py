"""Whether values that came one after the other go up or down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

TREND_FROM = 5
"""Of four values even the clearest order has p = 2 / 4! = 0.083."""
_EXACT_TO = 50
_ALL_PAIRS_TO = 1000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Slope:
    """A monotone trend over equidistant values."""

    per_step: float
    """From one value to the next, in the values' unit."""
    p: float
    """Two-sided."""


def slope(values: Sequence[float]) -> Slope | None:
    """Return the trend of values in order; ``None`` below :data:`TREND_FROM` of them.

    p is Mann's (1945), "Nonparametric tests against trend", that is Kendall's τ against the order: exact up
    to 50 values, also where some are equal; above, its normal approximation. The slope is the median of
    those of all pairs: Theil (1950), Sen (1968), "Estimates of the regression coefficient based on
    Kendall's tau"; above 1000 values of the pairs half the series apart (Theil's incomplete method).
    """
    if len(values) < TREND_FROM:
        return None
    known = np.asarray(values, dtype=np.float64)
    return Slope(per_step=_theil_sen(known), p=_mann_kendall(known))


def _theil_sen(values: Floats) -> float:
    n = values.size
    if n <= _ALL_PAIRS_TO:
        first, second = np.triu_indices(n, 1)
    else:
        first = np.arange(n - n // 2)
        second = first + n // 2
    return float(np.median((values[second] - values[first]) / (second - first)))


def _mann_kendall(values: Floats) -> float:
    n = values.size
    if n > _EXACT_TO:
        from scipy import stats  # takes 1.5 s, which every command would wait for

        p = float(stats.kendalltau(np.arange(n), values).pvalue)
        return p if np.isfinite(p) else 1.0  # all are equal
    first, second = np.triu_indices(n, 1)
    inversions = int(np.count_nonzero(values[second] < values[first]))
    ascents = int(np.count_nonzero(values[second] > values[first]))
    at_most = _inversions(tuple(sorted(Counter(values.tolist()).values())))
    return min(1.0, 2 * at_most[min(inversions, ascents)])


@lru_cache(maxsize=1024)
def _inversions(ties: tuple[int, ...]) -> tuple[float, ...]:
    """Return the probabilities of at most 0, 1, … inversions among all orders of values of these multiplicities.

    The counts are the coefficients of the Gaussian multinomial [n]! / ∏ [t]!, where [m]! = ∏ (1 − qʲ) / (1 − q)
    for j ≤ m: MacMahon (1916), "Combinatory analysis"; for distinct values Kendall's (1938) own recursion.
    """
    n = sum(ties)
    counts = [1] + [0] * ((n * n - sum(t * t for t in ties)) // 2)
    for j in range(1, n + 1):  # times (1 − qʲ)
        for i in range(len(counts) - 1, j - 1, -1):
            counts[i] -= counts[i - j]
    for j in (j for t in ties for j in range(1, t + 1)):  # over (1 − qʲ)
        for i in range(j, len(counts)):
            counts[i] += counts[i - j]
    total, so_far, at_most = sum(counts), 0, []
    for count in counts:
        so_far += count
        at_most.append(so_far / total)
    return tuple(at_most)
