"""Just enough HTTP/1.1: bytes of a connection → requests, and what a response is made of."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024
LAST_CHUNK = b"0\r\n\r\n"


class BadRequest(Exception):
    """What came is not a request that this server can read."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Header names are in lower case."""

    method: str
    target: str
    fields: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def keeps_alive(self) -> bool:
        """Whether the client wants to use the connection on."""
        return self.fields.get("connection", "").lower() != "close"

    def query(self, name: str) -> str | None:
        """Return a field of the query; ``None`` if it is not there."""
        values = parse_qs(self.target.partition("?")[2]).get(name)
        return values[-1] if values else None

    def object(self) -> dict[str, Any]:
        """Return the body's JSON object. Raises BadRequest."""
        try:
            value = json.loads(self.body) if self.body else {}
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the body is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise BadRequest("the body is not a JSON object")
        return value


@dataclass(slots=True)
class _Head:
    method: str
    target: str
    fields: dict[str, str]
    length: int


@dataclass(slots=True)
class RequestParser:
    """Collects one connection's bytes; requests may be pipelined."""

    _buffer: bytearray = field(default_factory=bytearray)
    _head: _Head | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._buffer += data

    @property
    def waiting(self) -> int:
        """How many bytes are not part of a request that was returned."""
        return len(self._buffer)

    def next(self) -> Request | None:
        """Return the next whole request; ``None``: it is not there yet.

        Raises:
            BadRequest: it can't be read; the connection is of no more use.
        """
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
            if end < 0:
                if len(self._buffer) >= MAX_HEAD_BYTES:
                    raise BadRequest("the head is too long")
                return None
            self._head = _read_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        head = self._head
        if len(self._buffer) < head.length:
            return None
        body = bytes(self._buffer[: head.length])
        del self._buffer[: head.length]
        self._head = None
        return Request(head.method, head.target, head.fields, body)


def _read_head(data: bytes) -> _Head:
    first, *lines = data.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[2] != "HTTP/1.1":
        raise BadRequest("no HTTP/1.1 request line")
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    if "transfer-encoding" in fields:
        raise BadRequest("a chunked request body is not supported: send a Content-Length")
    length = fields.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY_BYTES:
        raise BadRequest("bad content-length")
    return _Head(words[0], words[1], fields, int(length))


def head(
    status: int, content_type: str, length: int | None = None, more: tuple[tuple[str, str], ...] = ()
) -> bytes:
    """Return a response's head; without a length the body is chunked."""
    size = ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))
    fields = [("Content-Type", content_type), size, *more]
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n".encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)
