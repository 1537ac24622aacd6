"""Stands between a client and a server and keeps the server's bytes, so that both can be compared."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
from types import TracebackType
from typing import Any, cast
from urllib.parse import urlsplit


class RecordingProxy:
    """Forwards TCP connections; use it as an async context manager. Not for tests of times."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._sent: list[bytearray] = []
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> RecordingProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def bodies(self) -> list[bytes]:
        """Return the bodies of all whole responses so far, connection by connection, without chunking."""
        return [body for sent in self._sent for body in _bodies(bytes(sent))]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        kept = bytearray()
        self._sent.append(kept)
        for pump in (_pump(reader, server_writer, bytearray()), _pump(server_reader, writer, kept)):
            task = asyncio.create_task(pump)
            self._pumps.add(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    try:
        while data := await reader.read(65536):
            kept += data
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            writer.close()


class _Stream(io.BytesIO):
    """Stays open for the next response of the connection."""

    def makefile(self, *_: object) -> _Stream:
        return self

    def close(self) -> None:
        pass


def _bodies(sent: bytes) -> list[bytes]:
    stream = _Stream(sent)
    found = []
    while stream.tell() < len(sent):
        response = http.client.HTTPResponse(cast(Any, stream))
        try:
            response.begin()
            found.append(response.read())
        except http.client.HTTPException:
            break  # cut off
    return found
