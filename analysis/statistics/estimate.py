"""Mean, standard deviation and coefficient of variation of a sample."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np

from contracts.base import Strict

SdKind = Literal["sample", "population"]
"""``sample`` divides by n − 1 (the seeds' own), ``population`` by n (the other published one)."""

_DDOF = {"sample": 1, "population": 0}


class Estimate(Strict):
    """Location and spread of n known values, in the values' unit."""

    n: int
    """How many values were known. 0: all else is ``None``."""
    mean: float | None
    sd: float | None
    """``None`` for n < 2: one value shows no spread, whichever the estimator."""
    cv: float | None
    """sd / mean as a plain ratio (0.49 is 49 %); ``None`` where sd is, or where the mean is 0."""


def estimate(values: Iterable[float | None], kind: SdKind = "sample") -> Estimate:
    """Estimate from the known values; a ``None`` is left out, and ``n`` shows it.

    The result does not depend on the order of the values.
    """
    known = np.sort(np.array([value for value in values if value is not None], dtype=np.float64))
    if known.size == 0:
        return Estimate(n=0, mean=None, sd=None, cv=None)
    mean = float(np.mean(known))
    if known.size == 1:
        return Estimate(n=1, mean=mean, sd=None, cv=None)
    sd = float(np.std(known, ddof=_DDOF[kind]))
    return Estimate(n=known.size, mean=mean, sd=sd, cv=_ratio(sd, mean))


def _ratio(sd: float, mean: float) -> float | None:
    with np.errstate(all="ignore"):
        ratio = float(np.divide(sd, mean))
    return ratio if np.isfinite(ratio) else None
