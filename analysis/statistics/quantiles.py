"""Quantiles by one definition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def quantile(values: Sequence[float], q: float) -> float:
    """Return the quantile of at least one finite value, 0 ≤ ``q`` ≤ 1, in the values' unit.

    Definition 7 of Hyndman and Fan (1996), "Sample quantiles in statistical packages": linear between the
    order statistics, of which the first is at 0 and the last at 1. It is the default of numpy, pandas and R.
    """
    return quantile_of_sorted(sorted(values), q)


def quantile_of_sorted(values: Sequence[float] | npt.NDArray[np.float64], q: float) -> float:
    """Return the same of values in ascending order, without sorting again.

    Never beyond the two values that it lies between, and never less for a larger ``q``: not even by rounding.
    """
    position = (len(values) - 1) * q
    below = min(math.floor(position), len(values) - 2) if len(values) > 1 else 0
    low: Any = values[below]
    high: Any = values[min(below + 1, len(values) - 1)]
    return float(min(low + (high - low) * (position - below), high))
