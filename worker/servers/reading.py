"""What a protocol's reader makes of a stream's frames, before it is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from contracts.call import ServerCounters
from worker.servers.framing import Frame
from worker.servers.text import decode_json, excerpt, shown


class Malformed(Exception):
    """A frame is not what the protocol says."""


@dataclass
class Reading:
    """The content of one stream."""

    pieces: list[str] = field(default_factory=list)
    """The text of each frame that carried some."""
    text_ns: list[int] = field(default_factory=list)
    first_text: Frame | None = None
    tokens: list[int | None] = field(default_factory=list)
    """In each frame that carried text, where the server tells."""
    reasoning_ns: list[int] = field(default_factory=list)
    reasoning_chars: int = 0
    """Length of the reasoning text, which is no part of the answer."""
    finished: bool = False
    """The server said that the answer is complete."""
    finish_reason: str | None = None
    error: str | None = None
    """The server's error record."""
    malformed: str | None = None
    """Why a frame could not be read; later frames were not looked at."""
    counters: ServerCounters = field(default_factory=ServerCounters)
    applied: dict[str, int | float] = field(default_factory=dict)
    """Parameters that the server says it ran with."""
    notes: list[str] = field(default_factory=list)
    _held_back: int = 0
    """Tokens of frames without text: their characters come with the next one."""

    @property
    def began(self) -> bool:
        """Whether any token has come."""
        return bool(self.text_ns or self.reasoning_ns)

    @property
    def text_tokens(self) -> tuple[int, ...] | None:
        """Tokens of each frame with text; ``None`` unless all are known."""
        known = tuple(count for count in self.tokens if count is not None)
        return known if known and len(known) == len(self.text_ns) else None

    def add_text(self, frame: Frame, text: object, what: str, tokens: int | None = None) -> None:
        """Take a frame's piece of the answer; ``None`` and empty ones are no text.

        ``tokens``: in this frame, as far as the server tells.
        """
        if text is None or text == "":
            self._held_back += tokens or 0
            return
        if not isinstance(text, str):
            raise Malformed(f"{what} is not text: {shown(text)}")
        self.first_text = self.first_text or frame
        self.pieces.append(text)
        self.text_ns.append(frame.arrived_ns)
        self.tokens.append(None if tokens is None else tokens + self._held_back)
        self._held_back = 0

    def add_reasoning(self, frame: Frame, text: object) -> None:
        """Take a frame's piece of reasoning text: counted and timed, not kept."""
        if isinstance(text, str) and text:
            self.reasoning_chars += len(text)
            self.reasoning_ns.append(frame.arrived_ns)
            self._held_back = 0

    def add_finish_reason(self, reason: object) -> None:
        """Take the server's finish reason, if the frame has one."""
        if isinstance(reason, str) and reason:
            self.finished = True
            self.finish_reason = excerpt(reason, 100)


def objects(frames: Iterable[Frame], reading: Reading) -> Iterable[tuple[Frame, dict[str, Any]]]:
    """Yield each frame's JSON object, up to the first frame that is none.

    A last frame that the stream broke off inside is no garbage: the stream was aborted there.
    """
    for number, frame in enumerate(frames, 1):
        try:
            value = decode_json(frame.data)
            if not isinstance(value, dict):
                raise ValueError("not an object")
        except ValueError as error:
            if frame.terminated:
                why = "an object" if str(error) == "not an object" else "JSON"
                reading.malformed = f"frame {number} of the stream is not {why}: {excerpt(frame.data, 120)!r}"
            return
        yield frame, value


def is_true(name: bytes) -> Callable[[Frame], bool]:
    """Return a quick test for a frame whose JSON has the member ``name`` with ``true``; it may miss one."""
    # Inside a JSON string the quotes would be escaped, so this can't be met in a text.
    forms = (b'"%s":true' % name, b'"%s": true' % name)
    return lambda frame: any(form in frame.data for form in forms)
