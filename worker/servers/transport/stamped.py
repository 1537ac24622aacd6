"""An httpx transport for plain HTTP/1.1 whose responses know when their bytes arrived."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx

from worker.measurement.clock import now_ns
from worker.measurement.timing import CallClock
from worker.servers.transport.incoming import Incoming
from worker.servers.transport.wire import Wire, connect

CLOCK = "chimera_clock"
"""Request extension: the :class:`worker.measurement.timing.CallClock` that takes the marks."""
FRESH = "chimera_fresh"
"""Request extension: whether the request must have a connection of its own."""
HOLD = "chimera_hold"
"""Request extension: what to await on the connection, before the request is written."""
INCOMING = "chimera_incoming"
"""Response extension: its :class:`Incoming`."""
FOREVER_S = 10 * 365 * 86_400.0


class StampedTransport(httpx.AsyncBaseTransport):
    """Keeps connections that are idle for less than ``keepalive_s``; the last one used is used first."""

    def __init__(self, keepalive_s: float) -> None:
        self._keepalive_ns = round(keepalive_s * 1e9)
        self._idle: dict[tuple[str, int], list[Wire]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        clock: CallClock = request.extensions.get(CLOCK) or CallClock()
        body = await request.aread()
        origin = (request.url.host, request.url.port or 80)
        kept = None if request.extensions.get(FRESH) else self._kept(origin)
        wire = kept or await self._connect(origin, request)
        clock.connect_ns = wire.connect_ns
        incoming = Incoming()
        try:
            if HOLD in request.extensions:
                await request.extensions[HOLD]()
            wire.receive(incoming)
            await self._send(wire, _head(request) + body, incoming, clock)
            await incoming.head()
        except BaseException:
            wire.close()
            raise
        clock.mark_headers(incoming.headers_ns)
        assert incoming.status is not None
        return httpx.Response(
            incoming.status,
            headers=incoming.headers,
            stream=_Body(incoming, wire, self._idle.setdefault(origin, [])),
            extensions={"http_version": b"HTTP/1.1", INCOMING: incoming},
        )

    async def aclose(self) -> None:
        for wires in self._idle.values():
            while wires:
                wires.pop().close()

    def _kept(self, origin: tuple[str, int]) -> Wire | None:
        wires = self._idle.get(origin, [])
        while wires:
            wire = wires.pop()
            if now_ns() - wire.idle_since_ns < self._keepalive_ns and wire.is_quiet():
                return wire
            wire.close()
        return None

    async def _connect(self, origin: tuple[str, int], request: httpx.Request) -> Wire:
        limit_s = request.extensions.get("timeout", {}).get("connect")
        try:
            async with asyncio.timeout(limit_s):
                return await connect(*origin)
        except TimeoutError as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise httpx.ConnectError(str(error)) from error  # the system's own limit
            raise httpx.ConnectTimeout(f"no connection within {limit_s:g} s") from None
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error

    async def _send(self, wire: Wire, data: bytes, incoming: Incoming, clock: CallClock) -> None:
        clock.mark_sent()
        try:
            clock.left_ns = await wire.send(data)
        except OSError as error:
            if incoming.headers_ns is None and incoming.failure is None:
                raise httpx.WriteError(str(error)) from error
            # The server answered, or broke off, before it had read all: what it said counts.
            incoming.reusable = False
        clock.mark_written()


class _Body(httpx.AsyncByteStream):
    """The body for httpx's own readers; a measured call reads the ``Incoming`` itself."""

    def __init__(self, incoming: Incoming, wire: Wire, idle: list[Wire]) -> None:
        self._incoming = incoming
        self._wire = wire
        self._idle = idle

    async def __aiter__(self) -> AsyncIterator[bytes]:
        ended = False
        while not ended:
            ended = await self._incoming.more(asyncio.get_running_loop().time() + FOREVER_S)
            for chunk in self._incoming.take():
                yield chunk.data

    async def aclose(self) -> None:
        wire, incoming = self._wire, self._incoming
        if incoming.ended_ns is not None and incoming.reusable and not wire.closed:
            wire.receive(None)
            self._idle.append(wire)
        else:
            wire.close()


def _head(request: httpx.Request) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % pair for pair in request.headers.raw]
    return b"\r\n".join(lines) + b"\r\n\r\n"
