"""One streamed request to a model server: its outcome, its timing and the server's own counters."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contracts.base import Strict

Nanoseconds = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class Outcome(StrEnum):
    """What became of a call."""

    OK = "ok"
    TRUNCATED = "truncated"
    """Complete up to the asked length limit: a valid measurement."""
    ABORTED = "aborted"
    """The stream ended without the server's final record."""
    DEGENERATE = "degenerate"
    """Complete, but the text is empty or one token repeated."""
    SERVER_ERROR = "server_error"
    """The server answered with an error, by status or inside the stream."""
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    """Refused, reset or cut."""
    LOST = "lost"
    """Its worker died, or the job was given up."""

    @property
    def valid(self) -> bool:
        """Whether the call's rates count in the valid statistics."""
        return self in (Outcome.OK, Outcome.TRUNCATED)


class CallTiming(Strict):
    """Client-side times of one call, in integer nanoseconds of one monotonic clock.

    Only differences mean anything; ``wall_anchor`` is the one wall-clock reading, taken at
    ``sent_ns``. A ``None`` never happened.
    """

    wall_anchor: datetime
    """UTC."""
    sent_ns: int
    """The request was written."""
    headers_ns: int | None = None
    """The response's headers were there."""
    text_ns: tuple[int, ...] = ()
    """Arrival of each frame that carried text."""
    end_ns: int
    """The stream ended, or the call failed."""


class ServerCounters(Strict):
    """What the server says of one call; what it did not send is ``None``, never 0."""

    prompt_tokens: Count | None = None
    cached_tokens: Count | None = None
    """Prompt tokens that the server took from its prompt cache."""
    tokens: Count | None = None
    """Tokens generated (Ollama: ``eval_count``; OpenAI: ``usage.completion_tokens``)."""
    prompt_eval_ns: Nanoseconds | None = None
    eval_ns: Nanoseconds | None = None
    eval_tokens: Count | None = None
    """How many of ``tokens`` the time ``eval_ns`` covers: all (Ollama), or all but the first (llama.cpp,
    whose clock starts at the first token)."""
    load_ns: Nanoseconds | None = None
    total_ns: Nanoseconds | None = None


class CallResult(Strict):
    """One call: outcome, text, timing, counters."""

    outcome: Outcome
    reason: str | None = None
    """Why it is not ``ok``, in words."""
    http_status: int | None = None
    finish_reason: str | None = None
    """As the server wrote it."""
    text: str = ""
    structured: bool = False
    """Whether the server was given a JSON schema for the answer."""
    timing: CallTiming
    counters: ServerCounters = ServerCounters()
