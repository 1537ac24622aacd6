"""One streamed request: frames with their arrivals, the clock's marks, and how the transport ended.

While bytes arrive they are only stamped and kept; frames are found afterwards, or once a second, and
JSON is read when all is over.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx

from contracts.call import EarlierSending, Outcome
from worker.measurement.clock import now_ns
from worker.measurement.conditions import Conditions
from worker.measurement.loop import WatchedSelector, running_watch
from worker.measurement.quiet import no_gc
from worker.measurement.timing import CallClock
from worker.servers.base import Load
from worker.servers.connection import Connection, explain
from worker.servers.framing import Decoder, Frame, FrameTooLong
from worker.servers.limits import Limits, TooSlow, seconds
from worker.servers.text import decode_json, error_message, excerpt
from worker.servers.transport import INCOMING, Incoming, Reading

MAX_STREAM_BYTES = 256 * 1024 * 1024
MAX_FRAMES = 1_000_000
MAX_ERROR_BYTES = 64 * 1024
ERROR_BODY_S = 5.0
LOOK_S = 1.0
"""How often to look at what has come; also how long the stream's end may come after its last frame."""


class StreamTooLong(Exception):
    """The stream is longer than any answer."""


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
    readings: list[tuple[Reading, int]] = field(default_factory=list)
    """Of the body, each with the number of HTTP chunks or other pieces that it brought."""
    ending: Reading | None = None
    """The reading that the end of the call's time is taken from."""
    lag_max_ns: int | None = None
    """Longest time from an arrival to its reading."""
    terminal: bool = False
    """The protocol's last frame has arrived."""
    failure: Failure | None = None
    """``None``: the response ended as HTTP says that it should."""
    refusal: str | None = None
    """The response is no stream at all: an error status or a wrong content type."""
    retry_after_s: float | None = None
    """What the server asks for with an error status."""
    watch: WatchedSelector | None = None
    """Of the loop that the call ran in."""
    begin: Conditions | None = None
    end: Conditions | None = None
    earlier: list[EarlierSending] = field(default_factory=list)
    """Earlier sendings of the same request."""
    unread: Callable[[], None] | None = None
    """Finds the frames that are not found yet."""

    def settled(self) -> list[Frame]:
        """Find the rest of the frames and return all: not while anything is measured, it takes time."""
        if self.unread is not None:
            unread, self.unread = self.unread, None
            unread()
        return self.frames


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
    has_token: Callable[[list[Frame]], bool]
    """Whether any of the frames carries text or reasoning text."""
    media_types: frozenset[str]
    load: Load | None = None
    """``None``: the call is made by itself."""
    keeps: bool = True
    """The server keeps a connection after a streamed answer; else a load's requests have connections of their own."""


async def exchange(
    connection: Connection, request: StreamRequest, timeout_s: float, due_ns: int | None = None
) -> Exchange:
    """Send the request once and read its stream to the end, for at most ``timeout_s`` seconds in all."""
    body = json.dumps(request.payload).encode()
    result = Exchange(CallClock(now_ns() if due_ns is None else due_ns))
    if request.load is None:
        await connection.warm(request.warm_path, timeout_s)
    left_s = timeout_s - (now_ns() - result.clock.begun_ns) / 1e9
    if left_s <= 0:
        result.failure = Failure(Outcome.TIMEOUT, f"no answer within {seconds(timeout_s)}: {_where(result)}")
        result.clock.mark_end()
        return result
    reader = _Reader(connection, request, result, Limits(connection.timeouts, timeout_s, left_s))
    try:
        with no_gc():
            result.watch = running_watch()
            result.begin = Conditions.now()
            try:
                await reader.run(body)
            finally:
                result.clock.mark_end()
                result.end = Conditions.now()
    except TooSlow as error:
        result.failure = Failure(Outcome.TIMEOUT, f"{error}: {_where(result)}")
    except (FrameTooLong, StreamTooLong) as error:
        result.failure = Failure(Outcome.SERVER_ERROR, str(error))
    except httpx.RemoteProtocolError as error:
        result.failure = _protocol_failure(error, result)
    except httpx.ConnectTimeout:
        limit = seconds(connection.timeouts.connect)
        result.failure = Failure(Outcome.CONNECTION, f"no connection within {limit} ({_where(result)})")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        result.failure = Failure(Outcome.CONNECTION, f"{explain(error)} ({_where(result)})")
    return result


