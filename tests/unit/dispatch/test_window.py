"""The window in a simulated pool: one queue, first in, first out, and a feeder for each sweep."""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.window import LARGEST, LOOK_S, first_window, next_window, room


@dataclass
class Sweep:
    """``job_s``: of one unit; with ``plots`` a unit is some plot's."""

    begin: float
    job_s: float
    units: int = 10**9
    plots: bool = False
    window: int = 0
    outstanding: int = 0
    started: list[float] = field(default_factory=list)
    busy: list[tuple[float, float]] = field(default_factory=list)

    def jobs(self, begin: float, end: float) -> int:
        """Units that were started within the time."""
        return sum(begin <= at < end for at in self.started)

    def time(self, begin: float, end: float) -> float:
        """Slots' time that it had within the time, s."""
        return sum(max(0.0, min(b, end) - max(a, begin)) for a, b in self.busy)


@dataclass
class Pool:
    """``spread``: of the units' times, ± a fraction."""

    slots: int
    sweeps: list[Sweep]
    spread: float = 0.3
    idle_s: list[tuple[float, float]] = field(default_factory=list)
    """Times at which slots idled, with the slot-seconds since the time before."""

    def run(self, until: float) -> None:
        rng = random.Random(1)
        queue: deque[Sweep] = deque()
        free, last = self.slots, 0.0
        events: list[tuple[float, int, int, Sweep]] = []  # time, a number that settles ties, 1 for a look
        number = 0
        for sweep in self.sweeps:
            number += 1
            heapq.heappush(events, (sweep.begin + rng.random() * LOOK_S, number, 1, sweep))
        while events and events[0][0] <= until:
            now, _, look, sweep = heapq.heappop(events)
            self.idle_s.append((now, free * (now - last)))
            last = now
            if look:
                self._look(sweep, queue, now)
                number += 1
                heapq.heappush(events, (now + LOOK_S, number, 1, sweep))
            else:
                free += 1
                sweep.outstanding -= 1
            while free and queue:
                taken = queue.popleft()
                free -= 1
                number += 1
                end = now + taken.job_s * rng.uniform(1 - self.spread, 1 + self.spread)
                taken.started.append(now)
                taken.busy.append((now, end))
                heapq.heappush(events, (end, number, 0, taken))

    def _look(self, sweep: Sweep, queue: deque[Sweep], now: float) -> None:
        sharing = sum(s.begin <= now and (s.units > 0 or s.outstanding > 0) for s in self.sweeps)
        slots, plots, out = self.slots, sweep.plots, sweep.outstanding
        if sweep.window == 0:
            sweep.window = first_window(slots, plots=plots)
        elif sweep.units:
            sweep.window = next_window(
                sweep.window, outstanding=out, queued=len(queue), slots=slots, plots=plots, sweeps=sharing
            )
        wanted = room(sweep.window, outstanding=out, slots=slots, plots=plots, sweeps=sharing)
        publish = min(sweep.units, wanted)
        sweep.units -= publish
        sweep.outstanding += publish
        queue.extend([sweep] * publish)

    def idle(self, begin: float, end: float) -> float:
        return sum(seconds for at, seconds in self.idle_s if begin <= at < end)


@pytest.mark.parametrize(("slots", "rate"), [(1, 300), (2, 300), (8, 300), (8, 2000), (64, 20)])
def test_no_slot_waits_for_the_feeder_once_the_window_has_grown(slots: int, rate: int) -> None:
    pool = Pool(slots, [Sweep(0, slots / rate)])
    pool.run(15)
    assert pool.idle(0, 5) < 0.6 * slots  # while it grows
    assert pool.idle(5, 15) == 0


@pytest.mark.parametrize(
    ("slots", "job_s", "begin", "settled", "end"),
    [
        (8, 30.0, 100, 600, 5_000),
        (8, 1.0, 30, 60, 400),
        (8, 8 / 300, 10, 25, 60),
        (2, 2 / 300, 10, 25, 60),
        (64, 5.0, 60, 120, 700),
    ],
)
def test_a_sweep_that_begins_later_gets_its_half(
    slots: int, job_s: float, begin: float, settled: float, end: float
) -> None:
    first, late = Sweep(0, job_s), Sweep(begin, job_s)
    Pool(slots, [first, late]).run(end)
    share = late.jobs(settled, end) / (late.jobs(settled, end) + first.jobs(settled, end))
    assert share == pytest.approx(0.5, abs=0.05)
    if job_s >= 1:
        assert late.started[0] - begin < 4 * job_s
    else:
        assert late.started[0] - begin < 1  # behind what a second drains


def test_three_sweeps_get_a_third_each() -> None:
    sweeps = [Sweep(10.0 * n, 8 / 300) for n in range(3)]
    Pool(8, sweeps).run(100)
    jobs = [sweep.jobs(40, 100) for sweep in sweeps]
    assert [n / sum(jobs) for n in jobs] == pytest.approx([1 / 3] * 3, abs=0.033)


def test_the_slots_of_a_sweep_that_ends_go_to_the_other_one() -> None:
    first, short = Sweep(0, 1.0), Sweep(20, 1.0, units=100)
    pool = Pool(8, [first, short])
    pool.run(120)
    assert len(short.started) == 100
    assert max(short.started) < 60
    assert pool.idle(5, 120) == 0


def test_short_jobs_get_half_of_the_slots_beside_long_units() -> None:
    plots, jobs = Sweep(0, 200, plots=True), Sweep(600, 6)
    pool = Pool(8, [plots, jobs])
    pool.run(6000)
    # A unit's ticket waits behind the window of jobs, in which time the slot is theirs.
    assert jobs.time(1600, 6000) / (8 * 4400) == pytest.approx(0.53, abs=0.04)
    assert pool.idle(10, 6000) < 0.002 * 8 * 6000


def test_two_sweeps_with_plots_share_the_slots_and_leave_none_idle() -> None:
    sweeps = [Sweep(0, 200, plots=True), Sweep(300, 80, plots=True)]
    pool = Pool(8, sweeps)
    pool.run(8000)
    assert sweeps[1].time(1000, 8000) / (8 * 7000) == pytest.approx(0.5, abs=0.05)
    assert pool.idle(10, 8000) < 0.002 * 8 * 8000


def test_the_slots_that_a_sweep_with_plots_left_to_another_are_its_own_when_that_one_ends() -> None:
    plots, other = Sweep(0, 100, plots=True), Sweep(200, 10, units=200)
    pool = Pool(8, [plots, other])
    pool.run(4000)
    assert max(other.started) < 1500
    assert plots.time(1600, 3500) > 0.999 * 8 * 1900


def test_it_doubles_while_the_queue_is_found_empty_and_falls_when_jobs_are_slow() -> None:
    window = first_window(4)
    for _ in range(20):
        window = next_window(window, outstanding=0, queued=0, slots=4)
    assert window == LARGEST
    for _ in range(200):
        window = next_window(window, outstanding=window + 4, queued=window, slots=4)
    assert window == first_window(4) == 8


@given(
    st.integers(1, LARGEST),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.integers(0, 500),
    st.booleans(),
)
def test_it_stays_within_its_limits(
    window: int, outstanding: int, queued: int, slots: int, plots: bool
) -> None:
    following = next_window(window, outstanding=outstanding, queued=queued, slots=slots, plots=plots)
    assert first_window(slots, plots=plots) <= following <= LARGEST
    assert room(following, outstanding=outstanding, slots=slots, plots=plots) >= 0


def test_with_no_live_slot_little_is_published_and_something_is() -> None:
    assert room(first_window(0), outstanding=0, slots=0) == 2
