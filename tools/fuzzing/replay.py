"""One response through the whole path, without a network: transport, framing, reader, verdict."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from pathlib import Path

import httpx

from contracts.call import CallResult
from contracts.configuration import Parameters
from contracts.sweep import ServerSpec
from worker.measurement.clock import now_ns
from worker.servers import CallRequest, ModelServer, open_server
from worker.servers.transport import Incoming, Reading, StampedTransport
from worker.servers.transport.wire import Receiver, Wire

TIMEOUT_S = 5.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
SPECS = {
    "ollama": ServerSpec(kind="ollama", retries=0),
    "chat": ServerSpec(kind="openai", api="chat", retries=0),
    "completions": ServerSpec(kind="openai", api="completions", retries=0),
    "llama.cpp": ServerSpec(kind="llama.cpp", retries=0),
}


@dataclass(frozen=True)
class Case:
    """A response in the pieces in which it is read."""

    kind: str
    pieces: tuple[bytes, ...]

    def save(self, path: Path, why: str) -> None:
        """Write the case as JSON; the bytes as base64."""
        pieces = [base64.b64encode(piece).decode() for piece in self.pieces]
        path.write_text(json.dumps({"kind": self.kind, "why": why, "pieces": pieces}, indent=1))

    @classmethod
    def load(cls, path: Path) -> Case:
        """Read a saved case."""
        tree = json.loads(path.read_text())
        return cls(tree["kind"], tuple(base64.b64decode(piece) for piece in tree["pieces"]))


class Player:
    """The four clients on a transport that plays cases to them."""

    def __init__(self) -> None:
        self._transport = _Played()
        self._servers: dict[str, ModelServer] = {}
        for kind, spec in SPECS.items():
            server = self._servers[kind] = open_server(spec, "http://played")
            connection = server._connection  # type: ignore[attr-defined]
            connection._transport = self._transport

    async def play(self, case: Case) -> CallResult:
        """Return what the client makes of the response."""
        server = self._servers[case.kind]
        self._transport.pieces = case.pieces
        if hasattr(server, "_pause_s"):
            server._pause_s = 0.0  # of the answer before
        request = CallRequest("ref", "one two three", None, Parameters(), None, min_words=1)
        async with asyncio.timeout(4 * TIMEOUT_S):
            return await server.call(request, TIMEOUT_S)


def body_of(pieces: tuple[bytes, ...]) -> bytes:
    """Return the body of a response, read in one piece."""
    incoming = Incoming()
    _feed(incoming, (b"".join(pieces),))
    return b"".join(chunk.data for chunk in incoming.take())


def content(pieces: tuple[bytes, ...]) -> tuple[object, ...]:
    """Return what must not depend on how a response is cut: all but the times."""
    incoming = Incoming()
    _feed(incoming, pieces)
    body = b"".join(chunk.data for chunk in incoming.take())
    failure = None if incoming.failure is None else str(incoming.failure)
    headers = incoming.headers if incoming.headers_ns is not None else None
    return incoming.status, headers, body, incoming.ended_ns is not None, failure


def _feed(incoming: Receiver, pieces: tuple[bytes, ...]) -> None:
    for number, piece in enumerate(pieces):
        at_ns = now_ns()
        incoming.feed(piece, Reading(at_ns, at_ns, at_ns - number, number % 7 != 6))
    incoming.eof()


class _Played(StampedTransport):
    def __init__(self) -> None:
        super().__init__(keepalive_s=1e6)
        self.pieces: tuple[bytes, ...] = ()

    async def _connect(self, origin: tuple[str, int], request: httpx.Request) -> Wire:
        return _PlayedWire((OK,) if request.method == "GET" else self.pieces)


class _PlayedWire(Wire):
    """Answers whatever is sent at once, and closes the connection."""

    def __init__(self, pieces: tuple[bytes, ...]) -> None:  # has no socket, so that Wire's is not called
        self.connect_ns = 0
        self.idle_since_ns = 0
        self.closed = False
        self._pieces = pieces
        self._receiver: Receiver | None = None

    def receive(self, receiver: Receiver | None) -> None:
        self._receiver = receiver

    def is_quiet(self) -> bool:
        return False

    async def send(self, data: bytes) -> int | None:
        assert self._receiver is not None
        _feed(self._receiver, self._pieces)
        return None

    def close(self) -> None:
        self.closed = True
