"""One moment of host and GPUs, as read: plain numbers in the units of their sources."""

from __future__ import annotations

from typing import NamedTuple


class HostSample(NamedTuple):
    """The host at one moment; cumulative CPU times in any one unit."""

    cpu_busy: float | None = None
    """User, nice, system and interrupts, all CPUs, since boot."""
    cpu_steal: float | None = None
    cpu_total: float | None = None
    """Busy, stolen, idle and waiting."""
    load_1min: float | None = None
    memory_used_bytes: int | None = None
    process_cpu_ns: int | None = None
    """CPU time of this process since its start."""


class GpuSample(NamedTuple):
    """One GPU at one moment."""

    gpu: int
    """NVML's index."""
    at_ns: int
    """Read just before the energy counter, which is read first."""
    energy_mj: int | None = None
    """Since the driver was loaded."""
    power_mw: int | None = None
    utilisation_percent: int | None = None
    memory_used_bytes: int | None = None
    temperature_c: int | None = None
    sm_clock_mhz: int | None = None
    throttle_mask: int | None = None


class Sample(NamedTuple):
    """Host and GPUs at one tick."""

    at_ns: int
    host: HostSample
    gpus: tuple[GpuSample, ...] = ()


class GpuKey(NamedTuple):
    """Which GPU is sampled."""

    gpu: int
    """NVML's index."""
    uuid: str | None = None
