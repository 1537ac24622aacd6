"""Intervals cut where what they are of can't be: no rate is below 0, no part of the requests above 1."""

from __future__ import annotations

import math
from dataclasses import replace

from analysis.statistics.interval import Interval

Bounds = tuple[float, float]
"""Least and most that a figure can be."""

NOT_NEGATIVE: Bounds = (0.0, math.inf)
PART: Bounds = (0.0, 1.0)
ANY: Bounds = (-math.inf, math.inf)


def within(interval: Interval | None, bounds: Bounds = NOT_NEGATIVE) -> Interval | None:
    """Return the part of an interval that lies within the bounds; the same one where all of it does.

    An interval of a mean assumes values that spread to both sides without an end. Cutting it takes nothing from its level: what is
    cut off can't be the true value.
    """
    if interval is None:
        return None
    least, most = bounds
    low, high = min(max(interval.low, least), most), max(min(interval.high, most), least)
    return interval if (low, high) == (interval.low, interval.high) else replace(interval, low=low, high=high)
