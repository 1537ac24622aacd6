"""Callbacks at points of time, to some ten microseconds.

The timers of asyncio and uvloop tick in milliseconds: a frame would be half of one late in the mean.
Linux's timerfd (timerfd_create(2)) takes nanoseconds of the same clock as ``time.perf_counter_ns``; the
loop watches it as it watches a socket. Elsewhere the loop's own timer has to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import heapq
import os
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

_CLOCK_MONOTONIC, _TFD_TIMER_ABSTIME = 1, 1
_TFD_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)

Entry = list[Any]
"""Due time (ns), a number in order of asking, the callback; ``None`` as callback: cancelled."""


class _Alarm(Protocol):
    name: str

    def set(self, due_ns: int) -> None:
        """Go off then, once, and not at any time asked for before; 0: not at all."""

    def close(self) -> None:
        """Go off no more."""


class Timetable:
    """All that is due, in order of time; use it on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._heap: list[Entry] = []
        self._numbers = count()
        self._firing = False
        self.late_max_ns = 0
        """How much later than due the earliest entry of any wake-up was begun, at most."""
        self._alarm: _Alarm
        try:
            self._alarm = _KernelAlarm(loop, self._fire)
        except OSError:
            self._alarm = _LoopAlarm(loop, self._fire)

    @property
    def alarm(self) -> str:
        """What wakes it up."""
        return self._alarm.name

    def at(self, due_ns: int, callback: Callable[[], None]) -> Entry:
        """Call back at a time of ``perf_counter_ns``; never before it."""
        entry = [due_ns, next(self._numbers), callback]
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry and not self._firing:
            self._alarm.set(due_ns)
        return entry

    @staticmethod
    def cancel(entry: Entry) -> None:
        """Do not call back."""
        entry[2] = None

    def close(self) -> None:
        """Forget all that is due."""
        self._heap.clear()
        self._alarm.close()

    def _fire(self) -> None:
        heap, now_ns = self._heap, time.perf_counter_ns()
        self._firing = True
        try:
            if heap and heap[0][2] is not None:
                self.late_max_ns = max(self.late_max_ns, now_ns - heap[0][0])
            # What becomes due meanwhile waits for the next round: sockets have to be read, too.
            while heap and (heap[0][0] <= now_ns or heap[0][2] is None):
                callback = heapq.heappop(heap)[2]
                if callback is not None:
                    callback()
        finally:
            self._firing = False
            self._alarm.set(heap[0][0] if heap else 0)


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class _KernelAlarm:
    """A timerfd. Raises OSError where there is none."""

    name = "timerfd"

    def __init__(self, loop: asyncio.AbstractEventLoop, fire: Callable[[], None]) -> None:
        if sys.platform != "linux":
            raise OSError("timerfd is Linux's")
        self._loop = loop
        libc = ctypes.CDLL(None, use_errno=True)
        self._set_time = libc.timerfd_settime
        self._spec = _TimerSpec()
        self._spec_reference = ctypes.byref(self._spec)
        self._file = libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_FLAGS)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        loop.add_reader(self._file, fire)

    def set(self, due_ns: int) -> None:
        value = self._spec.value
        value.seconds, value.nanoseconds = divmod(due_ns, 1_000_000_000)
        # Setting also makes the file unreadable again, so that it need not be read.
        self._set_time(self._file, _TFD_TIMER_ABSTIME, self._spec_reference, None)

    def close(self) -> None:
        self._loop.remove_reader(self._file)
        with contextlib.suppress(OSError):
            os.close(self._file)


class _LoopAlarm:
    """The loop's own timer."""

    name = "loop"

    def __init__(self, loop: asyncio.AbstractEventLoop, fire: Callable[[], None]) -> None:
        self._loop = loop
        self._fire = fire
        self._handle: asyncio.TimerHandle | None = None

    def set(self, due_ns: int) -> None:
        self.close()
        if due_ns:
            delay_s = max(due_ns - time.perf_counter_ns(), 0) / 1e9
            self._handle = self._loop.call_later(delay_s, self._fire)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
