"""One streamed request: frames with their arrivals, the clock's marks, and how the transport ended.

Nothing is decoded while bytes arrive beyond finding the frames' ends; JSON is read afterwards.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from contracts.call import Outcome
from worker.measurement.clock import now_ns
from worker.measurement.quiet import no_gc
from worker.measurement.timing import CallClock
from worker.servers.connection import CONNECT_TIMEOUT_S, Connection, explain
from worker.servers.framing import Decoder, Frame, FrameTooLong
from worker.servers.text import decode_json, error_message, excerpt

MAX_STREAM_BYTES = 256 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
LINGER_S = 1.0
"""How long the stream's end may come after the protocol's last frame."""


@dataclass(frozen=True)
class Failure:
    """Why the transport did not end cleanly."""

    outcome: Outcome
    reason: str


@dataclass
class Exchange:
    """What one request brought."""

    clock: CallClock = field(default_factory=CallClock)
    http_status: int | None = None
    frames: list[Frame] = field(default_factory=list)
    terminal: bool = False
    """The protocol's last frame has arrived."""
    failure: Failure | None = None
    """``None``: the response ended as HTTP says that it should."""
    refusal: str | None = None
    """The response is no stream at all: an error status or a wrong content type."""


@dataclass(frozen=True)
class StreamRequest:
    """Where to send what, and how the answer is framed."""

    path: str
    warm_path: str
    """A GET that costs the server next to nothing."""
    payload: dict[str, Any]
    decoder: Callable[[], Decoder]
    is_last: Callable[[Frame], bool]
    """Whether a frame is the protocol's last one; must be cheap, and may miss one."""
    media_types: frozenset[str]


async def exchange(connection: Connection, request: StreamRequest, timeout_s: float) -> Exchange:
    """Send the request and read its stream to the end, for at most ``timeout_s`` seconds in all."""
    body = json.dumps(request.payload).encode()
    begun_ns = now_ns()
    await connection.warm(request.warm_path, timeout_s)
    timeout_s = max(timeout_s - (now_ns() - begun_ns) / 1e9, 0.0)
    result = Exchange()
    reader = _Reader(request, result)
    whole = asyncio.timeout(timeout_s)
    try:
        with no_gc():
            async with whole:
                await reader.run(connection, body, timeout_s, whole)
    except TimeoutError:
        if result.terminal:
            # The server left the connection open after its last frame: the call itself is complete.
            result.clock.mark_end(reader.last_ns)
        else:
            result.failure = Failure(
                Outcome.TIMEOUT, f"no end of the answer within {timeout_s:.4g} s: {_where(result)}"
            )
    except FrameTooLong as error:
        result.failure = Failure(Outcome.SERVER_ERROR, str(error))
    except httpx.RemoteProtocolError as error:
        result.failure = _protocol_failure(error, result)
    except httpx.ConnectTimeout:
        limit = min(CONNECT_TIMEOUT_S, timeout_s)
        result.failure = Failure(Outcome.CONNECTION, f"no connection within {limit:.4g} s")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        result.failure = Failure(Outcome.CONNECTION, f"{explain(error)} ({_where(result)})")
    finally:
        result.clock.mark_end()
    return result


class _Reader:
    """Reads one response into an exchange."""

    def __init__(self, request: StreamRequest, result: Exchange) -> None:
        self._request = request
        self._result = result
        self._decoder = request.decoder()
        self.last_ns: int | None = None
        result.frames = self._decoder.frames

    async def run(
        self, connection: Connection, body: bytes, timeout_s: float, whole: asyncio.Timeout
    ) -> None:
        request = connection.client.build_request(
            "POST",
            connection.url + self._request.path,
            content=body,
            headers={"content-type": "application/json"},
            timeout=httpx.Timeout(None, connect=max(min(CONNECT_TIMEOUT_S, timeout_s), 0.001)),
            extensions={"trace": self._trace},
        )
        response = await connection.client.send(request, stream=True)
        try:
            self._result.http_status = response.status_code
            if response.status_code != 200 or not self._is_stream(response):
                await self._refuse(response)
            else:
                await self._read(response, whole)
            self._result.clock.mark_end()
        finally:
            await response.aclose()

    async def _trace(self, event: str, _info: dict[str, Any]) -> None:
        if event == "http11.send_request_headers.started":
            self._result.clock.mark_sent()
        elif event == "http11.receive_response_headers.complete":
            self._result.clock.mark_headers()

    async def _read(self, response: httpx.Response, whole: asyncio.Timeout) -> None:
        received = seen = 0
        decoder, result = self._decoder, self._result
        async for chunk in response.aiter_raw():
            arrived_ns = now_ns()
            self.last_ns = arrived_ns
            decoder.feed(chunk, arrived_ns)
            received += len(chunk)
            if received > MAX_STREAM_BYTES:
                raise FrameTooLong(MAX_STREAM_BYTES)
            for frame in decoder.frames[seen:]:
                if not result.terminal and self._request.is_last(frame):
                    result.terminal = True
                    _linger(whole)
            seen = len(decoder.frames)
        result.clock.mark_end()
        decoder.finish()

    def _is_stream(self, response: httpx.Response) -> bool:
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        encoding = response.headers.get("content-encoding", "identity").lower()
        return (not media_type or media_type in self._request.media_types) and encoding == "identity"

    async def _refuse(self, response: httpx.Response) -> None:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_ERROR_BYTES:
                break
        try:
            said = error_message(decode_json(bytes(body)))
        except ValueError:
            said = None
        said = said or excerpt(bytes(body))
        if response.status_code != 200:
            what = f"HTTP {response.status_code}"
        else:
            types = " or ".join(sorted(self._request.media_types))
            what = (
                f"content type {excerpt(response.headers.get('content-type', ''), 80)!r} instead of {types}"
            )
            if "content-encoding" in response.headers:
                what += f", encoded as {excerpt(response.headers['content-encoding'], 40)!r}"
        self._result.refusal = f"{what}: {said}" if said else what


def _linger(whole: asyncio.Timeout) -> None:
    soon = asyncio.get_running_loop().time() + LINGER_S
    deadline = whole.when()
    whole.reschedule(soon if deadline is None else min(soon, deadline))


def _where(result: Exchange) -> str:
    if result.clock.sent_ns is None:
        return "before the request was sent"
    if result.clock.headers_ns is None:
        return "before the response's headers"
    if not result.frames:
        return "before the first frame"
    return f"in mid-stream, after {len(result.frames)} frames"


def _protocol_failure(error: httpx.RemoteProtocolError, result: Exchange) -> Failure:
    # httpcore has one class for a connection that ended too early and for bytes that are not HTTP.
    said = str(error)
    if "closed connection" in said or "disconnected" in said:
        return Failure(Outcome.CONNECTION, f"the server closed the connection ({_where(result)})")
    return Failure(Outcome.SERVER_ERROR, f"the answer is not HTTP: {excerpt(said)}")
