"""A script: which bytes are due when, and how the response ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class End(Enum):
    """How a response ends after its last step."""

    CLEAN = "clean"
    HANG = "hang"
    RESET = "reset"


@dataclass(frozen=True)
class Step:
    """One frame. ``tokens`` is 0 for frames without text."""

    due_s: float
    data: bytes
    tokens: int = 0


@dataclass
class Script:
    """One response: status line, content type, and the body, all at once or step by step."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes | None = None
    """A plain response; then there are no steps."""
    steps: list[Step] = field(default_factory=list)
    end: End = End.CLEAN
    headers_due_s: float = 0.0
    """Headers are sent then; ``inf`` is never."""
    split: bool = False
    """Write the body a few bytes at a time."""
