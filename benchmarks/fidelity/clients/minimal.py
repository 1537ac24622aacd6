"""The floor: an asyncio protocol that stamps what arrives and does nothing else until the end."""

from __future__ import annotations

import asyncio
import gc
import time
from urllib.parse import urlsplit

from benchmarks.fidelity.clients.body import PATH, request_body
from benchmarks.fidelity.clients.closed_loop import arguments, closed_loop
from benchmarks.fidelity.clients.stream_text import Piece, chunked_body, text_arrivals
from benchmarks.fidelity.record import Marks, write_marks

_LAST_CHUNK = b"0\r\n\r\n"
_BUFFER_BYTES = 64 * 1024


class _Connection(asyncio.BufferedProtocol):
    """One kept connection, one response at a time. Its own buffer spares asyncio one of 256 KiB per read."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self._buffer = bytearray(_BUFFER_BYTES)
        self._whole: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        now_ns = time.perf_counter_ns()
        data = bytes(self._buffer[:nbytes])
        self.pieces.append((now_ns, data))
        if data.endswith(_LAST_CHUNK) and self._whole is not None and not self._whole.done():
            self._whole.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if self._whole is not None and not self._whole.done():
            self._whole.set_exception(error or ConnectionError("the server closed the connection"))

    async def exchange(self, request: bytes) -> tuple[int, list[Piece]]:
        """Send the request; return when, and the whole response as it arrived."""
        self.pieces = []
        self._whole = asyncio.get_running_loop().create_future()
        sent_ns = time.perf_counter_ns()
        self.transport.write(request)
        await self._whole
        return sent_ns, self.pieces


class _Client:
    """Connections of its own; the raw responses are kept and read at the end."""

    def __init__(self, url: str, tokens: int) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._tokens = tokens
        self._idle: list[_Connection] = []
        self.responses: list[tuple[int, int, list[Piece]]] = []

    async def call(self, number: int) -> None:
        connection = self._idle.pop() if self._idle else await self._connect()
        body = request_body(number, self._tokens)
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        sent_ns, pieces = await connection.exchange(head.encode() + body)
        self.responses.append((number, sent_ns, pieces))
        self._idle.append(connection)

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return connection

    def close(self) -> None:
        for connection in self._idle:
            connection.transport.close()


async def _main() -> None:
    options = arguments().parse_args()
    client = _Client(options.url, options.tokens)
    gc.disable()
    problems = await closed_loop(client.call, options.concurrency, options.requests)
    client.close()
    marks: list[Marks] = []
    for number, sent_ns, pieces in client.responses:
        try:
            marks.append(Marks(number, sent_ns, text_arrivals(chunked_body(pieces))))
        except ValueError as error:
            problems.append(f"request {number}: {error}")
    write_marks(options.out, marks, problems)


if __name__ == "__main__":
    asyncio.run(_main())
