"""What the two wire formats have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.reference_server.answer import Answer


@dataclass(frozen=True)
class Generation:
    """A request for text, as far as the schedule needs it."""

    model: str
    prompt: str
    limit: int | None
    wants_json: bool
    unload: bool = False
    """Forget the model after the answer (Ollama's ``keep_alive: 0``)."""


class Dialect(Protocol):
    """Frames of one wire format for one request."""

    content_type: str

    def opening(self) -> list[bytes]:
        """Frames without text before the first token."""

    def token(self, piece: str) -> bytes:
        """A frame with one piece of text."""

    def reasoning(self, piece: str) -> bytes | None:
        """A frame with one piece of reasoning; ``None`` where the format has none."""

    def ending(self, answer: Answer, counters: str) -> list[bytes]:
        """The final frames; ``counters`` is ``true``, ``none`` or ``nan``."""

    def error(self, message: str) -> bytes:
        """An error record inside the stream."""

    def garbage(self) -> bytes:
        """A frame that is not JSON."""


def error_body(openai: bool, status: int, message: str) -> dict[str, Any]:
    """Return the JSON of an error response in either format."""
    if not openai:
        return {"error": message}
    kinds = {404: "not_found_error", 400: "invalid_request_error"}
    return {"error": {"code": status, "message": message, "type": kinds.get(status, "server_error")}}
