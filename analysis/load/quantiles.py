"""Quantiles over the requests of one run, and when a run has enough requests for one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

from analysis.models.load import Spread
from analysis.statistics.interval import LEVEL
from analysis.statistics.quantiles import quantile_of_sorted

PERCENTS = (50, 90, 99)


@cache
def fewest(percent: int) -> int:
    """Return how many requests of a run a quantile takes, 50 ≤ ``percent`` < 100: 6 for p50, 29 for p90, 299 for p99.

    From that many on the quantile lies between the smallest and the largest with 95 %, whatever the distribution:
    1 − pⁿ − (1 − p)ⁿ ≥ 0.95 (S. S. Wilks, Annals of Mathematical Statistics 12 (1941) 91–96). It is what the median of runs
    asks for too. LoadGen's rule (:func:`analysis.statistics.percentiles.needed`) wants one run to be precise by itself, which
    takes 262,742 requests for p99, more than a run may have; here the spread over runs tells how precise it is.
    """
    p = percent / 100
    n = max(1, math.floor(math.log(1 - LEVEL) / math.log(p)) - 1)
    while 1 - p**n - (1 - p) ** n < LEVEL:
        n += 1
    return n


def spread(values: Iterable[float | None]) -> Spread:
    """Describe the known values; their order does not matter."""
    known = sorted(value for value in values if value is not None)
    n = len(known)
    if not n:
        return Spread()
    p50, p90, p99 = (quantile_of_sorted(known, p / 100) if n >= fewest(p) else None for p in PERCENTS)
    return Spread(n=n, mean=math.fsum(known) / n, p50=p50, p90=p90, p99=p99)
