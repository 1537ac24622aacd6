"""CPU times of the whole host by /proc/stat."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

CpuTimes = tuple[float, float | None, float]
"""Busy, stolen and total time of all CPUs since boot, in one unit."""
FIRST_LINE_BYTES = 256
"""Its first line is shorter."""


class ProcFile:
    """A file that the kernel writes anew for each read from its start; it stays open, which is most of the time."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size
        self._fd = -1

    def read(self) -> bytes:
        """Return its beginning. Raises OSError."""
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(self._fd, self._size, 0)

    def close(self) -> None:
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = -1


def parse_stat(text: bytes) -> CpuTimes:
    """Return the CPU times of the first line of /proc/stat, in ticks (proc_stat(5)).

    user nice system idle iowait irq softirq steal guest guest_nice; the guests' times are in user and nice.
    Kernels before 2.6.11 have no steal. Raises ValueError.
    """
    name, *fields = text.partition(b"\n")[0].split()
    if name != b"cpu" or len(fields) < 7:
        raise ValueError(f"no CPU times in {text[:40]!r}")
    user, nice, system, idle, iowait, irq, softirq = map(int, fields[:7])
    steal = int(fields[7]) if len(fields) > 7 else None
    busy = user + nice + system + irq + softirq
    return busy, steal, busy + idle + iowait + (steal or 0)
