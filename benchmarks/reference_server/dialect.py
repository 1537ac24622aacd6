"""What the wire formats have in common."""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, Protocol

from benchmarks.reference_server.answer import Answer

CACHED_CHARS = 256


class Counted(Enum):
    """What the server says that it counted."""

    TRUE = "true"
    NONE = "none"
    NAN = "nan"
    """Not a number, a string, a truth value, a negative one."""
    NEGATIVE = "negative"


@dataclass(frozen=True)
class Generation:
    """A request for text, as far as the answer depends on it."""

    model: str
    prompt: str
    """As it was sent; of a chat the last message."""
    prompt_tokens: int
    """Of all that counts as prompt: system message and earlier messages included."""
    limit: int | None
    wants_json: bool
    options: dict[str, Any] = field(default_factory=dict)
    """Settings of the generation by the names of the wire format."""
    unload: bool = False
    """Forget the model after the answer (Ollama's ``keep_alive: 0``)."""
    only_load: bool = False
    """Ollama: there is no prompt, so load the model, or unload it, and write nothing."""


class Dialect(Protocol):
    """Frames of one wire format for one request."""

    content_type: str
    early_headers: bool
    """Headers are sent as soon as the request is there, not with the first frame."""
    joins: bool
    """Frames without text go into one HTTP chunk with the next one."""
    counted: Counted

    @property
    def key(self) -> Hashable:
        """What its frames depend on beside the answer and the model's name."""

    def plan(self, answer: Answer) -> None:
        """Take the answer's figures; called before frames are asked for."""

    def opening(self) -> list[bytes]:
        """Frames before the first token, due with it."""

    def empty(self) -> bytes:
        """A frame with an empty text."""

    def text(self, pieces: tuple[str, ...], total: int) -> bytes:
        """A frame with one or more tokens; ``total`` is the number of tokens so far, these included."""

    def reasoning(self, piece: str, total: int) -> bytes | None:
        """A frame with one token of reasoning; ``None`` where the format has none."""

    def ending(self, answer: Answer) -> list[bytes]:
        """The final frames."""

    def error(self, message: str) -> bytes:
        """An error record inside the stream."""

    def garbage(self) -> bytes:
        """A frame that is not JSON."""

    def refusal(self, status: int, message: str, kind: str) -> dict[str, Any]:
        """The JSON of an error response; ``kind`` is its type where the format has one."""


def count_tokens(prompt: str) -> int:
    """Return a prompt's length: a word is a token, and there is one at least."""
    return max(1, len(prompt.split()))


def to_json(value: Any) -> bytes:
    """Return compact JSON in UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def text_json(text: str) -> bytes:
    """Return a text as a JSON string; what is short is encoded once."""
    return _short_text_json(text) if len(text) <= CACHED_CHARS else to_json(text)


@lru_cache(maxsize=4096)
def _short_text_json(text: str) -> bytes:
    return to_json(text)


def around(record: dict[str, Any], hole: str = "\0") -> tuple[bytes, bytes]:
    """Return a record's JSON before and after the value that is ``hole``: frames differ only there."""
    before, _, after = to_json(record).partition(to_json(hole))
    return before, after
