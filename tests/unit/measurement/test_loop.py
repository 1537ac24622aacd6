"""The loop that knows how late it is: busy times are seen, waiting is none."""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import Iterator

import pytest

from worker.measurement import loop as loop_module
from worker.measurement.clock import now_ns
from worker.measurement.loop import KEPT, LATE_NS, UNSEEN_NS, WatchedLoop, WatchedSelector, running_watch

MS = 1_000_000


class Clock:
    """Readings come from the test; a poll that may wait lasts as long as it says, and finds nothing before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000 * MS
        monkeypatch.setattr(loop_module, "now_ns", lambda: self.now)
        self.poll_ns = 0
        self.is_ready = False
        """Something became ready before the poll."""
        selector = selectors.DefaultSelector
        monkeypatch.setattr(selector, "select", lambda _, timeout=None: self._select(timeout))

    def _select(self, timeout: float | None) -> list[object]:
        if timeout == 0 or self.is_ready:
            return [object()] if self.is_ready else []
        self.now += self.poll_ns
        return [object()]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def watch(clock: Clock) -> Iterator[WatchedSelector]:
    made = WatchedSelector()
    yield made
    made.close()


def poll(
    watch: WatchedSelector, clock: Clock, busy_ns: int, poll_ns: int, timeout: float | None = None
) -> None:
    """Be busy, then poll."""
    clock.now += busy_ns
    clock.poll_ns = poll_ns
    watch.select(timeout)


def test_busy_time_is_seen(watch: WatchedSelector, clock: Clock) -> None:
    start = clock.now
    poll(watch, clock, busy_ns=0, poll_ns=10 * MS)
    poll(watch, clock, busy_ns=3 * MS, poll_ns=10 * MS)
    poll(watch, clock, busy_ns=1 * MS, poll_ns=10 * MS)
    assert watch.lag_ns(start, clock.now) == 3 * MS


def test_waiting_is_no_lag(watch: WatchedSelector, clock: Clock) -> None:
    start = clock.now
    for _ in range(5):
        poll(watch, clock, busy_ns=LATE_NS, poll_ns=100 * MS)
    assert watch.lag_ns(start, clock.now) == 0


def test_only_what_touches_the_interval_counts(watch: WatchedSelector, clock: Clock) -> None:
    poll(watch, clock, busy_ns=50 * MS, poll_ns=MS)
    start = clock.now
    poll(watch, clock, busy_ns=2 * MS, poll_ns=MS)
    end = clock.now
    poll(watch, clock, busy_ns=50 * MS, poll_ns=MS)
    assert watch.lag_ns(start, end - 1) == 2 * MS
    assert watch.lag_ns(start, start) == 2 * MS, "an interval that begins while it is busy"
    assert watch.lag_ns(end + MS, end + 2 * MS) == 50 * MS


def test_what_is_remembered_is_bounded(watch: WatchedSelector, clock: Clock) -> None:
    for _ in range(3 * KEPT):
        poll(watch, clock, busy_ns=2 * LATE_NS, poll_ns=0)
    assert len(watch._busy) <= 2 * KEPT + 1
    assert watch.lag_ns(clock.now - MS, clock.now) == 2 * LATE_NS


def test_a_poll_that_waited_returned_on_the_arrival(watch: WatchedSelector, clock: Clock) -> None:
    poll(watch, clock, busy_ns=3 * MS, poll_ns=10 * MS, timeout=60.0)
    assert watch.earliest_ns == clock.now
    poll(watch, clock, busy_ns=3 * MS, poll_ns=10 * MS, timeout=None)
    assert watch.earliest_ns == clock.now


def test_what_was_ready_before_the_poll_may_have_been_so_for_all_the_busy_time(
    watch: WatchedSelector, clock: Clock
) -> None:
    for timeout in (60.0, None, 0):
        returned, clock.is_ready = clock.now, True
        poll(watch, clock, busy_ns=3 * MS, poll_ns=10 * MS, timeout=timeout)
        assert watch.earliest_ns == returned


def test_a_short_busy_time_is_not_asked_after(watch: WatchedSelector, clock: Clock) -> None:
    clock.is_ready = True
    poll(watch, clock, busy_ns=UNSEEN_NS, poll_ns=0, timeout=60.0)
    assert watch.earliest_ns == clock.now


def test_the_loop_reports_its_own_blocking() -> None:
    async def block() -> tuple[int, int]:
        watch = running_watch()
        assert watch is not None
        start = now_ns()
        await asyncio.sleep(0)
        until = now_ns() + 20 * MS
        while now_ns() < until:
            pass
        await asyncio.sleep(0)
        return watch.lag_ns(start, now_ns()), watch.lag_ns(0, start - 1_000 * MS)

    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        lag_ns, before_ns = runner.run(block())
    assert lag_ns >= 20 * MS and before_ns == 0


def test_what_came_while_it_was_busy_may_have_come_at_its_beginning() -> None:
    async def busy() -> tuple[int, int, int]:
        loop, watch = asyncio.get_running_loop(), running_watch()
        assert watch is not None
        here, there = socket.socketpair()
        here.setblocking(False)
        seen = loop.create_future()

        def tell() -> None:
            if not seen.done():
                seen.set_result((watch.earliest_ns, now_ns()))

        loop.add_reader(here, tell)
        await asyncio.sleep(0)
        begun = now_ns()
        there.send(b"x")
        while now_ns() < begun + 20 * MS:
            pass
        earliest, at = await seen
        loop.remove_reader(here)
        here.close()
        there.close()
        return begun, earliest, at

    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        begun, earliest, at = runner.run(busy())
    assert earliest <= begun and at - earliest >= 20 * MS


async def test_other_loops_have_no_watch() -> None:
    assert running_watch() is None
