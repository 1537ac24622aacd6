"""Just enough HTTP/1.1: read a request, write a response head, write chunks."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

MAX_BODY_BYTES = 64 * 1024 * 1024


class BadRequest(Exception):
    """What came is not a request that this server can read."""


@dataclass(frozen=True)
class Request:
    """One request."""

    method: str
    path: str
    body: bytes

    def object(self) -> dict[str, Any]:
        """Return the body's JSON object. Raises BadRequest."""
        try:
            value = json.loads(self.body) if self.body else {}
        except ValueError as error:
            raise BadRequest(f"the body is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise BadRequest("the body is not a JSON object")
        return value


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Return the next request of a connection; ``None`` when the client closed it.

    Raises:
        BadRequest: it can't be read.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise BadRequest("the head is too long") from None
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        raise BadRequest("no request line")
    fields = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    if "transfer-encoding" in fields:
        raise BadRequest("a chunked request body is not supported")
    length = fields.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        raise BadRequest("bad content-length")
    try:
        body = await reader.readexactly(int(length))
    except asyncio.IncompleteReadError:
        return None
    return Request(words[0], words[1].partition("?")[0], body)


def head(status: int, content_type: str, length: int | None) -> bytes:
    """Return a response's head; without a length the body is chunked."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    phrase = HTTPStatus(status).phrase
    return f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {content_type}\r\n{size}\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
