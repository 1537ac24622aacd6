"""All that is said of one figure over runs."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from analysis.statistics.estimate import Estimate, SdKind, moments
from analysis.statistics.interval import LAST_LOOK, Interval
from analysis.statistics.percentiles import Percentile, percentiles
from analysis.statistics.quantiles import quantile_of_sorted

__all__ = ["Description", "Percentile", "describe"]


@dataclass(frozen=True, slots=True)
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


def describe(
    values: Iterable[float | None],
    kind: SdKind = "sample",
    *,
    confidence_sequence: bool = False,
    last: int = LAST_LOOK,
    loads: Sequence[Hashable | None] | None = None,
    tails: bool = True,
) -> Description:
    """Describe the known values; a ``None`` is left out, and ``n`` shows it.

    The result does not depend on the order of the values. ``kind`` is that of ``sd`` and ``cv``; intervals rest
    on the sample's.

    ``confidence_sequence``: how many values there are was decided by looking at them, ``last`` at most. Then the
    mean's interval is one that holds at whichever number one stops, and the median has none: its interval is
    for a fixed number.

    ``loads``: to which load each value belongs, where values of one load are no independent ones. The mean's interval is
    then that of the loads' means, and the median has none. All of them are known or none is. ``tails``: whether tail
    percentiles, or what they would take, are wanted.
    """
    values = list(values)
    if loads and None not in loads:
        return _of_loads(values, loads, kind, confidence_sequence, last)
    # Models are read where nothing is estimated, in workers and producers: scipy is most of a small process's memory.
    from analysis.statistics import sequential
    from analysis.statistics.intervals import mean_interval, median_interval

    known = sorted(map(float, [value for value in values if value is not None]))
    if not known:
        return Description.none()
    return Description(
        **moments(known, kind),
        median=quantile_of_sorted(known, 0.5),
        q1=quantile_of_sorted(known, 0.25),
        q3=quantile_of_sorted(known, 0.75),
        min=known[0],
        max=known[-1],
        mean_interval=sequential.confidence_sequence(known, last)
        if confidence_sequence
        else mean_interval(known),
        median_interval=None if confidence_sequence else median_interval(known),
        percentiles=percentiles(known) if tails else (),
    )


def _of_loads(
    values: Sequence[float | None],
    loads: Sequence[Hashable | None],
    kind: SdKind,
    confidence_sequence: bool,
    last: int,
) -> Description:
    from analysis.statistics import sequential
    from analysis.statistics.intervals import mean_interval

    both = [(value, load) for value, load in zip(values, loads, strict=True) if value is not None]
    means = load_means([value for value, _ in both], [load for _, load in both])
    found = describe([value for value, _ in both], kind)
    interval = sequential.confidence_sequence(means, last) if confidence_sequence else mean_interval(means)
    return replace(found, mean_interval=interval, median_interval=None)


def load_means(values: Sequence[float], loads: Sequence[Hashable | None]) -> list[float]:
    """Return the mean of each load, in the order of their first values; the values themselves where a load is not known."""
    if not values or None in loads:
        return list(values)
    of_load: dict[Hashable, list[float]] = {}
    for value, load in zip(values, loads, strict=True):
        of_load.setdefault(load, []).append(value)
    return [math.fsum(found) / len(found) for found in of_load.values()]
