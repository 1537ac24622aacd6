"""The state of process, host and clocks at one moment; two of them tell what happened between."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from worker.measurement.clock import now_ns

MIN_TICKS = 50
"""The kernel counts in ticks of 10 ms a core: a share of fewer is too coarse to be told."""

UNDISTURBED_NS = 20_000
CLOCK_TRIES = 5
"""How often the clocks are read until no other process came between; the closest readings count."""

STAT_BYTES = 256
"""Its first line is shorter."""

_STAT = Path("/proc/stat")
_STEAL = 7
_IDLE = (3, 4)
"""Of the first line of /proc/stat (proc_pid_stat(5)): idle and iowait; steal."""


@dataclass(frozen=True)
class Conditions:
    """Cumulated readings; ``None`` where the system does not tell."""

    at_ns: int
    wall_ns: int
    boot_ns: int | None
    """A clock that goes on while the host sleeps."""
    process_cpu_ns: int
    host_ticks: tuple[int, int, int] | None
    """All cores: total, idle, stolen."""

    @classmethod
    def now(cls) -> Conditions:
        """Read all clocks and counters; some 30 µs."""
        at_ns, wall_ns, boot_ns = _clocks()
        return cls(
            at_ns=at_ns,
            wall_ns=wall_ns,
            boot_ns=boot_ns,
            process_cpu_ns=time.process_time_ns(),
            host_ticks=_host_ticks(),
        )


@dataclass(frozen=True)
class Interval:
    """What happened between two conditions. Per cents: of one core for the process, of all for the host."""

    process_cpu_percent: float | None
    host_busy_percent: float | None
    host_steal_percent: float | None
    load_1min: float | None
    clock_jump_ns: int
    slept_ns: int | None

    @classmethod
    def of(cls, begin: Conditions, end: Conditions) -> Interval:
        passed_ns = end.at_ns - begin.at_ns
        busy, steal = _shares(begin.host_ticks, end.host_ticks)
        slept = None
        if begin.boot_ns is not None and end.boot_ns is not None:
            slept = end.boot_ns - begin.boot_ns - passed_ns
        return cls(
            process_cpu_percent=(
                100.0 * (end.process_cpu_ns - begin.process_cpu_ns) / passed_ns if passed_ns > 0 else None
            ),
            host_busy_percent=busy,
            host_steal_percent=steal,
            load_1min=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            clock_jump_ns=end.wall_ns - begin.wall_ns - passed_ns,
            slept_ns=slept,
        )


def _clocks() -> tuple[int, int, int | None]:
    """Return one moment by the monotonic, the wall and the boot clock.

    A pause between two of the readings would look like a jump of a clock, or like a sleep of the host.
    """
    readings = []
    for _ in range(CLOCK_TRIES):
        before_ns, wall_ns = now_ns(), time.time_ns()
        boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else None
        passed_ns = now_ns() - before_ns
        readings.append((passed_ns, before_ns + passed_ns // 2, wall_ns, boot_ns))
        if passed_ns < UNDISTURBED_NS:
            break
    _, at_ns, wall_ns, boot_ns = min(readings, key=lambda reading: reading[0])
    return at_ns, wall_ns, boot_ns


def _host_ticks() -> tuple[int, int, int] | None:
    if sys.platform != "linux":
        return None
    try:
        line, _, _ = os.pread(_stat_file(), STAT_BYTES, 0).partition(b"\n")
        fields = [int(word) for word in line.split()[1:9]]
    except (OSError, ValueError):
        return None
    if len(fields) <= _STEAL:
        return None
    return sum(fields), sum(fields[i] for i in _IDLE), fields[_STEAL]


@cache
def _stat_file() -> int:
    """Return a descriptor of /proc/stat; it is kept: opening takes longer than reading."""
    return os.open(_STAT, os.O_RDONLY | os.O_CLOEXEC)


def _shares(
    begin: tuple[int, int, int] | None, end: tuple[int, int, int] | None
) -> tuple[float | None, float | None]:
    if begin is None or end is None or end[0] - begin[0] < MIN_TICKS:
        return None, None
    total = end[0] - begin[0]
    return 100.0 * (1 - (end[1] - begin[1]) / total), 100.0 * (end[2] - begin[2]) / total
