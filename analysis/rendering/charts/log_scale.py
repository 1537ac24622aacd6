"""Positive values → pixels by their logarithm, and the round numbers along such an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

SPAN_FROM = 10.0
"""Largest / smallest value from which on a logarithmic axis tells more: below, a linear one does."""
_MANTISSAS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), tuple(map(float, range(1, 10))))
"""From few ticks a decade to many."""


@dataclass(frozen=True)
class LogScale:
    """Logarithmic: ``low`` > 0 lies at pixel ``start``, ``high`` at ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, wanted: int) -> tuple[tuple[float, str], ...]:
        """Return round values within the scale, as many as come near ``wanted`` without exceeding it by half."""
        made = [self._at(mantissas) for mantissas in _MANTISSAS]
        fitting = [found for found in made if 2 <= len(found) <= 1.5 * wanted]
        best = max(fitting, key=len) if fitting else min(made, key=lambda found: abs(len(found) - wanted))
        thinned = best[:: max(1, math.ceil(len(best) / (1.5 * wanted)))]
        return tuple((value, f"{value:,.10g}" if value < 1e7 else f"{value:.4g}") for value in thinned)

    def _at(self, mantissas: tuple[float, ...]) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        found = (
            mantissa * 10.0**power if power >= 0 else mantissa / 10.0**-power
            for power in range(first, last + 1)
            for mantissa in mantissas
        )
        return [value for value in found if self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)]


def log_scale(values: Iterable[float], start: float, end: float, margin: float = 0.04) -> LogScale:
    """Return a scale that holds all positive values, with a margin on both sides."""
    known = [value for value in values if value > 0 and math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (1.0, 10.0)
    if high <= low * (1 + 1e-9):
        low, high = low / 2, high * 2
    room = (high / low) ** margin
    return LogScale(low / room, high * room, start, end)


def spans_decades(values: Iterable[float]) -> bool:
    """Whether all values are positive and a logarithmic axis suits them."""
    known = [value for value in values if math.isfinite(value)]
    return bool(known) and min(known) > 0 and max(known) >= SPAN_FROM * min(known)
