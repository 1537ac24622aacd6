"""What the samples of GPU and host say about one stage, and the formula of energy per token.

Telemetry is sampled beside a measurement and never decides one: a figure that could not be read is
``None``, and a stage without any is still a measurement.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Strict

Percent = Annotated[float, Field(ge=0, le=100)]
NonNegative = Annotated[float, Field(ge=0)]

EnergySource = Literal["counter", "power"]
"""``counter``: the difference of NVML's total energy counter. ``power``: the integral of the power readings."""


class GpuTelemetry(Strict):
    """One GPU during one stage: the whole GPU, whichever processes use it.

    A figure is ``None`` where NVML does not give it, where its reading failed, and where the stage held no
    sample of it.
    """

    index: int
    """NVML's index: PCI bus order, which ``CUDA_VISIBLE_DEVICES`` does not change."""
    uuid: str | None = None

    energy_j: NonNegative | None = None
    """Energy from the start to the end of the stage, joules, idle draw included.

    ``counter``: nvmlDeviceGetTotalEnergyConsumption (mJ since the driver was loaded; Volta and newer),
    linearly interpolated at the stage's edges. NVML does not document how often the counter moves (about
    every 0.1 s has been seen), so each edge is known to one such step. ``power``, for GPUs without the
    counter: trapezoidal integral of nvmlDeviceGetPowerUsage, with the power interpolated at the edges.

    ``None``, never 0, where the stage is too short to tell: fewer than two samples inside, a counter that
    was not seen to move twice inside, no sample on both sides of an edge, or a hole in the samples that
    nothing bridges (at an edge; for ``power`` anywhere).
    """
    energy_source: EnergySource | None = None
    mean_power_w: NonNegative | None = None
    """``energy_j`` / duration of the stage, watts."""
    max_power_w: NonNegative | None = None
    """Highest nvmlDeviceGetPowerUsage inside the stage, watts.

    NVML: on GA100 and older GPUs the power of the moment, on Ampere (except GA100) and newer ones the mean
    of the last second, so a stage's first second still shows what was before it and short peaks are missing.
    """
    mean_utilisation_percent: Percent | None = None
    """Mean of NVML's GPU utilisation: the share of its last sampling period (1/6 s to 1 s, by product) in
    which a kernel ran, however little of the GPU that kernel used."""
    peak_memory_bytes: Annotated[int, Field(ge=0)] | None = None
    """Highest memory in use, by all processes and the driver's own reserve."""
    peak_temperature_c: int | None = None
    """Highest temperature of the GPU die, degrees Celsius."""
    mean_sm_clock_mhz: NonNegative | None = None
    min_sm_clock_mhz: Annotated[int, Field(ge=0)] | None = None
    throttle_reasons: tuple[str, ...] | None = None
    """What held the clocks down, in short words (``power cap``, ``thermal (hardware)``, …), each that a
    sample inside the stage showed.

    Empty: sampled, never throttled. An idle GPU and clocks that somebody set (application clocks, display
    clocks) are not throttling and are left out. A reason that is not known by name is ``unknown (0x800)``.
    """
    throttled: bool | None = None
    """Whether a known reason held the clocks down; ``None`` where only unknown ones did."""


class StageTelemetry(Strict):
    """GPU and host during one stage. Host figures are those of the whole host, as its kernel shows it."""

    samples: Annotated[int, Field(ge=0)]
    """Samples taken inside the stage."""
    period_s: Annotated[float, Field(gt=0)]
    """Time between two samples that was asked for, seconds."""
    max_gap_s: NonNegative | None = None
    """Longest part of the stage without a sample, its edges counted as the ends of such parts, seconds;
    ``None`` where the stage held no sample."""

    gpus: tuple[GpuTelemetry, ...] | None = None
    """``None``: no NVML here; empty: NVML is here and sees no (such) GPU."""

    cpu_busy_percent: Percent | None = None
    """Mean share of all CPUs' time spent on work (user, nice, system, interrupts), stolen time apart."""
    cpu_steal_percent: Percent | None = None
    """Mean share of all CPUs' time in which the hypervisor ran something else while this host had work."""
    load_1min: NonNegative | None = None
    """Mean of the 1-minute load average."""
    memory_used_bytes: Annotated[int, Field(ge=0)] | None = None
    """Highest memory in use: total less available."""
    process_cpu_percent: NonNegative | None = None
    """Mean CPU use of this worker process, all threads; 100 is one CPU."""

    @property
    def energy_j(self) -> float | None:
        """Energy of all sampled GPUs, joules; ``None`` where there is none or one of them is not known.

        All GPUs of the host where the worker is not pinned to one, those of its other slots included.
        """
        if not self.gpus:
            return None
        energies = [gpu.energy_j for gpu in self.gpus if gpu.energy_j is not None]
        return sum(energies) if len(energies) == len(self.gpus) else None

    @property
    def throttled(self) -> bool | None:
        """Whether any sampled GPU was throttled; ``None`` where none was but one is not known."""
        known = [gpu.throttled for gpu in self.gpus or ()]
        if any(known):
            return True
        return False if known and None not in known else None


def joules_per_token(energy_j: float | None, tokens: int | None) -> float | None:
    """Energy per generated token: energy of the whole stage / tokens, J.

    The energy holds the prompt's processing, the model's load where the stage had one, and the GPU's idle
    draw, so it can be compared only between stages of one workload. ``None`` where either is missing or no
    token was generated.
    """
    return None if energy_j is None or not tokens else energy_j / tokens
