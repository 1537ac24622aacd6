"""Waking coroutines at moments of the monotonic clock, to some ten microseconds.

asyncio's own timers tick in milliseconds (epoll's): every request of an open loop would be half of one late in the mean.
Linux's timerfd (timerfd_create(2)) takes nanoseconds of the clock that :func:`worker.measurement.clock.now_ns` reads, and the
loop watches it as it watches a socket. Elsewhere asyncio's timer has to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import heapq
import os
import sys
from functools import lru_cache
from itertools import count
from types import TracebackType
from typing import Self

from worker.measurement.clock import now_ns

_MONOTONIC, _ABSOLUTE = 1, 1
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class Alarm:
    """For coroutines of the running loop. Use as a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        """A heap; the number in the middle tells equal moments apart."""
        self._numbers = count()
        self._file = _timer_file()

    def __enter__(self) -> Self:
        if self._file is not None:
            self._loop.add_reader(self._file, self._wake)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._loop.remove_reader(self._file)
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None

    async def until(self, at_ns: int) -> None:
        """Return at that time, never before; at once where it has passed."""
        while (left_ns := at_ns - now_ns()) > 0:
            if self._file is None:
                await asyncio.sleep(left_ns / 1e9)
                continue
            waiter = self._loop.create_future()
            heapq.heappush(self._waiting, (at_ns, next(self._numbers), waiter))
            if self._waiting[0][2] is waiter:
                _set(self._file, at_ns)
            await waiter

    def _wake(self) -> None:
        now, waiting = now_ns(), self._waiting
        while waiting and (waiting[0][0] <= now or waiting[0][2].done()):
            waiter = heapq.heappop(waiting)[2]
            if not waiter.done():
                waiter.set_result(None)
        if self._file is not None:
            # Setting also makes the file unreadable again; 0: until it is set anew.
            _set(self._file, waiting[0][0] if waiting else 0)


def _timer_file() -> int | None:
    if sys.platform != "linux":
        return None
    file = int(_libc().timerfd_create(_MONOTONIC, _FLAGS))
    return file if file >= 0 else None


@lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _set(file: int, at_ns: int) -> None:
    """Go off then, once; 0: not at all."""
    spec = _TimerSpec()
    spec.value.seconds, spec.value.nanoseconds = divmod(at_ns, 1_000_000_000)
    _libc().timerfd_settime(file, _ABSOLUTE, ctypes.byref(spec), None)
