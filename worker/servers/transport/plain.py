"""httpx's own transport behind the same two extensions: for TLS, and to compare with.

Arrivals are those of the pieces that httpx hands up, by this process's clock.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from worker.measurement.clock import now_ns
from worker.measurement.loop import running_watch
from worker.measurement.timing import CallClock
from worker.servers.transport.incoming import Chunk, Incoming
from worker.servers.transport.stamped import CLOCK, HOLD, INCOMING
from worker.servers.transport.wire import Reading


class PlainTransport(httpx.AsyncBaseTransport):
    """Wraps ``httpx.AsyncHTTPTransport``."""

    def __init__(self, inner: httpx.AsyncHTTPTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        clock: CallClock | None = request.extensions.pop(CLOCK, None)
        if clock is None:
            return await self._inner.handle_async_request(request)
        if HOLD in request.extensions:
            await request.extensions.pop(HOLD)()
        incoming = Incoming()
        request.extensions["trace"] = _Trace(clock, incoming)
        response = await self._inner.handle_async_request(request)
        incoming.status = response.status_code
        incoming.by_kernel = False
        pump = asyncio.create_task(_pump(response, incoming, clock.written_ns or clock.begun_ns))
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Body(response, pump),
            extensions={**response.extensions, INCOMING: incoming},
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Trace:
    """Takes the marks when httpcore tells of them (its "trace" extension)."""

    def __init__(self, clock: CallClock, incoming: Incoming) -> None:
        self._clock = clock
        self._incoming = incoming
        self._connect_ns = 0

    async def __call__(self, event: str, _info: dict[str, Any]) -> None:
        match event:
            case "connection.connect_tcp.started":
                self._connect_ns = now_ns()
            case "connection.connect_tcp.complete" | "connection.start_tls.complete":
                self._clock.connect_ns = now_ns() - self._connect_ns
            case "http11.send_request_headers.started":
                self._clock.mark_sent()
            case "http11.send_request_body.complete":
                self._clock.mark_written()
            case "http11.receive_response_headers.complete":
                self._incoming.headers_ns = now_ns()
                self._clock.mark_headers(self._incoming.headers_ns)


async def _pump(response: httpx.Response, incoming: Incoming, before_ns: int) -> None:
    """Hand the body on; ``before_ns``: none of it had come before."""
    watch = running_watch()
    assert isinstance(response.stream, httpx.AsyncByteStream)

    def reading() -> Reading:
        nonlocal before_ns
        read_ns = now_ns()
        earliest_ns = before_ns if watch is None else max(before_ns, watch.earliest_ns)
        before_ns = read_ns
        return Reading(read_ns, read_ns, earliest_ns, by_kernel=False)

    try:
        async for data in response.stream:
            incoming.add(Chunk(reading(), data))
    except httpx.TransportError as error:
        incoming.break_off(error)
    except Exception as error:
        # Nobody awaits this task: whatever it is, the call must hear of it.
        failure = httpx.ReadError(str(error) or type(error).__name__)
        failure.__cause__ = error
        incoming.break_off(failure)
    else:
        incoming.end(reading())


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response, pump: asyncio.Task[None]) -> None:
        self._response = response
        self._pump = pump

    async def aclose(self) -> None:
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        await self._response.aclose()
