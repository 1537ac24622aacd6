"""Numbers as the report prints them: 2 decimals for values, 1 for percentages; a dash is "not known".

Where an interval is known, a mean has as many decimals as the interval's half-width with two significant
digits (JCGM 100:2008, 7.2.6): more would be digits that another repetition changes.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from analysis.statistics.description import Description
from analysis.statistics.estimate import Estimate
from analysis.statistics.interval import Interval

ABSENT = "–"
MINUS = "\u2212"
_DECIMALS = 2
_MOST_DECIMALS = 6
_SIGNIFICANT = 2
_SYMMETRIC = 1e-6


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


def two_digits(percent: float) -> str:
    """Return a percentage of 0 or more by two significant digits, never as a power of ten; what is but rounding is 0."""
    if percent < 1e-6:
        return "0"
    return f"{percent:.0f}" if percent >= 10 else f"{percent:.2g}"


def decimals(interval: Interval | None) -> int:
    """Return the decimals that an estimate with this interval can carry."""
    half = 0.0 if interval is None else (interval.high - interval.low) / 2
    if not half > 0:
        return _DECIMALS
    return min(max(_SIGNIFICANT - 1 - math.floor(math.log10(half)), 0), _MOST_DECIMALS)


def mean_interval(description: Description, unit: str = "") -> str:
    """``112.34 ± 0.87 tok/s``: the mean and its 95 % interval's half-width, or both ends where it is not symmetric.

    Without an interval the mean alone; ``(one run)`` where there is one value.
    """
    if description.mean is None:
        return ABSENT
    if description.n == 1:
        return f"{description.mean:.2f}{_unit(unit)} (one run)"
    interval = description.mean_interval
    if interval is None:
        return f"{description.mean:.2f}{_unit(unit)}"
    places = decimals(interval)
    up, down = interval.high - description.mean, description.mean - interval.low
    if abs(up - down) <= _SYMMETRIC * max(abs(up), abs(down)):
        return f"{description.mean:.{places}f} ± {up:.{places}f}{_unit(unit)}"
    return f"{description.mean:.{places}f}{_unit(unit)} ({ends(interval, places)})"


def ends(interval: Interval | None, places: int | None = None) -> str:
    """``111.47 to 113.21``."""
    if interval is None:
        return ABSENT
    shown = decimals(interval) if places is None else places
    return f"{_minus(interval.low, shown)} to {_minus(interval.high, shown)}"


def signed(number: float | None, interval: Interval | None = None, unit: str = "") -> str:
    """``+12.3 %``: a difference, with the decimals that its interval carries."""
    if number is None:
        return ABSENT
    return f"{number:+.{decimals(interval)}f}{_unit(unit)}".replace("-", MINUS)


def p_value(p: float | None) -> str:
    """``0.012``, ``< 0.001``."""
    if p is None:
        return ABSENT
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def p_words(p: float) -> str:
    """``p = 0.012``, ``p < 0.001``."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def seconds(milliseconds: float | None) -> str:
    """``9.69s`` from 9690.9 ms."""
    return ABSENT if milliseconds is None else f"{milliseconds / 1e3:.2f}s"


def utc(moment: datetime | None) -> str:
    """``2025-11-14 19:25:59 UTC``."""
    return "not recorded" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def plural(number: int, noun: str) -> str:
    """``1 call``, ``2 calls``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _minus(number: float, places: int) -> str:
    return f"{number:.{places}f}".replace("-", MINUS)


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""
