"""A client that knows sockets and bytes only: what came, when, and how it ended."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

PATHS = {
    "ollama": "/api/generate",
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "native": "/completion",
}
LIMIT_S = 20.0


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.005)


def request_bytes(
    path: str, body: dict[str, Any] | None = None, fields: str = "", method: str | None = None
) -> bytes:
    """Return a request; POST where there is a body."""
    data = b"" if body is None else json.dumps(body).encode()
    verb = method or ("GET" if body is None else "POST")
    return f"{verb} {path} HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: {len(data)}\r\n\r\n".encode() + data


def generation(dialect: str, model: str = "ref", **more: Any) -> dict[str, Any]:
    """Return the body of a request for text."""
    body: dict[str, Any] = {"model": model, "stream": True}
    if dialect == "chat":
        body["messages"] = [{"role": "user", "content": "one two three"}]
    else:
        body["prompt"] = "one two three"
    if dialect in ("chat", "completions"):
        body["stream_options"] = {"include_usage": True}
    return body | more


@dataclass
class Reply:
    """One response as it came."""

    raw: bytes
    pieces: list[tuple[int, int]]
    """Per read: offset in ``raw``, time (``perf_counter_ns``) after the read."""
    ended: str
    """``whole``, ``closed``, ``reset`` or ``waiting`` (nothing more came for a while)."""
    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    informational: bytes = b""
    _places: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rest = self.raw
        if rest.startswith(b"HTTP/1.1 1"):
            self.informational, _, rest = rest.partition(b"\r\n\r\n")
        head, separator, rest = rest.partition(b"\r\n\r\n")
        if not separator:
            return
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split(" ")[1])
        self.fields = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        if self.fields.get("transfer-encoding") == "chunked":
            self._read_chunks(rest, len(self.raw) - len(rest))
        else:
            self.body = rest

    def _read_chunks(self, data: bytes, offset: int) -> None:
        body, begin = bytearray(), 0
        while (end := data.find(b"\r\n", begin, begin + 20)) >= 0:
            try:
                size = int(data[begin:end], 16)
            except ValueError:
                break
            if not size:
                break
            self._places.append((len(body), offset + end + 2))
            body += data[end + 2 : end + 2 + size]
            begin = end + size + 4
        self.body = bytes(body)

    @property
    def chunks(self) -> list[bytes]:
        """The data of the HTTP chunks."""
        edges = [body_at for body_at, _ in self._places]
        return [self.body[a:b] for a, b in pairwise([*edges, len(self.body)])]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def frames(self) -> list[bytes]:
        """NDJSON lines or SSE events, the separators left out; an unfinished one at the end included."""
        separator = b"\n" if "ndjson" in self.fields.get("content-type", "") else b"\n\n"
        return [frame for frame in self.body.split(separator) if frame]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The frames' JSON; ``[DONE]`` left out."""
        data = [frame.removeprefix(b"data: ") for frame in self.frames]
        return [json.loads(item) for item in data if item != b"[DONE]"]

    def arrived_ns(self) -> list[int]:
        """When the read was over that brought each frame's first byte."""
        times, begin = [], 0
        for frame in self.frames:
            begin = self.body.index(frame, begin)
            body_at, raw_at = max(place for place in self._places if place[0] <= begin)
            raw = raw_at + begin - body_at
            times.append(max(piece for piece in self.pieces if piece[0] <= raw)[1])
            begin += len(frame)
        return times


class RawClient:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._rest = b""

    async def send(self, data: bytes) -> int:
        """Send, and return the time before."""
        sent_ns = time.perf_counter_ns()
        await asyncio.get_running_loop().sock_sendall(self.sock, data)
        return sent_ns

    async def reply(self, quiet_s: float = LIMIT_S) -> Reply:
        """Read one response to its end, or until nothing comes for ``quiet_s``."""
        loop = asyncio.get_running_loop()
        raw, pieces, self._rest = bytearray(self._rest), [(0, time.perf_counter_ns())], b""
        seen = 0
        while True:
            end = _end(raw, seen)
            if end is not None:
                self._rest = bytes(raw[end:])
                return Reply(bytes(raw[:end]), pieces, "whole")
            try:
                data = await asyncio.wait_for(loop.sock_recv(self.sock, 1 << 16), quiet_s)
            except TimeoutError:
                return Reply(bytes(raw), pieces, "waiting")
            except ConnectionError:
                return Reply(bytes(raw), pieces, "reset")
            pieces.append((len(raw), time.perf_counter_ns()))
            if not data:
                return Reply(bytes(raw), pieces, "closed")
            seen = len(raw)
            raw += data

    async def ask(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        fields: str = "",
        quiet_s: float = LIMIT_S,
        method: str | None = None,
    ) -> Reply:
        await self.send(request_bytes(path, body, fields, method))
        return await self.reply(quiet_s)


def _end(raw: bytearray, seen: int) -> int | None:
    """Return where the first response in ``raw`` ends; it does not within the first ``seen`` bytes."""
    begin = 0
    if raw.startswith(b"HTTP/1.1 1"):
        begin = raw.find(b"\r\n\r\n") + 4
    head = raw.find(b"\r\n\r\n", begin)
    if head < 0 or begin == 3:
        return None
    fields = bytes(raw[begin:head]).lower()
    if b"transfer-encoding: chunked" in fields:
        last = raw.find(b"\r\n0\r\n\r\n", max(head, seen - 7))
        return None if last < 0 else last + 7
    length = int(fields.partition(b"content-length: ")[2].split(b"\r\n")[0])
    end = head + 4 + length
    return end if len(raw) >= end else None


@asynccontextmanager
async def connected(url: str, receive_buffer: int | None = None) -> AsyncIterator[RawClient]:
    """A connection to ``url``; the receive buffer can be kept small."""
    parts = urlsplit(url)
    with socket.socket() as sock:
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(sock, (parts.hostname, parts.port))
        yield RawClient(sock)


async def ask(url: str, path: str, body: dict[str, Any] | None = None, **options: Any) -> Reply:
    """Ask one thing on a connection of its own."""
    async with connected(url) as client:
        return await client.ask(path, body, **options)
