"""Sums that know what they lack."""

from __future__ import annotations

import math
from collections.abc import Sequence


def total_float(values: Sequence[float | None]) -> float | None:
    """Sum of the known values, whatever their order; ``None`` where none is known."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def total_count(values: Sequence[int | None]) -> int | None:
    """Exact sum of the known counts; ``None`` where none is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
