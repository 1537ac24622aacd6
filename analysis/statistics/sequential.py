"""Intervals that hold at whichever run one stops: for "run until precise"."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import special

from analysis.statistics.interval import LAST_LOOK, LEVEL, Interval

FIRST_LOOK: Final = 3
"""Fewer values have no interval."""

LOOKS: Final[dict[int, float]] = {
    5: 0.0229,
    10: 0.0120,
    15: 0.0090,
    20: 0.0076,
    30: 0.0062,
    50: 0.0050,
    100: 0.0039,
    200: 0.0031,
    500: 0.0024,
    1_000: 0.0020,
    10_000: 0.0014,
}
"""Last look → the error that each look may have so that all of them together err in 5 %; rounded down."""


def confidence_sequence(values: Sequence[float], last: int = LAST_LOOK) -> Interval | None:
    """Return an interval of the mean that holds with 95 % at whichever number of values one stops.

    A repeated confidence interval (Jennison and Turnbull 1989, "Interim analyses: the repeated confidence
    interval approach") with one nominal level for all looks (Pocock 1977, "Group sequential methods in the
    design and analysis of clinical trials"): Student's interval after each value from the third to the
    ``last``, each at a level such that, for normal values, all of them hold together with 95 %
    (:data:`LOOKS`, from simulation: ``python -m benchmarks.statistics.looks``). ``last`` is the limit that
    was set before, not the number reached.

    ``None`` for fewer than three values, and where all are equal.
    """
    if len(values) < FIRST_LOOK or min(values) == max(values):
        return None
    known = np.sort(np.asarray(values, dtype=np.float64))
    mean = float(np.mean(known))
    half = look_factor(known.size, last) * float(np.std(known, ddof=1)) / math.sqrt(known.size)
    return Interval(low=mean - half, high=mean + half, level=LEVEL, method="confidence-sequence")


def look_error(last: int) -> float:
    """Return the error of each look up to the ``last``; between two tabulated ones, the smaller error."""
    tabulated = sorted(LOOKS)
    at = bisect.bisect_left(tabulated, last)
    if at == len(tabulated):
        raise ValueError(f"looks are calibrated up to {tabulated[-1]:,} runs, not {last:,}")
    return LOOKS[tabulated[at]]


def look_factor(n: int, last: int = LAST_LOOK) -> float:
    """Return the half-width at n ≥ 3 values in standard errors (sd / √n); n beyond ``last`` is the last itself."""
    return float(special.stdtrit(n - 1, 1 - look_error(max(n, last)) / 2))


def half_width_fraction(values: Sequence[float], last: int = LAST_LOOK) -> float | None:
    """Return the half-width of the confidence sequence as a fraction of the mean's size; ``None``: not known."""
    interval = confidence_sequence(values, last)
    if interval is None:
        return None
    middle = abs(interval.low + interval.high) / 2
    return (interval.high - interval.low) / 2 / middle if middle > 0 else None


def precise(values: Sequence[float], target: float, last: int = LAST_LOOK) -> bool | None:
    """Tell whether the half-width is at most ``target`` (a fraction) of the mean; ``None``: it can't be told."""
    reached = half_width_fraction(values, last)
    return None if reached is None else reached <= target


def runs_needed_estimate(values: Sequence[float], target: float, last: int = LAST_LOOK) -> int | None:
    """Return roughly how many more values it takes to be precise, were the sd to stay what it is.

    0: none; ``None``: it can't be told, or not with the ``last``. A forecast for people, no part of any decision.
    """
    reached = half_width_fraction(values, last)
    if reached is None:
        return None
    n = len(values)
    cv = reached / look_factor(n, last) * math.sqrt(n)
    if reached <= target:
        return 0
    for more in range(1, last - n + 1):
        if look_factor(n + more, last) / math.sqrt(n + more) * cv <= target:
            return more
    return None
