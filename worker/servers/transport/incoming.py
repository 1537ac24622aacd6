"""One response as it comes in: status, headers, and the body's bytes with their arrivals.

The HTTP parser is llhttp (by httptools), called when the bytes have been stamped; who waits for the
response is woken only at its head, its end, at a time that it names, or when much has piled up.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import httptools
import httpx

from contracts.call import ArrivalClock
from worker.measurement.clock import now_ns
from worker.servers.transport.wire import Reading

MAX_HEAD_BYTES = 256 * 1024
WAKE_BYTES = 1024 * 1024
CHUNK_BYTES = 200
"""What keeping a chunk takes beside its data: a body of single bytes must not pile up either."""


class Chunk(NamedTuple):
    """Bytes of the body that came together."""

    reading: Reading
    data: bytes


class Incoming:
    """A :class:`worker.servers.transport.wire.Receiver` for one response."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.headers_ns: int | None = None
        self.chunks: list[Chunk] = []
        """Of the body; who decodes them may take them out."""
        self.ended_ns: int | None = None
        """Arrival of the response's last byte."""
        self.failure: httpx.TransportError | None = None
        self.by_kernel = True
        """Whether every arrival so far is the kernel's stamp."""
        self.lag_max_ns = 0
        """Longest time from an arrival to its reading."""
        self.reusable = False
        """The connection can carry another request."""
        self._parser = httptools.HttpResponseParser(self)
        self._no_body_bytes = 0
        """Since the last piece of the body: head, or trailers."""
        self._piled = 0
        self._sized = False
        self._complete = False
        self._waiter: asyncio.Future[None] | None = None
        self._reading: Reading | None = None

    @property
    def last(self) -> Reading | None:
        """The last reading of the response."""
        return self._reading

    @property
    def clock(self) -> ArrivalClock:
        return "kernel" if self.by_kernel and self.headers_ns is not None else "user"

    @property
    def over(self) -> bool:
        return self.ended_ns is not None or self.failure is not None

    # The wire's side.

    def feed(self, data: bytes, reading: Reading) -> None:
        if self.ended_ns is not None or self.failure is not None:
            self.reusable = False  # more than the response that was asked for
            return
        self._reading = reading
        if not reading.by_kernel:
            self.by_kernel = False
        lag_ns = reading.read_ns - reading.arrived_ns
        if lag_ns > self.lag_max_ns:
            self.lag_max_ns = lag_ns
        self._no_body_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.break_off(httpx.RemoteProtocolError("the server switched protocols"))
        except httptools.HttpParserError as error:
            self.reusable = False
            self.break_off(httpx.RemoteProtocolError(str(error) or type(error).__name__))
        if self._no_body_bytes > MAX_HEAD_BYTES:
            self.break_off(httpx.RemoteProtocolError(f"the headers are longer than {MAX_HEAD_BYTES} bytes"))

    def eof(self) -> None:
        if self.over:
            return
        if self.headers_ns is not None and not self._sized:
            self.end()  # the connection's end is the body's; the close itself has no stamp
        else:
            self.break_off(httpx.RemoteProtocolError("the server closed the connection"))

    def failed(self, error: OSError) -> None:
        failure = httpx.ReadError(str(error))
        failure.__cause__ = error
        self.break_off(failure)

    def end(self, reading: Reading | None = None) -> None:
        """The response is over; its last byte came with ``reading``, or with the last one."""
        if not self.over:
            self._reading = reading or self._reading
            self.ended_ns = self._reading.arrived_ns if self._reading is not None else now_ns()
            self._wake()

    # llhttp's side.

    def on_message_begin(self) -> None:
        if self._complete:
            self.reusable = False  # more than the response that was asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._complete:
            return
        self.headers.append((name, value))
        self._sized = self._sized or name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and not self._complete:
            self.status = status
            self.headers_ns = self._reading.arrived_ns if self._reading is not None else None
            self._wake()

    def on_body(self, data: bytes) -> None:
        if self._reading is None or self._complete:
            return
        self.add(Chunk(self._reading, data))

    def on_message_complete(self) -> None:
        if self._complete:
            return
        if self.status is None:  # an informational response: the real one follows
            self.headers.clear()
            self._sized = False
            return
        self._complete = True
        self.reusable = self._parser.should_keep_alive()
        self.end()

    def add(self, chunk: Chunk) -> None:
        """Take a piece of the body."""
        self._reading = chunk.reading
        self.chunks.append(chunk)
        self._no_body_bytes = 0
        self._piled += len(chunk.data) + CHUNK_BYTES
        if self._piled > WAKE_BYTES:
            self._wake()

    # The reader's side.

    def take(self) -> list[Chunk]:
        """Return what has come since the last time."""
        taken, self.chunks = self.chunks, []
        self._piled = 0
        return taken

    async def head(self) -> None:
        """Wait for the headers. Raises httpx.TransportError."""
        while self.headers_ns is None:
            if self.failure is not None:
                raise self.failure
            await self._wait(None)

    async def more(self, until: float) -> bool:
        """Wait for the end, for much data, or until the event loop's time ``until``; return whether it ended.

        Raises:
            httpx.TransportError: the response broke off; what came before is in ``chunks``.
        """
        if not self.over and self._piled <= WAKE_BYTES:
            await self._wait(until)
        if self.failure is not None:
            raise self.failure
        return self.ended_ns is not None

    def break_off(self, failure: httpx.TransportError) -> None:
        """The response broke off."""
        if not self.over:
            self.failure = failure
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, until: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = None if until is None else loop.call_at(until, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
