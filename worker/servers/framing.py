"""Incremental decoders: bytes as they arrive → frames (NDJSON lines, SSE events).

A frame's arrival is that of its first byte. Frames come out whole, so UTF-8 characters may be split
anywhere; JSON is none of this module's business.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

MAX_FRAME_BYTES = 16 * 1024 * 1024


class FrameTooLong(Exception):
    """A frame exceeds the limit; frames before it are kept."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a frame is longer than {limit} bytes")


class Frame(NamedTuple):
    """One whole record of the stream."""

    arrived_ns: int
    data: bytes
    event: str = ""
    """SSE event type; empty for the default one and for NDJSON."""
    terminated: bool = True
    """``False``: the stream ended inside the frame."""


class Decoder(Protocol):
    """Turns chunks into frames."""

    frames: list[Frame]
    """All frames so far, in order."""

    def feed(self, chunk: bytes, arrived_ns: int) -> None:
        """Take the next bytes. Raises FrameTooLong."""

    @property
    def open_ns(self) -> int | None:
        """Arrival of the first byte of the frame that is not complete yet; ``None``: there is none."""

    def finish(self) -> None:
        """The stream ended cleanly: what is left becomes a frame with ``terminated`` False."""


class _Lines:
    """Splits chunks into lines, each with the arrival of its first byte."""

    __slots__ = ("_after_cr", "_carriage_returns", "_limit", "_open", "_open_ns")

    def __init__(self, limit: int, carriage_returns: bool) -> None:
        self._limit = limit
        self._carriage_returns = carriage_returns
        self._after_cr = False
        self._open = bytearray()
        self._open_ns = 0

    @property
    def is_between(self) -> bool:
        """Whether the next byte begins a line, whatever it is."""
        return not self._open and not self._after_cr

    def split(self, chunk: bytes, arrived_ns: int) -> list[tuple[int, bytes]]:
        """Return the lines that end in ``chunk``, without their ends."""
        if self._carriage_returns:
            chunk = self._unify_ends(chunk)
        *ended, rest = chunk.split(b"\n")
        lines: list[tuple[int, bytes]] = []
        for piece in ended:
            if self._open:
                self._open += piece
                lines.append((self._open_ns, bytes(self._open)))
                self._open.clear()
            else:
                lines.append((arrived_ns, piece))
        if rest:
            if not self._open:
                self._open_ns = arrived_ns
            self._open += rest
        return lines

    @property
    def open_ns(self) -> int | None:
        return self._open_ns if self._open else None

    @property
    def too_long(self) -> bool:
        return len(self._open) > self._limit

    def take_rest(self) -> tuple[int, bytes] | None:
        """Return the line that has no end, if any."""
        if not self._open:
            return None
        rest = (self._open_ns, bytes(self._open))
        self._open.clear()
        return rest

    def _unify_ends(self, chunk: bytes) -> bytes:
        # A CR at the end of a chunk has ended its line already; the LF after it ends nothing.
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        if b"\r" not in chunk:
            return chunk
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class NdjsonDecoder:
    """One JSON record per line; blank lines are none."""

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self.frames: list[Frame] = []
        self._limit = limit
        self._lines = _Lines(limit, carriage_returns=False)

    def feed(self, chunk: bytes, arrived_ns: int) -> None:
        for begun_ns, line in self._lines.split(chunk, arrived_ns):
            if len(line) > self._limit:
                raise FrameTooLong(self._limit)
            if line and not line.isspace():
                self.frames.append(Frame(begun_ns, line))
        if self._lines.too_long:
            raise FrameTooLong(self._limit)

    @property
    def open_ns(self) -> int | None:
        return self._lines.open_ns

    def finish(self) -> None:
        rest = self._lines.take_rest()
        if rest is not None and not rest[1].isspace():
            self.frames.append(Frame(*rest, terminated=False))


class SseDecoder:
    """Server-sent events (WHATWG HTML, "Interpreting an event stream"), with one extension.

    LF, CRLF and CR end lines; several ``data`` lines are joined by LF; comments, ``id`` and ``retry``
    are passed over; an event without data is none. The extension: older llama.cpp writes errors as a
    field named ``error``; that is an event of type ``error`` with that data.
    """

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self.frames: list[Frame] = []
        self._limit = limit
        self._lines = _Lines(limit, carriage_returns=True)
        self._first_line = True
        self._begun_ns: int | None = None
        self._data: list[bytes] = []
        self._event = ""
        self._size = 0

    def feed(self, chunk: bytes, arrived_ns: int) -> None:
        if self._is_one_event(chunk):
            self._first_line = False
            self.frames.append(Frame(arrived_ns, chunk[6:-2]))
            return
        for begun_ns, line in self._lines.split(chunk, arrived_ns):
            self._line(begun_ns, line)
        if self._lines.too_long:
            raise FrameTooLong(self._limit)

    def _is_one_event(self, chunk: bytes) -> bool:
        """Whether it is one whole event of one line: what servers send, and five times as quick to read."""
        return (
            self._begun_ns is None
            and self._lines.is_between
            and not self._event
            and chunk.startswith(b"data: ")
            and chunk.find(b"\n") == len(chunk) - 2
            and chunk.endswith(b"\n\n")
            and b"\r" not in chunk
            and len(chunk) <= self._limit
        )

    @property
    def open_ns(self) -> int | None:
        return self._lines.open_ns if self._begun_ns is None else self._begun_ns

    def finish(self) -> None:
        rest = self._lines.take_rest()
        if rest is not None:
            self._line(*rest)
        self._dispatch(terminated=False)

    def _line(self, begun_ns: int, line: bytes) -> None:
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            self._dispatch(terminated=True)
            return
        name, _, value = line.partition(b":")
        if name not in (b"data", b"event", b"error"):
            return
        if self._begun_ns is None:
            self._begun_ns = begun_ns
        value = value.removeprefix(b" ")
        if name == b"event":
            self._event = value.decode("utf-8", "replace")
            return
        if name == b"error":
            self._event = "error"
        self._size += len(value) + 1  # the LF that joins it to the next
        if self._size > self._limit:
            raise FrameTooLong(self._limit)
        self._data.append(value)

    def _dispatch(self, terminated: bool) -> None:
        if self._data and self._begun_ns is not None:
            self.frames.append(Frame(self._begun_ns, b"\n".join(self._data), self._event, terminated))
        self._begun_ns = None
        self._data = []
        self._event = ""
        self._size = 0
