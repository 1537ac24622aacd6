"""An event loop that knows how late it is: no ticks, it looks at the clock when it polls.

What becomes ready while callbacks run waits until the next poll. So the time from one poll's return to
the next poll's beginning is by how much an arrival in it was seen too late.
"""

from __future__ import annotations

import asyncio
import selectors
from bisect import bisect_left, bisect_right
from operator import itemgetter

from worker.measurement.clock import now_ns

LATE_NS = 200_000
"""Shorter busy times are not remembered."""
KEPT = 20_000
UNSEEN_NS = 200_000
"""After a longer busy time it is asked what became ready in it, before the poll that may wait."""


class WatchedSelector(selectors.DefaultSelector):
    """Remembers when the last polls began and returned, and the busy times between."""

    def __init__(self) -> None:
        super().__init__()
        self._returned_ns = now_ns()
        self._earliest_ns = self._returned_ns
        self.quiet_ns = self._returned_ns
        """When it was last certain that nothing was waiting: a poll that waits returns late where the CPU is short."""
        self._busy: list[tuple[int, int]] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        entered_ns = now_ns()
        before_ns = self._returned_ns
        if entered_ns - before_ns > LATE_NS:
            self._busy.append((before_ns, entered_ns))
            if len(self._busy) > 2 * KEPT:
                del self._busy[:KEPT]
        may_wait = timeout is None or timeout > 0
        ready = super().select(0) if may_wait and entered_ns - before_ns > UNSEEN_NS else []
        if ready:
            may_wait = False
        else:
            ready = super().select(timeout)
        self._returned_ns = now_ns()
        self._earliest_ns = self._returned_ns if may_wait else before_ns
        self.quiet_ns = entered_ns if may_wait else before_ns
        return ready

    @property
    def earliest_ns(self) -> int:
        """When, at the earliest, what the last poll found had become ready."""
        return self._earliest_ns

    def lag_ns(self, start_ns: int, end_ns: int) -> int:
        """Return the longest time between two polls that touches the interval, ns; 0 below 0.2 ms."""
        first = bisect_left(self._busy, start_ns, key=itemgetter(1))
        last = bisect_right(self._busy, end_ns, key=itemgetter(0))
        return max((end - begin for begin, end in self._busy[first:last]), default=0)


class WatchedLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop on a :class:`WatchedSelector`."""

    def __init__(self) -> None:
        self.watch = WatchedSelector()
        super().__init__(self.watch)


def running_watch() -> WatchedSelector | None:
    """Return the watch of the running loop; ``None`` where it has none."""
    watch = getattr(asyncio.get_running_loop(), "watch", None)
    return watch if isinstance(watch, WatchedSelector) else None