class _Reader:
    """Sends one request and reads its response into an exchange."""

    def __init__(
        self, connection: Connection, request: StreamRequest, result: Exchange, limits: Limits
    ) -> None:
        self._connection = connection
        self._request = request
        self._result = result
        self._limits = limits
        self._decoder = request.decoder()
        self._received = 0
        self._last_arrival_ns: int | None = None
        self._began = False
        """A token has come."""
        result.frames = self._decoder.frames

    async def run(self, body: bytes) -> None:
        response = await self._send(body)
        incoming: Incoming = response.extensions[INCOMING]
        result = self._result
        try:
            result.http_status = response.status_code
            if response.status_code != 200 or not self._is_stream(response):
                await self._refuse(response, incoming)
            else:
                await self._read(incoming)
        finally:
            result.clock.arrivals = incoming.clock
            result.lag_max_ns = incoming.lag_max_ns
            self._mark_end(incoming)
            await response.aclose()

    async def _send(self, body: bytes) -> httpx.Response:
        clock = self._result.clock
        limit_s, what = self._limits.of_the_head(self._result.clock)
        try:
            async with asyncio.timeout(limit_s):
                path, load, keeps = self._request.path, self._request.load, self._request.keeps
                return await self._connection.open(
                    path, body, clock, self._limits.connect_s, load, keeps=keeps
                )
        except TimeoutError:
            raise TooSlow(what) from None

    async def _read(self, incoming: Incoming) -> None:
        loop = asyncio.get_running_loop()
        ended = False
        while not ended:
            try:
                ended = await incoming.more(loop.time() + self._next_look_s())
            except httpx.TransportError:
                self._decode(incoming)
                raise
            if not ended:
                self._decode(incoming)
                if self._is_over():
                    return
        self._result.unread = partial(self._finish, incoming)

    def _finish(self, incoming: Incoming) -> None:
        try:
            self._decode(incoming)
            self._decoder.finish()
        except (FrameTooLong, StreamTooLong) as error:
            self._result.failure = Failure(Outcome.SERVER_ERROR, str(error))

    def _mark_end(self, incoming: Incoming) -> None:
        result = self._result
        if incoming.ended_ns is not None:
            result.ending = incoming.last
        elif result.terminal:
            # The server left the connection open after its last frame: the call itself is complete.
            result.ending = result.readings[-1][0]
        result.clock.mark_end(None if result.ending is None else result.ending.arrived_ns)

    def _decode(self, incoming: Incoming) -> None:
        decoder, result = self._decoder, self._result
        for chunk in incoming.take():
            seen = len(decoder.frames)
            self._received += len(chunk.data)
            self._note(chunk.reading)
            decoder.feed(chunk.data, chunk.reading.arrived_ns)
            if self._received > MAX_STREAM_BYTES:
                raise StreamTooLong(f"the stream is longer than {MAX_STREAM_BYTES} bytes")
            if len(decoder.frames) > MAX_FRAMES:
                raise StreamTooLong(f"the stream has more than {MAX_FRAMES} frames")
            result.terminal = result.terminal or any(map(self._request.is_last, decoder.frames[seen:]))

    def _note(self, reading: Reading) -> None:
        readings, pieces = self._result.readings, 1
        if readings and readings[-1][0] is reading:  # several pieces of the body came in one reading
            pieces += readings.pop()[1]
        readings.append((reading, pieces))
        self._last_arrival_ns = reading.arrived_ns

    def _last_frame_ns(self) -> int | None:
        """Arrival of the last frame, the one that is not complete among them; comments are none."""
        if self._decoder.open_ns is not None:
            return self._decoder.open_ns
        return self._decoder.frames[-1].arrived_ns if self._decoder.frames else None

    def _next_look_s(self) -> float:
        left_s = self._limits.left_s(self._result.clock, self._began, self._last_frame_ns())
        return max(0.0, min(LOOK_S, left_s))

    def _is_over(self) -> bool:
        """Whether the answer is complete though the response is not. Raises TooSlow."""
        result = self._result
        if not self._began:
            self._began = self._request.has_token(result.frames)
        silent_s = 0.0 if self._last_arrival_ns is None else (now_ns() - self._last_arrival_ns) / 1e9
        if result.terminal and silent_s >= LOOK_S:
            return True
        self._limits.check(result.clock, self._began, self._last_frame_ns())
        return False

    def _is_stream(self, response: httpx.Response) -> bool:
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        encoding = response.headers.get("content-encoding", "identity").lower()
        return (not media_type or media_type in self._request.media_types) and encoding == "identity"

    async def _refuse(self, response: httpx.Response, incoming: Incoming) -> None:
        body = bytearray()
        left_s = self._limits.left_s(self._result.clock, began=True, last_ns=None)
        until = asyncio.get_running_loop().time() + min(ERROR_BODY_S, left_s)
        ended = False
        while not ended and len(body) <= MAX_ERROR_BYTES and asyncio.get_running_loop().time() < until:
            try:
                ended = await incoming.more(until)
            except httpx.TransportError:
                ended = True  # the status says enough
            body += b"".join(chunk.data for chunk in incoming.take())
        encoding = response.headers.get("content-encoding", "identity").lower()
        said = _said(bytes(body)) if encoding == "identity" else ""
        if response.status_code != 200:
            what = f"HTTP {response.status_code}"
            if "location" in response.headers:
                what += f" to {excerpt(response.headers['location'], 120)}"
            self._result.retry_after_s = retry_after_s(response.headers.get("retry-after"))
        elif encoding != "identity":
            what = f"the stream is encoded as {excerpt(encoding, 40)!r}, which was not asked for"
        else:
            types = " or ".join(sorted(self._request.media_types))
            what = (
                f"content type {excerpt(response.headers.get('content-type', ''), 80)!r} instead of {types}"
            )
        self._result.refusal = f"{what}: {said}" if said else what


def _said(body: bytes) -> str:
    """Return the message of an error body, or its beginning."""
    try:
        return error_message(decode_json(body)) or excerpt(body)
    except ValueError:
        return excerpt(body)


def retry_after_s(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header, in either form (RFC 9110, 10.2.3); ``None``: none, or no sense."""
    if header is None:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return float(header)
    try:
        at = email.utils.parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _where(result: Exchange) -> str:
    if result.clock.sent_ns is None:
        return "before the request was sent"
    if result.clock.headers_ns is None:
        return "before the response's headers"
    if not result.frames:
        return "before the first frame"
    return f"in mid-stream, after {len(result.frames)} frames"


def _protocol_failure(error: httpx.RemoteProtocolError, result: Exchange) -> Failure:
    # One class stands for a connection that ended too early and for bytes that are not HTTP.
    said = str(error)
    if "closed the connection" in said or "closed connection" in said or "disconnected" in said:
        return Failure(Outcome.CONNECTION, f"the server closed the connection ({_where(result)})")
    return Failure(Outcome.SERVER_ERROR, f"the answer is not HTTP: {excerpt(said)} ({_where(result)})")
