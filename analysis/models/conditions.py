"""Under which conditions a configuration was measured, and what the server made of what was asked."""

from __future__ import annotations

from analysis.statistics.estimate import Estimate
from contracts.base import Strict


class GapQuantiles(Strict):
    """Inter-token latency of single gaps, of all valid calls whose tokens per frame are known."""

    n: int
    """Gaps."""
    median_ms: float
    max_ms: float | None = None
    """The longest; ``None`` in older summaries."""
    p99_ms: float | None
    """``None``: fewer gaps than LoadGen's rule asks for (:mod:`analysis.statistics.percentiles`)."""


class Conditions(Strict):
    """How the measured calls of a configuration were timed. ``None``: no call tells."""

    clocks: dict[str, int]
    """Who stamped the arrivals (``kernel``, ``user``) → calls."""
    loop_lag_max_ms: float | None
    """The largest of all calls, as is the one below."""
    arrival_lag_max_ms: float | None
    retried_calls: int | None
    """Calls sent more than once."""
    connect_median_ms: float | None
    """Time to make a call's connection; part of no other time."""
    frame_tokens: dict[str, int]
    """How the tokens of each frame are known (``told``, ``one``, ``unknown``) → calls."""
    itl_mean_ms: Estimate
    """Of valid calls: each one's mean inter-token latency."""
    itl_gaps: GapQuantiles | None
    """``None`` where no valid call's tokens per frame are known."""
    reasoning_ttft_ms: Estimate
    """Of valid calls with reasoning text."""


class TelemetryOfStage(Strict):
    """What was sampled beside the valid calls of one stage. Each estimate's ``n`` is the calls that tell."""

    stage: str
    calls: int
    """Valid calls with at least one sample."""
    gpus: int | None
    """GPUs that were sampled, the most in one call; ``None``: NVML could not be asked."""
    power_w: Estimate
    """Of all sampled GPUs together, as are energy_j and joules_per_token."""
    energy_j: Estimate
    joules_per_token: Estimate
    peak_memory_bytes: int | None
    """The highest that one GPU had in use."""
    peak_temperature_c: int | None
    throttled_calls: int | None
    """``None``: not known of any call."""
    throttle_reasons: tuple[str, ...]
    cpu_busy_percent: Estimate
    """Of all CPUs of the host, as is the one below."""
    cpu_steal_percent: Estimate


class SameText(Strict):
    """Whether greedy decoding with a fixed seed gave the same text again: one stage on one slot."""

    stage: str
    slot: str | None
    """``None``: not recorded."""
    runs: int
    """Calls with a complete text."""
    texts: int
    """Different ones among them."""


class AppliedParameter(Strict):
    """A parameter as it was asked for and as the server applied it."""

    name: str
    asked: int | float | None
    """``None``: not sent, the server's default holds."""
    applied: tuple[int | float, ...]
    """More than one: not the same in all runs."""
    how: str
    """How the applied value is known, in words."""
