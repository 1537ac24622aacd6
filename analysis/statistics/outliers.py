"""Values far from the others of their sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.statistics.quantiles import quantile

FENCES_FROM = 5
"""From five values on no quartile rests on the smallest or the largest value. With three none can be outside."""
_REACH = 1.5
"""Interquartile ranges from the quartile to the fence: Tukey (1977), "Exploratory Data Analysis"."""


@dataclass(frozen=True)
class Fences:
    """What lies below ``low`` or above ``high`` is flagged."""

    low: float
    high: float

    def hold(self, value: float) -> bool:
        return self.low <= value <= self.high


def fences(values: Sequence[float]) -> Fences | None:
    """Return Tukey's inner fences; ``None`` below :data:`FENCES_FROM` values.

    Where the middle half of the values is equal, the fences are one value: whatever differs is flagged.
    """
    if len(values) < FENCES_FROM:
        return None
    q1, q3 = quantile(values, 0.25), quantile(values, 0.75)
    reach = _REACH * (q3 - q1)
    return Fences(q1 - reach, q3 + reach)
