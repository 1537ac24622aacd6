"""Two results against each other: may they be compared, what differs, and is it a regression.

Pure: two summaries with their manifests → one :class:`ComparisonOfResults`.
"""

from __future__ import annotations

from analysis.compare.gates import parse_metrics, parse_thresholds
from analysis.compare.models import (
    ALLOWABLE,
    ComparisonOfResults,
    Condition,
    Gate,
    Match,
    Regression,
    Threshold,
    Unmatched,
)
from analysis.compare.results import Result, compare_results

__all__ = [
    "ALLOWABLE",
    "ComparisonOfResults",
    "Condition",
    "Gate",
    "Match",
    "Regression",
    "Result",
    "Threshold",
    "Unmatched",
    "compare_results",
    "parse_metrics",
    "parse_thresholds",
]
