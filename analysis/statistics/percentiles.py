"""Tail percentiles, and when a sample can carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from pydantic import ConfigDict

from analysis.statistics.plain import STRICT
from analysis.statistics.quantiles import quantile

TAIL_PERCENTS = (90.0, 95.0, 99.0)

_CONFIDENCE = 0.99
_MARGIN = 1 / 20
"""Of what lies beyond the percentile."""


@dataclass(frozen=True, slots=True)
class Percentile:
    """A tail percentile, or how many values it would take."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    percent: float
    """90, 95, 99."""
    value: float | None
    """``None``: the sample can't carry it."""
    needs: int
    """Values that LoadGen's rule asks for."""


@cache
def needed(percent: float) -> int:
    """Return how many values a tail percentile takes, for 50 ≤ ``percent`` < 100.

    MLPerf Inference Rules, number of queries for LoadGen: NormsInv((1 − confidence) / 2)² · p · (1 − p) /
    margin² with a confidence of 99 % and a margin of (1 − p) / 20. Rounded to the nearest, as in the rules' own
    table (90 %: 23,886; 95 %: 50,425; 97 %: 85,811; 99 %: 262,742).
    """
    if not 50 <= percent < 100:
        raise ValueError(f"a tail percentile is at least 50 and below 100, not {percent}")
    p = percent / 100
    from scipy import special  # see analysis.statistics.description

    z = float(special.ndtri((1 - _CONFIDENCE) / 2))
    return round(z * z * p * (1 - p) / ((1 - p) * _MARGIN) ** 2)


def percentiles(values: Sequence[float], percents: Sequence[float] = TAIL_PERCENTS) -> tuple[Percentile, ...]:
    """Return tail percentiles; one that the values can't carry has none."""
    return tuple(_percentile(values, percent) for percent in percents)


def _percentile(values: Sequence[float], percent: float) -> Percentile:
    needs = needed(percent)
    if len(values) < needs:
        return _none(percent)
    return Percentile(percent=percent, value=quantile(values, percent / 100), needs=needs)


@cache
def _none(percent: float) -> Percentile:
    """One for all that can't be carried: they are frozen, and there are hundreds in a report."""
    return Percentile(percent=percent, value=None, needs=needed(percent))


def shortfall(percentile: Percentile, n: int, what: str = "values") -> str | None:
    """Say what a percentile of ``n`` values lacks; ``None``: nothing."""
    if n >= percentile.needs:
        return None
    return (
        f"p{percentile.percent:g} needs {percentile.needs:,} {what}, here are {n:,}: "
        f"{percentile.needs - n:,} more"
    )
