"""One client's connection: reads requests, one response after the other, closes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from benchmarks.reference_server.arrival import (
    ANCILLARY_BYTES,
    Ancillary,
    Arrival,
    arrival,
    ask_for_stamps,
)
from benchmarks.reference_server.exchange import Exchange
from benchmarks.reference_server.http import BadRequest, Request, RequestParser
from benchmarks.reference_server.log import RequestLog
from benchmarks.reference_server.places import Place, Places
from benchmarks.reference_server.timetable import Entry, Timetable
from benchmarks.reference_server.wire import Plan

READ_BYTES = 64 * 1024
MAX_PIPELINED_BYTES = 1024 * 1024
LINGER_S = 1.0
"""How long a connection that this side closed is read on: closing it with unread bytes would send RST,
and the client could lose the end of the response."""
EARLY_NS = 1_000_000_000
"""So much before it was accepted a connection's first request may have come, at most."""


@dataclass(frozen=True)
class Response:
    """What to answer."""

    plan: Plan
    entry: RequestLog | None = None
    after: Callable[[], None] | None = None
    """Called when the response is over."""


class Responder(Protocol):
    """Answers requests."""

    def respond(self, request: Request, came: Arrival, peer: str) -> Response:
        """Return the response to a request."""

    def refuse(self, status: int, reason: str) -> Response:
        """Return the response to what is not a request, or can't be answered; the connection is closed."""


class Connection:
    """Lives on its socket's callbacks: there is no task. ``closed(self)`` is called once."""

    def __init__(
        self,
        sock: socket.socket,
        peer: str,
        responder: Responder,
        hang_s: float,
        loop: asyncio.AbstractEventLoop,
        timetable: Timetable,
        places: Places,
        closed: Callable[[Connection], None],
    ) -> None:
        self._socket = sock
        self._file = sock.fileno()
        self._peer = peer
        self._responder = responder
        self._hang_s = hang_s
        self._loop = loop
        self._timetable = timetable
        self._places = places
        self._closed = closed
        self._parser = RequestParser()
        self._exchange: Exchange | None = None
        self._place: Place | None = None
        self._answering = False
        self._last = False
        self._lingering: Entry | None = None
        self._reading = True
        self._earliest_ns = time.perf_counter_ns() - EARLY_NS
        self._after: Callable[[], None] | None = None
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask_for_stamps(sock)
        loop.add_reader(self._file, self._readable)

    def stop(self) -> None:
        """Close at once, in mid-response too."""
        if self._exchange is not None:
            self._exchange.end("stopped")
        else:
            self._close()

    def _readable(self) -> None:
        try:
            data, ancillary, _, _ = self._socket.recvmsg(READ_BYTES, ANCILLARY_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, ancillary = b"", []
        read_ns = time.perf_counter_ns()
        if not data:
            if self._exchange is not None:
                self._exchange.end("left")
            else:
                self._close()
        elif self._lingering is None:
            self._parser.feed(data)
            if self._exchange is None:
                self._answer(read_ns, ancillary)
            elif self._parser.waiting > MAX_PIPELINED_BYTES:
                self._loop.remove_reader(self._file)
                self._reading = False

    def _answer(self, read_ns: int, ancillary: Ancillary) -> None:
        """Answer what has come whole, one request after the other."""
        self._answering = True
        while self._exchange is None and not self._last:
            try:
                request = self._parser.next()
            except BadRequest as error:
                self._last = True
                self._begin(self._responder.refuse(400, str(error)), read_ns)
                break
            if request is None:
                break
            came = arrival(ancillary, read_ns, self._earliest_ns)
            self._last = not request.keeps_alive
            self._begin(self._response(request, came), came.begin_ns)
            # A pipelined request is taken up when the response before it is over.
            read_ns, ancillary = time.perf_counter_ns(), []
        self._answering = False

    def _response(self, request: Request, came: Arrival) -> Response:
        try:
            return self._responder.respond(request, came, self._peer)
        except Exception as error:
            # In a callback nobody would hear of it, and the client would wait for ever.
            self._loop.call_exception_handler({"message": "reference server", "exception": error})
            self._last = True
            return self._responder.refuse(500, f"the reference server failed: {error!r}")

    def _begin(self, response: Response, begin_ns: int) -> None:
        self._after = response.after
        exchange = self._exchange = Exchange(
            self._socket,
            response.plan,
            begin_ns,
            response.entry,
            self._hang_s,
            self._loop,
            self._timetable,
            self._over,
        )
        if response.entry is None:
            exchange.begin(begin_ns)
        else:
            self._place = Place(exchange.begin)
            self._places.take(self._place, begin_ns)

    def _over(self, ended: str) -> None:
        exchange, self._exchange = self._exchange, None
        place, self._place = self._place, None
        if place is not None and exchange is not None:
            # By the schedule, not by the clock: how late this one was must not add up over those that wait.
            self._places.give_back(place, exchange.due_end_ns if ended == "sent" else time.perf_counter_ns())
        self._earliest_ns = time.perf_counter_ns()
        after, self._after = self._after, None
        if after is not None:
            after()
        if ended in ("left", "reset", "stopped"):
            self._close()
        elif ended != "sent" or self._last:
            self._linger()
        else:
            self._read_on()
            if not self._answering:
                self._answer(time.perf_counter_ns(), [])

    def _read_on(self) -> None:
        if not self._reading:
            self._reading = True
            self._loop.add_reader(self._file, self._readable)

    def _linger(self) -> None:
        self._last = True
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._close()
            return
        self._read_on()
        due_ns = time.perf_counter_ns() + round(LINGER_S * 1e9)
        self._lingering = self._timetable.at(due_ns, self._close)

    def _close(self) -> None:
        if self._file < 0:
            return
        self._last = True
        if self._lingering is not None:
            self._timetable.cancel(self._lingering)
        self._loop.remove_reader(self._file)
        self._file = -1
        with contextlib.suppress(OSError):
            self._socket.close()
        self._closed(self)
