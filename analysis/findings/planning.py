"""How many runs it would take."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.statistics.interval import LEVEL

MOST_RUNS = 10_000


def runs_for_interval(cv: float, half_width: float) -> int | None:
    """Return the fewest runs whose t interval has a half-width of at most ``half_width``, a fraction of the mean.

    ``cv``: sd / mean, taken as known; it is itself an estimate, so that the number is a plan and no promise.
    ``None``: more than :data:`MOST_RUNS`.
    """
    enough = np.flatnonzero(_factors() * abs(cv) <= half_width)
    return int(enough[0]) + 2 if enough.size else None


def runs_to_show(runs: int, detectable: float, difference: float) -> int | None:
    """Return about how many runs would show ``difference``, where ``runs`` show ``detectable`` (both per cent).

    What can be detected shrinks with the square root of the number of runs.
    """
    if not difference:
        return None
    needed = math.ceil(runs * (detectable / difference) ** 2)
    return needed if needed <= MOST_RUNS else None


@cache
def _factors() -> npt.NDArray[np.float64]:
    """t quantile / sqrt(n) for n = 2, 3, … runs."""
    n = np.arange(2, MOST_RUNS + 1)
    return np.asarray(special.stdtrit(n - 1, (1 + LEVEL) / 2) / np.sqrt(n), dtype=np.float64)
