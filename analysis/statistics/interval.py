"""An interval estimate and how it was made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from pydantic import ConfigDict

from analysis.statistics.plain import STRICT

LAST_LOOK: Final = 30
"""The most runs that a configuration gets, where nothing else is said."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """``low`` ≤ ``high``, in the unit of what is estimated."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    low: float
    high: float
    level: float = LEVEL
    method: IntervalMethod
