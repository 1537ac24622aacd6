"""Could the worker itself have changed what it measured? The rules of ``suspect``, once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

from contracts.call import CallTiming
from contracts.diagnosis import SUSPECT_PERCENT, Diagnosis
from contracts.formulas import NS_PER_MS
from worker.measurement.conditions import Conditions, Interval

FULL_HOST_PERCENT = 90.0
"""From here on the cores are contended: what the client uses, a server on the host may lack."""
CLOCK_STEP_NS = 1_000_000
"""Drift and slewing stay below it within a call; a step or a sleep of the host does not."""
SLEPT_NS = 10_000_000


class Reading(Protocol):
    """When bytes arrived, as far as it is known."""

    @property
    def arrived_ns(self) -> int: ...
    @property
    def earliest_ns(self) -> int: ...
    @property
    def by_kernel(self) -> bool: ...


@dataclass(frozen=True)
class Arrival:
    """One arrival whose exactness matters."""

    reading: Reading
    shared: bool
    """It brought several frames, so the kernel's stamp may be that of a later one."""

    @property
    def uncertainty_ns(self) -> int:
        """By how much it may be too late, as far as this process is the cause.

        The kernel's stamp is exact where it is of one frame. Else the frame arrived at the earliest when
        the loop had last found nothing to read.
        """
        if self.reading.by_kernel and not self.shared:
            return 0
        return max(0, self.reading.arrived_ns - self.reading.earliest_ns)


@dataclass(frozen=True)
class Evidence:
    """What was seen beside the call."""

    timing: CallTiming
    write_ns: int | None
    """How long writing the request took."""
    sent_by_kernel: bool
    """The time of sending is exact, however long writing took."""
    first: Arrival | None
    """Of the first frame with text."""
    last: Arrival | None
    lag_max_ns: int | None
    """Of any arrival, to its reading."""
    loop_lag_ns: int | None
    server_ttft_ns: int
    """What the server says that it did before the first token: loading and reading the prompt."""
    begin: Conditions
    end: Conditions


def diagnose(evidence: Evidence) -> Diagnosis:
    """Return the diagnosis of one call that was sent."""
    timing = evidence.timing
    interval = Interval.of(evidence.begin, evidence.end)
    unsure_ns = 0 if evidence.sent_by_kernel else evidence.write_ns or 0
    ttft = None if evidence.first is None else unsure_ns + evidence.first.uncertainty_ns
    duration = None if evidence.last is None else unsure_ns + evidence.last.uncertainty_ns
    return Diagnosis(
        loop_lag_max_ns=evidence.loop_lag_ns,
        arrival_lag_max_ns=evidence.lag_max_ns if timing.clock == "kernel" else None,
        send_delay_ns=None if timing.due_ns is None else max(0, timing.sent_ns - timing.due_ns),
        write_ns=evidence.write_ns,
        ttft_uncertainty_ns=ttft,
        duration_uncertainty_ns=duration,
        process_cpu_percent=interval.process_cpu_percent,
        host_cpu_busy_percent=interval.host_busy_percent,
        host_cpu_steal_percent=interval.host_steal_percent,
        load_1min=interval.load_1min,
        clock_jump_ns=interval.clock_jump_ns,
        suspect=(*_reasons(timing, ttft, duration, interval), *_impossible(timing, evidence.server_ttft_ns)),
    )


def _reasons(
    timing: CallTiming, ttft_ns: int | None, duration_ns: int | None, interval: Interval
) -> list[str]:
    reasons = []
    if timing.text_ns and ttft_ns is not None:
        reasons += _beyond("TTFT", ttft_ns, timing.text_ns[0] - timing.sent_ns)
    if duration_ns is not None:
        reasons += _beyond("duration", duration_ns, timing.end_ns - timing.sent_ns)
    cpu, busy = interval.process_cpu_percent, interval.host_busy_percent
    if cpu is not None and busy is not None and busy >= FULL_HOST_PERCENT:
        share = cpu / (os.cpu_count() or 1)
        if share > SUSPECT_PERCENT:
            reasons.append(f"the worker took {share:.1f} % of a host whose cores were {busy:.0f} % busy")
    if abs(interval.clock_jump_ns) > CLOCK_STEP_NS and timing.clock == "kernel":
        reasons.append(
            f"the wall clock jumped by {interval.clock_jump_ns / NS_PER_MS:.1f} ms during the call"
        )
    if interval.slept_ns is not None and interval.slept_ns > SLEPT_NS:
        reasons.append(f"the host slept for {interval.slept_ns / NS_PER_MS:.0f} ms during the call")
    return reasons


def _impossible(timing: CallTiming, server_ttft_ns: int) -> list[str]:
    """A first token before the server can have had one is another call's.

    Ollama 0.12 does it: after an answer cut by the length limit, the next call may begin with that
    call's next token (docs/servers.md).
    """
    if not timing.text_ns:
        return []
    ttft_ns = timing.text_ns[0] - timing.sent_ns
    if ttft_ns * (100 + SUSPECT_PERCENT) >= 100 * server_ttft_ns:
        return []
    return [
        f"the first text came after {ttft_ns / NS_PER_MS:.2f} ms, but the server says that it loaded the model and "
        f"read the prompt for {server_ttft_ns / NS_PER_MS:.2f} ms: it can't belong to this call"
    ]


def _beyond(what: str, uncertain_ns: int, value_ns: int) -> list[str]:
    if value_ns <= 0 or 100 * uncertain_ns <= SUSPECT_PERCENT * value_ns:
        return []
    return [
        f"the worker's own delay could have changed the {what} of {value_ns / NS_PER_MS:.2f} ms "
        f"by {uncertain_ns / NS_PER_MS:.2f} ms, more than {SUSPECT_PERCENT:g} %"
    ]
