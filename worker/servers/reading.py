"""What a protocol's reader makes of a stream's frames, before it is judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from contracts.call import ServerCounters
from worker.servers.framing import Frame
from worker.servers.text import decode_json, excerpt


class Malformed(Exception):
    """A frame is not what the protocol says."""


@dataclass
class Reading:
    """The content of one stream."""

    pieces: list[str] = field(default_factory=list)
    """The text of each frame that carried some."""
    text_ns: list[int] = field(default_factory=list)
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
    notes: list[str] = field(default_factory=list)

    def add_text(self, frame: Frame, text: object, what: str) -> None:
        """Take a frame's piece of the answer; ``None`` and empty ones are no text."""
        if text is None or text == "":
            return
        if not isinstance(text, str):
            raise Malformed(f"{what} is not text: {excerpt(repr(text), 80)}")
        self.pieces.append(text)
        self.text_ns.append(frame.arrived_ns)

    def add_reasoning(self, text: object) -> None:
        """Take a frame's piece of reasoning text: counted, not kept."""
        if isinstance(text, str):
            self.reasoning_chars += len(text)

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
