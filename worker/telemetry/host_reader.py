"""What the kernel says about the whole host, read with as little Python as possible."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psutil

from worker.measurement.proc_stat import FIRST_LINE_BYTES, CpuTimes, ProcFile, parse_stat
from worker.telemetry.reading import Reading
from worker.telemetry.sample import HostSample

PROC = Path("/proc")
_KIB = 1024
MEMINFO_BYTES = 256
"""The first lines, which hold what is parsed, are shorter."""

Note = Callable[[str], None]


class HostReader(Protocol):
    """Reads the host; never raises."""

    def read(self) -> HostSample:
        """Return the host now; what can't be read is ``None``."""

    def close(self) -> None:
        """Give back what reading needed."""


def open_host(note: Note, proc: Path = PROC) -> HostReader:
    """Return the reader for this system: /proc where it is there, psutil elsewhere."""
    return ProcReader(note, proc) if (proc / "stat").exists() else PsutilReader(note)


class ProcReader:
    """Linux: two files of /proc that stay open, one ``pread`` each.

    A ``pread`` gives the interpreter's lock away and has to get it back from the thread that measures;
    ``os.getloadavg`` keeps it for its few microseconds, which disturbs less.
    """

    def __init__(self, note: Note, proc: Path = PROC) -> None:
        self._stat, self._meminfo = (
            ProcFile(proc / "stat", FIRST_LINE_BYTES),
            ProcFile(proc / "meminfo", MEMINFO_BYTES),
        )
        self._cpu = Reading(str(self._stat.path), lambda: parse_stat(self._stat.read()), note)
        self._memory = Reading(str(self._meminfo.path), lambda: parse_meminfo(self._meminfo.read()), note)
        self._load = Reading("load average", lambda: os.getloadavg()[0], note)

    def read(self) -> HostSample:
        busy, steal, total = self._cpu() or (None, None, None)
        return HostSample(busy, steal, total, self._load(), self._memory(), time.process_time_ns())

    def close(self) -> None:
        self._stat.close()
        self._meminfo.close()


class PsutilReader:
    """Systems without /proc."""

    def __init__(self, note: Note) -> None:
        self._cpu = Reading("CPU times", _psutil_cpu, note)
        self._load = Reading("load average", lambda: psutil.getloadavg()[0], note)
        self._memory = Reading("memory", _psutil_memory, note)

    def read(self) -> HostSample:
        busy, steal, total = self._cpu() or (None, None, None)
        return HostSample(busy, steal, total, self._load(), self._memory(), time.process_time_ns())

    def close(self) -> None:
        return None


def parse_meminfo(text: bytes) -> int:
    """Return MemTotal − MemAvailable of /proc/meminfo in bytes (proc_meminfo(5): its kB are 1024 bytes)."""
    lines = dict(line.split(b":", 1) for line in text.splitlines()[:3])
    total, available = (int(lines[key].split()[0]) for key in (b"MemTotal", b"MemAvailable"))
    return (total - available) * _KIB


def _psutil_cpu() -> CpuTimes:
    times = psutil.cpu_times()._asdict()
    steal = times.get("steal")
    waiting = times["idle"] + times.get("iowait", 0.0)
    total = sum(value for name, value in times.items() if name not in ("guest", "guest_nice"))
    return total - waiting - (steal or 0.0), steal, total


def _psutil_memory() -> int:
    memory = psutil.virtual_memory()
    return int(memory.total - memory.available)
