"""Identity of this machine, this boot and this process."""

from __future__ import annotations

import os
import platform
import socket
import threading
import time
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

import psutil

from contracts.outcome import GpuIdentity, HostIdentity
from worker.telemetry.gpu import gpu_identities

NVML_S = 2.0
DISTRIBUTION = "chimera-bench"
_CPU_INFO = Path("/proc/cpuinfo")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
AGAIN_S = 60.0

_known: dict[tuple[int, tuple[int, ...] | None], tuple[float, HostIdentity]] = {}
"""By process and GPU indices: when it was found out, and what."""


def host_identity(gpu_indices: Sequence[int] | None = None) -> HostIdentity:
    """Return what is known of this machine and process; of its GPUs, those of ``gpu_indices`` or all.

    Found out once a process, or again where NVML told nothing: then only after a minute.
    """
    wanted = None if gpu_indices is None else tuple(gpu_indices)
    key = (os.getpid(), wanted)  # a forked process is another one
    known = _known.get(key)
    if known is None or (known[1].gpus is None and time.monotonic() - known[0] > AGAIN_S):
        known = _known[key] = (time.monotonic(), _find_out(wanted))
    return known[1]


def _find_out(gpu_indices: Sequence[int] | None) -> HostIdentity:
    return HostIdentity(
        host=socket.gethostname(),
        pid=os.getpid(),
        os=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpu=_cpu_name(),
        cpu_count=psutil.cpu_count(logical=True),
        memory_total_bytes=psutil.virtual_memory().total,
        python=platform.python_version(),
        chimera=_version(),
        gpus=() if gpu_indices is not None and not gpu_indices else _gpus(gpu_indices),
    )


def _gpus(indices: Sequence[int] | None) -> tuple[GpuIdentity, ...] | None:
    """Ask NVML in a thread of its own: a driver that hangs must hang nothing else."""
    found: list[tuple[GpuIdentity, ...] | None] = []
    asking = threading.Thread(target=lambda: found.append(gpu_identities(indices)), daemon=True)
    asking.start()
    asking.join(NVML_S)
    return found[0] if found else None


@cache
def boot_id() -> str | None:
    """Return the id of this boot (Linux); ``None`` where the system has none.

    Monotonic clock readings of two processes can be compared only where it is the same.
    """
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _cpu_name() -> str | None:
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or None
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or None


def _version() -> str:
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"
