"""The state of process, host and clocks at one moment; two of them tell what happened between."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from worker.measurement.clock import read_together
from worker.measurement.proc_stat import FIRST_LINE_BYTES, ProcFile, parse_stat

MIN_TICKS = 50
"""The kernel counts in ticks of 10 ms a core: a share of fewer is too coarse to be told."""

UNDISTURBED_NS = 20_000
"""Four clock readings in a row take less, unless another process came between."""

_stat = ProcFile(Path("/proc/stat"), FIRST_LINE_BYTES)


@dataclass(frozen=True)
class Conditions:
    """Cumulated readings; ``None`` where the system does not tell."""

    at_ns: int
    wall_ns: int
    boot_ns: int | None
    """A clock that goes on while the host sleeps."""
    process_cpu_ns: int
    host_ticks: tuple[float, float, float] | None
    """All cores: total, idle, stolen."""

    @classmethod
    def now(cls) -> Conditions:
        """Read all clocks and counters; some 30 µs."""
        # A pause between two of the readings would look like a jump of a clock, or like a sleep of the host.
        boot = (_boot_ns,) if hasattr(time, "CLOCK_BOOTTIME") else ()
        moment = read_together(time.time_ns, *boot, undisturbed_ns=UNDISTURBED_NS)
        return cls(
            at_ns=moment.at_ns,
            wall_ns=moment.others_ns[0],
            boot_ns=moment.others_ns[1] if boot else None,
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


def _boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _host_ticks() -> tuple[float, float, float] | None:
    if sys.platform != "linux":
        return None
    try:
        busy, steal, total = parse_stat(_stat.read())
    except (OSError, ValueError):
        return None
    return None if steal is None else (total, total - busy - steal, steal)


def _shares(
    begin: tuple[float, float, float] | None, end: tuple[float, float, float] | None
) -> tuple[float | None, float | None]:
    if begin is None or end is None or end[0] - begin[0] < MIN_TICKS:
        return None, None
    total = end[0] - begin[0]
    return 100.0 * (1 - (end[1] - begin[1]) / total), 100.0 * (end[2] - begin[2]) / total
