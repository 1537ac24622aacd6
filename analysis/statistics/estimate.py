"""Mean, standard deviation and coefficient of variation of a sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypedDict

from pydantic import ConfigDict

from analysis.statistics.plain import STRICT

SdKind = Literal["sample", "population"]
"""``sample`` divides by n − 1 (the seeds' own), ``population`` by n (the other published one)."""

_DDOF = {"sample": 1, "population": 0}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Location and spread of n known values, in the values' unit."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    n: int
    """How many values were known. 0: all else is ``None``."""
    mean: float | None
    sd: float | None
    """``None`` for n < 2: one value shows no spread, whichever the estimator."""
    cv: float | None
    """sd / mean as a plain ratio (0.49 is 49 %); ``None`` where sd is, or where the mean is 0."""

    @classmethod
    def nothing(cls) -> Estimate:
        """Return the estimate from no values."""
        return Estimate(n=0, mean=None, sd=None, cv=None)


def estimate(values: Iterable[float | None], kind: SdKind = "sample") -> Estimate:
    """Estimate from the known values; a ``None`` is left out, and ``n`` shows it.

    The result does not depend on the order of the values.
    """
    known = [value for value in values if value is not None]
    return Estimate(**moments(known, kind))


class Moments(TypedDict):
    """The fields of an :class:`Estimate`."""

    n: int
    mean: float | None
    sd: float | None
    cv: float | None


def moments(known: Sequence[float], kind: SdKind = "sample") -> Moments:
    """Return what an :class:`Estimate` of the values holds.

    Sums are exact before they are rounded once (J. R. Shewchuk, Adaptive precision floating-point arithmetic, 1997),
    so that neither order nor machine changes a digit.
    """
    n = len(known)
    if n == 0:
        return {"n": 0, "mean": None, "sd": None, "cv": None}
    mean = math.fsum(known) / n
    if n == 1:
        return {"n": 1, "mean": float(known[0]), "sd": None, "cv": None}
    squares = [(value - mean) * (value - mean) for value in known]
    sd = math.sqrt(math.fsum(squares) / (n - _DDOF[kind]))
    return {"n": n, "mean": mean, "sd": sd, "cv": _ratio(sd, mean)}


def _ratio(sd: float, mean: float) -> float | None:
    if mean == 0:
        return None
    ratio = sd / mean
    return ratio if math.isfinite(ratio) else None
