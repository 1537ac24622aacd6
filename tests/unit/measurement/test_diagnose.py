"""What makes a call suspect: more than 1 % by the worker's own doing, and what can't be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.call import CallTiming
from worker.measurement.conditions import Conditions
from worker.measurement.diagnose import CLOCK_STEP_NS, SLEPT_NS, Arrival, Evidence, diagnose
from worker.servers.transport import Reading

MS = 1_000_000
SENT, FIRST, END = 1_000 * MS, 1_100 * MS, 2_000 * MS
"""TTFT 100 ms, duration 1 s."""


def timing(**fields: Any) -> CallTiming:
    known = {"wall_anchor": datetime.now(UTC), "sent_ns": SENT, "text_ns": (FIRST, END), "end_ns": END}
    return CallTiming.model_validate(known | {"clock": "kernel"} | fields)


def arrival(at_ns: int, unsure_ns: int = 0, by_kernel: bool = True, shared: bool = False) -> Arrival:
    return Arrival(Reading(at_ns, at_ns + 5, at_ns - unsure_ns, by_kernel), shared)


def moment(at_ns: int, **fields: Any) -> Conditions:
    known = {"wall_ns": at_ns, "boot_ns": at_ns, "process_cpu_ns": 0, "host_ticks": None}
    return Conditions(at_ns=at_ns, **(known | fields))


HONEST = Evidence(
    timing=timing(),
    write_ns=50_000,
    sent_by_kernel=True,
    first=arrival(FIRST),
    last=arrival(END),
    lag_max_ns=20_000,
    loop_lag_ns=0,
    server_ttft_ns=90 * MS,
    begin=moment(SENT),
    end=moment(END),
)


def suspect(**fields: Any) -> str:
    return "; ".join(diagnose(replace(HONEST, **fields)).suspect)


def test_an_honest_call() -> None:
    diagnosis = diagnose(HONEST)
    assert diagnosis.suspect == ()
    assert (diagnosis.ttft_uncertainty_ns, diagnosis.duration_uncertainty_ns) == (0, 0)
    assert (diagnosis.write_ns, diagnosis.arrival_lag_max_ns) == (50_000, 20_000)


@pytest.mark.parametrize(("unsure_ns", "is_suspect"), [(1 * MS, False), (1 * MS + 1, True)])
def test_more_than_one_per_cent_of_the_ttft(unsure_ns: int, is_suspect: bool) -> None:
    reason = suspect(first=arrival(FIRST, unsure_ns, by_kernel=False))
    assert ("the TTFT of 100.00 ms by 1.00 ms, more than 1 %" in reason) == is_suspect
    assert "duration" not in reason


@pytest.mark.parametrize(("unsure_ns", "is_suspect"), [(10 * MS, False), (10 * MS + 1, True)])
def test_more_than_one_per_cent_of_the_duration(unsure_ns: int, is_suspect: bool) -> None:
    reason = suspect(last=arrival(END, unsure_ns, by_kernel=False))
    assert ("the duration of 1000.00 ms by 10.00 ms, more than 1 %" in reason) == is_suspect
    assert "TTFT" not in reason


def test_the_kernels_stamp_of_one_frame_is_exact_however_late_it_is_read() -> None:
    assert not suspect(first=arrival(FIRST, 50 * MS))


def test_the_stamp_of_several_frames_is_that_of_the_last_one() -> None:
    assert "TTFT" in suspect(first=arrival(FIRST, 50 * MS, shared=True))


@pytest.mark.parametrize(("by_kernel", "is_suspect"), [(True, False), (False, True)])
def test_writing_counts_where_the_kernel_does_not_tell_when_it_was_sent(
    by_kernel: bool, is_suspect: bool
) -> None:
    assert bool(suspect(write_ns=2 * MS, sent_by_kernel=by_kernel)) == is_suspect


def test_both_ends_add_up() -> None:
    late = arrival(FIRST, MS * 6 // 10, by_kernel=False)
    assert not suspect(first=late)
    assert suspect(first=late, write_ns=MS * 6 // 10, sent_by_kernel=False)


def test_a_call_without_text_has_no_ttft_to_spoil() -> None:
    assert not suspect(timing=timing(text_ns=()), first=None, last=None, server_ttft_ns=5_000 * MS)


def test_a_first_token_before_the_server_can_have_had_one() -> None:
    assert not suspect(server_ttft_ns=101 * MS)
    reason = suspect(server_ttft_ns=101 * MS + 1)
    assert "the first text came after 100.00 ms" in reason
    assert "it can't belong to this call" in reason


@pytest.mark.parametrize("sign", [1, -1])
def test_a_jump_of_the_wall_clock_spoils_the_kernels_stamps(sign: int) -> None:
    just, more = sign * CLOCK_STEP_NS, sign * (CLOCK_STEP_NS + 1)
    assert not suspect(end=moment(END, wall_ns=END + just))
    assert "the wall clock jumped by" in suspect(end=moment(END, wall_ns=END + more))
    # This process's own readings are monotonic.
    assert not suspect(end=moment(END, wall_ns=END + more), timing=timing(clock="user"))


def test_a_host_that_slept() -> None:
    assert not suspect(end=moment(END, boot_ns=END + SLEPT_NS))
    assert "the host slept for 30000 ms" in suspect(end=moment(END, boot_ns=END + 30_000 * MS))


@pytest.mark.parametrize(
    ("busy", "cpu_ms", "is_suspect"), [(95, 30, True), (95, 15, False), (80, 900, False), (None, 900, False)]
)
def test_what_the_worker_took_of_a_host_without_idle_cores(
    monkeypatch: pytest.MonkeyPatch, busy: int | None, cpu_ms: int, is_suspect: bool
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    ticks = None if busy is None else (200, 200 - 2 * busy, 0)
    begin = moment(SENT, host_ticks=(0, 0, 0))
    reason = suspect(begin=begin, end=moment(END, process_cpu_ns=cpu_ms * MS, host_ticks=ticks))
    assert ("of a host whose cores were 95 % busy" in reason) == is_suspect


def test_the_users_clock_has_no_lag_of_arrivals() -> None:
    assert diagnose(replace(HONEST, timing=timing(clock="user"))).arrival_lag_max_ns is None


def test_what_is_not_known_is_none() -> None:
    unknown = replace(HONEST, first=None, last=None, write_ns=None, lag_max_ns=None, loop_lag_ns=None)
    diagnosis = diagnose(unknown)
    assert diagnosis.ttft_uncertainty_ns is diagnosis.duration_uncertainty_ns is None
    assert diagnosis.loop_lag_max_ns is diagnosis.write_ns is None
    assert diagnosis.suspect == ()
