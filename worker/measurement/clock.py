"""The one monotonic clock of all measured times, and its wall-clock companion.

``time.perf_counter_ns`` is system-wide (CLOCK_MONOTONIC on Linux): two processes of one boot can
compare their readings; readings of different boots or hosts mean nothing to each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

now_ns = time.perf_counter_ns
"""Now, in integer nanoseconds of the monotonic clock."""


CLOCK_TRIES = 5
"""How often clocks are read until no other process came between; the closest readings count."""


class Together(NamedTuple):
    """Other clocks at one moment of the monotonic one."""

    at_ns: int
    unsure_ns: int
    """How far from ``at_ns`` the readings can lie, either way."""
    others_ns: tuple[int, ...]


def read_together(*others: Callable[[], int], undisturbed_ns: int) -> Together:
    """Read clocks as close together as they can be had; in less than ``undisturbed_ns`` is close enough."""
    best: Together | None = None
    for _ in range(CLOCK_TRIES):
        before_ns = now_ns()
        others_ns = tuple(read() for read in others)
        passed_ns = now_ns() - before_ns
        if best is None or passed_ns // 2 < best.unsure_ns:
            best = Together(before_ns + passed_ns // 2, passed_ns // 2, others_ns)
        if passed_ns < undisturbed_ns:
            break
    assert best is not None
    return best


def utc_now() -> datetime:
    """Return the wall-clock time, UTC; for anchoring, never for measuring."""
    return datetime.now(UTC)
