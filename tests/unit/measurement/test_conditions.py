"""What happened between two moments: shares, jumps of the clock, a host that slept."""

from __future__ import annotations

import time

import pytest

from worker.measurement import clock
from worker.measurement.conditions import MIN_TICKS, Conditions, Interval

MS = 1_000_000
S = 1_000 * MS


def at(
    mono: int, wall: int = 0, boot: int | None = None, cpu: int = 0, ticks: tuple[int, int, int] | None = None
) -> Conditions:
    return Conditions(at_ns=mono, wall_ns=wall, boot_ns=boot, process_cpu_ns=cpu, host_ticks=ticks)


def test_nothing_special() -> None:
    begin = at(10 * S, 500 * S, 70 * S, 3 * S, (1_000, 900, 10))
    end = at(12 * S, 502 * S, 72 * S, 3 * S + 20 * MS, (1_400, 1_200, 14))
    interval = Interval.of(begin, end)
    assert interval.process_cpu_percent == pytest.approx(1.0)
    assert interval.host_busy_percent == pytest.approx(25.0)
    assert interval.host_steal_percent == pytest.approx(1.0)
    assert (interval.clock_jump_ns, interval.slept_ns) == (0, 0)


@pytest.mark.parametrize("jump_ns", [3_600 * S, -3_600 * S, 2 * MS])
def test_a_jump_of_the_wall_clock(jump_ns: int) -> None:
    assert Interval.of(at(0, 0), at(S, S + jump_ns)).clock_jump_ns == jump_ns


def test_a_host_that_slept() -> None:
    interval = Interval.of(at(0, 0, 0), at(S, 31 * S, 31 * S))
    assert (interval.slept_ns, interval.clock_jump_ns) == (30 * S, 30 * S)


def test_what_the_system_does_not_tell_is_none() -> None:
    interval = Interval.of(at(0), at(S))
    assert (interval.host_busy_percent, interval.host_steal_percent, interval.slept_ns) == (None,) * 3


@pytest.mark.parametrize(("ticks", "known"), [(MIN_TICKS - 1, False), (MIN_TICKS, True)])
def test_few_ticks_tell_no_share(ticks: int, known: bool) -> None:
    interval = Interval.of(at(0, ticks=(0, 0, 0)), at(S, ticks=(ticks, 0, 0)))
    assert (interval.host_busy_percent is not None) == known


def test_no_time_at_all() -> None:
    assert Interval.of(at(5), at(5)).process_cpu_percent is None


def test_a_pause_between_two_readings_is_no_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process takes 30 ms of the core while the clocks are read, the first time."""
    real = clock.now_ns
    pauses = iter([0, 30 * MS])
    late = 0

    def disturbed() -> int:
        nonlocal late
        late += next(pauses, 0)
        return real() + late

    begin = Conditions.now()
    monkeypatch.setattr(clock, "now_ns", disturbed)
    wall, boot = time.time_ns, time.clock_gettime_ns
    monkeypatch.setattr(time, "time_ns", lambda: wall() + late)
    monkeypatch.setattr(time, "clock_gettime_ns", lambda which: boot(which) + late)
    interval = Interval.of(begin, Conditions.now())
    assert abs(interval.clock_jump_ns) < 5 * MS
    assert interval.slept_ns is None or abs(interval.slept_ns) < 5 * MS


def test_this_host() -> None:
    begin = Conditions.now()
    end = Conditions.now()
    assert end.at_ns >= begin.at_ns and end.process_cpu_ns >= begin.process_cpu_ns
