"""Whether values that came one after the other go up or down."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

TREND_FROM = 5
"""Of four values even the clearest order has p = 2 / 4! = 0.083."""
_EXACT_TO = 50
_ALL_PAIRS_TO = 200
_DIRECT_TO = 64

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


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
    Kendall's tau"; above 200 values of the pairs half the series apart (Theil's incomplete method).
    """
    if len(values) < TREND_FROM:
        return None
    known = np.asarray(values, dtype=np.float64)
    return Slope(per_step=_theil_sen(known), p=_mann_kendall(known))


def _theil_sen(values: Floats) -> float:
    n = values.size
    if n <= _ALL_PAIRS_TO:
        first, second, apart = _pairs(n)
    else:
        first = np.arange(n - n // 2)
        second = first + n // 2
        apart = second - first
    return float(np.median((values[second] - values[first]) / apart))


@lru_cache(maxsize=32)
def _pairs(n: int) -> tuple[Places, Places, Places]:
    """All pairs of n places in order, and how far apart they are."""
    first, second = np.triu_indices(n, 1)
    return first, second, second - first


def _mann_kendall(values: Floats) -> float:
    ascents, inversions, _ = _counted(values)
    ties = tuple(sorted(Counter(values.tolist()).values()))
    if values.size <= _EXACT_TO:
        return min(1.0, 2 * _inversions(ties)[min(inversions, ascents)])
    spread = _variance(values.size) - sum(map(_variance, ties))
    if spread <= 0:
        return 1.0  # all are equal
    return min(1.0, 2 * float(special.ndtr(-abs(ascents - inversions) / math.sqrt(spread))))


def _variance(n: int) -> float:
    """Of ascents less inversions over all orders of n values: Kendall (1938)."""
    return n * (n - 1) * (2 * n + 5) / 18


def _counted(values: Floats) -> tuple[int, int, Floats]:
    """Return how many pairs go up and how many down, and the values sorted: by merging sorted halves."""
    n = values.size
    if n <= _DIRECT_TO:
        first, second, _ = _pairs(n)
        before, after = values[first], values[second]
        return int(np.count_nonzero(after > before)), int(np.count_nonzero(after < before)), np.sort(values)
    ups, downs, left = _counted(values[: n // 2])
    more_ups, more_downs, right = _counted(values[n // 2 :])
    ups += more_ups + int(np.searchsorted(left, right, "left").sum())
    downs += more_downs + left.size * right.size - int(np.searchsorted(left, right, "right").sum())
    return ups, downs, np.sort(np.concatenate([left, right]), kind="stable")


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
