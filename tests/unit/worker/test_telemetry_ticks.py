"""The schedule of the samples, on a clock that only moves when it is told to."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from worker.telemetry.ticks import ticks

PERIOD = 100


class Time:
    """A clock, and a wait that passes time on it and ends after ``limit`` waits."""

    def __init__(self, start: int, limit: int) -> None:
        self.now = start
        self.waits: list[float] = []
        self._limit = limit

    def clock(self) -> int:
        return self.now

    def stopped(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += round(seconds * 1e9)
        return len(self.waits) > self._limit


def taken(time: Time, cost: Callable[[int], int]) -> list[tuple[int, int]]:
    """Return (due, begun) of each sample, the k-th of which takes ``cost(k)`` ns."""
    seen = []
    for number, due in enumerate(ticks(PERIOD, time.clock, time.stopped)):
        seen.append((due, time.now))
        time.now += cost(number)
    return seen


def test_what_a_sample_takes_does_not_shift_the_next() -> None:
    assert taken(Time(1_007, 5), lambda k: 10 * k) == [(1_007 + k * PERIOD,) * 2 for k in range(5)]


def test_missed_ticks_are_skipped_and_not_made_up_for() -> None:
    """The second sample hangs for 3.5 periods: one at the next due time, then as before."""
    seen = taken(Time(0, 5), lambda k: 350 if k == 1 else 0)
    assert seen == [(0, 0), (100, 100), (500, 500), (600, 600), (700, 700)]


def test_a_sample_that_takes_just_a_period_misses_the_tick() -> None:
    assert [due for due, _ in taken(Time(0, 3), lambda _: PERIOD)] == [0, 200, 400]


def test_no_two_samples_are_nearer_than_a_period_and_none_is_early() -> None:
    seen = taken(Time(3, 50), lambda k: (k * k * 37) % 260)
    assert all(begun >= due for due, begun in seen)
    assert all(later[0] - earlier[0] >= PERIOD for earlier, later in itertools.pairwise(seen))


def test_it_ends_when_it_is_told_to() -> None:
    time = Time(0, 0)
    assert taken(time, lambda _: 0) == []
    assert time.waits == [0.0]
