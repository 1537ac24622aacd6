"""An interval estimate and how it was made."""

from __future__ import annotations

from typing import Literal

from contracts.base import Strict

LEVEL = 0.95
"""Confidence of every interval of a report."""

IntervalMethod = Literal[
    "t",
    "bca",
    "order-statistics",
    "confidence-sequence",
    "paired-t",
    "welch",
]


class Interval(Strict):
    """``low`` ≤ ``high``, in the unit of what is estimated."""

    low: float
    high: float
    level: float = LEVEL
    method: IntervalMethod
