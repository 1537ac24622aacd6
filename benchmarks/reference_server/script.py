"""A script: which bytes are due when, and how the response ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

Fields = tuple[tuple[str, str], ...]


class End(Enum):
    """How a response ends after its last step."""

    CLEAN = "clean"
    HANG = "hang"
    CLOSE = "close"
    """The connection is closed in good order (FIN), whatever is missing."""
    RESET = "reset"
    """The connection is reset (RST)."""


class Step(NamedTuple):
    """One frame, or a piece of one, in an HTTP chunk of its own."""

    due_s: float
    """After the whole request's arrival."""
    data: bytes
    tokens: int = 0
    """In the frame; 0 for one without text."""
    kind: str = "text"
    """``text``, ``reasoning``, ``empty``, ``end``, ``error`` or ``garbage``."""
    begins: bool = True
    """The frame's first byte is in it."""
    ends: bool = True
    """The frame's last byte is in it."""
    raw: bool = False
    """To be written as it is, not as an HTTP chunk."""


@dataclass
class Script:
    """One response: status line, content type, and the body, all at once or step by step."""

    status: int = 200
    content_type: str = "application/json"
    fields: Fields = ()
    """More header fields."""
    preamble: bytes = b""
    """Written before the head, by itself, as soon as the request is there."""
    body: bytes | None = None
    """A plain response, due with its head; then there are no steps."""
    steps: list[Step] = field(default_factory=list)
    end: End = End.CLEAN
    headers_due_s: float = 0.0
    """Headers are sent then; ``inf`` is never."""
    joins: bool = False
    """A frame without text goes into the same send as the next one if that is due at the same time."""
    one_send: bool = False
    """All goes into one send."""
    cut: bool = False
    """Every send is cut in two at any byte, and other work is done between the two."""
