"""The one monotonic clock of all measured times, and its wall-clock companion.

``time.perf_counter_ns`` is system-wide (CLOCK_MONOTONIC on Linux): two processes of one boot can
compare their readings; readings of different boots or hosts mean nothing to each other.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

now_ns = time.perf_counter_ns
"""Now, in integer nanoseconds of the monotonic clock."""


def utc_now() -> datetime:
    """Return the wall-clock time, UTC; for anchoring, never for measuring."""
    return datetime.now(UTC)
