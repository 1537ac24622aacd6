"""The numbers of a report (:mod:`analysis.formatting`): findings and verdicts print them too."""

from __future__ import annotations

from analysis.formatting import (
    ABSENT,
    count,
    decimals,
    ends,
    mean_interval,
    mean_sd,
    p_value,
    p_words,
    percent,
    plural,
    seconds,
    signed,
    utc,
    value,
)

__all__ = [
    "ABSENT",
    "count",
    "decimals",
    "ends",
    "mean_interval",
    "mean_sd",
    "p_value",
    "p_words",
    "percent",
    "plural",
    "seconds",
    "signed",
    "utc",
    "value",
]
