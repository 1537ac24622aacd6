"""Sends one response: every write at its due time, however late the one before was."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable

from benchmarks.reference_server.log import RequestLog
from benchmarks.reference_server.script import End
from benchmarks.reference_server.timetable import Entry, Timetable
from benchmarks.reference_server.wire import Plan

_ENDED = {End.CLEAN: "sent", End.CLOSE: "closed", End.RESET: "reset"}


class Exchange:
    """One response on one socket. ``over(ended)`` is called once, at its end."""

    __slots__ = (
        "_begin_ns",
        "_due",
        "_entry",
        "_hang_ns",
        "_loop",
        "_over",
        "_place",
        "_plan",
        "_rest",
        "_running",
        "_socket",
        "_timetable",
        "_watching",
    )

    def __init__(
        self,
        sock: socket.socket,
        plan: Plan,
        begin_ns: int,
        entry: RequestLog | None,
        hang_s: float,
        loop: asyncio.AbstractEventLoop,
        timetable: Timetable,
        over: Callable[[str], None],
    ) -> None:
        self._socket = sock
        self._plan = plan
        self._begin_ns = begin_ns
        self._entry = entry
        self._hang_ns = round(hang_s * 1e9)
        self._loop = loop
        self._timetable = timetable
        self._over = over
        self._place = 0
        self._rest: memoryview | None = None
        self._due: Entry | None = None
        self._watching = False
        self._running = True

    def begin(self, begin_ns: int) -> None:
        """Begin with the schedule, which counts from ``begin_ns``."""
        self._begin_ns = begin_ns
        if self._entry is not None:
            self._entry.begin_ns = begin_ns
        self.advance()

    @property
    def due_end_ns(self) -> int:
        """When the last write is due."""
        writes = self._plan.writes
        return self._begin_ns + (writes[-1].due_ns if writes else 0)

    def advance(self) -> None:
        """Send what is due and ask to be called when more is."""
        if not self._running:
            return
        writes = self._plan.writes
        for _ in range(self._plan.at_once):
            if self._place == len(writes):
                self._at_end()
                return
            due_ns = self._begin_ns + writes[self._place].due_ns
            if due_ns > time.perf_counter_ns():
                self._due = self._timetable.at(due_ns, self.advance)
                return
            if not self._send():
                return
            self._place += 1
        self._loop.call_soon(self.advance)

    def end(self, ended: str) -> None:
        """Stop, whatever is not sent yet."""
        if not self._running:
            return
        self._running = False
        if self._due is not None:
            self._timetable.cancel(self._due)
        if self._watching:
            self._watching = False
            self._loop.remove_writer(self._socket.fileno())
        if self._entry is not None:
            self._entry.ended = ended
            self._entry.end_ns = time.perf_counter_ns()
        self._over(ended)

    def _send(self) -> bool:
        """Hand the present write to the kernel; return whether it took all of it."""
        write, entry = self._plan.writes[self._place], self._entry
        data = self._rest or write.data
        sent_ns = time.perf_counter_ns()
        try:
            count = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            count = 0
        except OSError:
            self.end("left")
            return False
        done_ns = time.perf_counter_ns()
        if entry is not None:
            if count and self._rest is None:
                for _ in range(write.begins):
                    entry.sent_ns.append(sent_ns)
            if count == len(data):
                for _ in range(write.ends):
                    entry.done_ns.append(done_ns)
            else:
                entry.full_buffer += 1
        if count == len(data):
            self._rest = None
            return True
        if count:
            self._rest = memoryview(data)[count:]
        self._watching = True
        self._loop.add_writer(self._socket.fileno(), self._writable)
        return False

    def _writable(self) -> None:
        self._watching = False
        self._loop.remove_writer(self._socket.fileno())
        if self._send():
            self._place += 1
            self.advance()

    def _at_end(self) -> None:
        end = self._plan.end
        if end is End.HANG:
            due_ns = time.perf_counter_ns() + self._hang_ns
            self._due = self._timetable.at(due_ns, lambda: self.end("gave up"))
            return
        if end is End.RESET:
            with contextlib.suppress(OSError):
                # Closing with a linger time of 0 sends RST, not FIN.
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.end(_ENDED[end])
