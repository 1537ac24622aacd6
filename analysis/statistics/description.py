"""All that is said of one figure over runs."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.statistics.estimate import Estimate, SdKind, estimate
from analysis.statistics.interval import Interval
from contracts.base import Strict


class Percentile(Strict):
    """A tail percentile, or how many values it would take."""

    percent: float
    """90, 95, 99."""
    value: float | None
    """``None``: the sample can't carry it."""
    needs: int
    """Values that LoadGen's rule asks for."""


class Description(Estimate):
    """An estimate with order statistics and intervals; ``None``: too few values to tell."""

    median: float | None = None
    q1: float | None = None
    q3: float | None = None
    min: float | None = None
    max: float | None = None
    mean_interval: Interval | None = None
    median_interval: Interval | None = None
    percentiles: tuple[Percentile, ...] = ()

    @property
    def iqr(self) -> float | None:
        """Interquartile range, q3 − q1."""
        return None if self.q1 is None or self.q3 is None else self.q3 - self.q1

    @classmethod
    def none(cls) -> Description:
        """Return the description of no values."""
        return cls(n=0, mean=None, sd=None, cv=None)


def describe(values: Iterable[float | None], kind: SdKind = "sample") -> Description:
    """Describe the known values; a ``None`` is left out, and ``n`` shows it.

    The result does not depend on the order of the values.
    """
    known = [value for value in values if value is not None]
    return Description(**dict(estimate(known, kind)))
