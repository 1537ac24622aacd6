"""Values → pixels, and the round numbers along an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_MOST_TICKS = 12


@dataclass(frozen=True)
class Scale:
    """Linear: ``low`` lies at pixel ``start``, ``high`` at ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, wanted: int) -> tuple[tuple[float, str], ...]:
        """Return about ``wanted`` round values within the scale, as written on an axis."""
        step = _step((self.high - self.low) / max(wanted, 1))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        places = range(first, min(last, first + _MOST_TICKS) + 1)
        return tuple((place * step, _written(place * step, step)) for place in places)


def scale(
    values: Iterable[float], start: float, end: float, *, zero: bool = False, margin: float = 0.04
) -> Scale:
    """Return a scale that holds all values, with a margin on both sides (none below a 0 that it begins with)."""
    known = [value for value in values if math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        pad = abs(high) * 0.05 or 1.0
        low, high = (low if zero and low == 0 else low - pad), high + pad
    pad = (high - low) * margin
    return Scale(
        low if zero and low == 0 else low - pad, high if zero and high == 0 else high + pad, start, end
    )


def _step(least: float) -> float:
    """The smallest of 1, 2, 2.5, 5 × 10^k that is not below ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in _ROUND if factor * power >= least * (1 - 1e-9))


def _written(value: float, step: float) -> str:
    if abs(value) < step / 2:
        return "0"
    if abs(value) >= 1e7 or step < 1e-5:
        return f"{value:.4g}"
    mantissa = step / 10.0 ** math.floor(math.log10(step) + 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) + (abs(mantissa - 2.5) < 1e-6)
    return f"{value:,.{decimals if step < 10 else 0}f}"
