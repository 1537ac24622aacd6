"""What a worker found out about the conditions of one call: could it have disturbed its own result?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.base import Strict

SUSPECT_PERCENT = 1.0
"""A call whose own overhead could have changed its TTFT or its duration by more is ``suspect``."""

NonNegative = Annotated[int, Field(ge=0)]


class Diagnosis(Strict):
    """Measured beside one call, from sending to its end. ``None`` is not known."""

    loop_lag_max_ns: NonNegative | None = None
    """Longest time for which the event loop could not look for arrivals, or run what was due."""
    arrival_lag_max_ns: NonNegative | None = None
    """Longest time from the kernel's stamp of a frame to its reading; only with the kernel's clock."""
    send_delay_ns: NonNegative | None = None
    """From when the call was due to when it was sent: warming the connection, pauses, earlier sendings."""
    write_ns: NonNegative | None = None
    """How long writing the request took."""
    ttft_uncertainty_ns: NonNegative | None = None
    """By how much this process could have changed the TTFT."""
    duration_uncertainty_ns: NonNegative | None = None
    """By how much this process could have changed the duration."""
    process_cpu_percent: float | None = None
    """CPU time of this process over the wall time; 100 is one core."""
    host_cpu_busy_percent: float | None = None
    """Of all cores."""
    host_cpu_steal_percent: float | None = None
    """Of all cores: time that the hypervisor gave to others."""
    load_1min: float | None = None
    """At the call's end."""
    clock_jump_ns: int | None = None
    """By how much the wall clock went ahead of the monotonic one (a step, or the host slept)."""
    suspect: tuple[str, ...] = ()
    """Why the result can't be trusted to :data:`SUSPECT_PERCENT`; empty: nothing speaks against it."""
