"""Numbers as the report prints them: 2 decimals for values, 1 for percentages; a dash is "not known"."""

from __future__ import annotations

from datetime import UTC, datetime

from analysis.statistics.estimate import Estimate

ABSENT = "–"


def value(number: float | None, unit: str = "") -> str:
    """``116.82`` or ``116.82 ms``."""
    return ABSENT if number is None else f"{number:.2f}{_unit(unit)}"


def count(number: int | None) -> str:
    return ABSENT if number is None else str(number)


def mean_sd(estimate: Estimate, unit: str = "") -> str:
    """``96.69 ± 47.37 tok/s``; without an sd only the mean."""
    if estimate.mean is None:
        return ABSENT
    spread = "" if estimate.sd is None else f" ± {estimate.sd:.2f}"
    return f"{estimate.mean:.2f}{spread}{_unit(unit)}"


def percent(ratio: float | None) -> str:
    """``49.0%`` from 0.49."""
    return ABSENT if ratio is None else f"{ratio * 100:.1f}%"


def seconds(milliseconds: float | None) -> str:
    """``9.69s`` from 9690.9 ms."""
    return ABSENT if milliseconds is None else f"{milliseconds / 1e3:.2f}s"


def utc(moment: datetime | None) -> str:
    """``2025-11-14 19:25:59 UTC``."""
    return "not recorded" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def plural(number: int, noun: str) -> str:
    """``1 call``, ``2 calls``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""
