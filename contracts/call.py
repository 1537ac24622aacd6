"""One streamed request to a model server: its outcome, its timing and the server's own counters."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Strict
from contracts.diagnosis import Diagnosis

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
    """Complete, but the text is empty, too short or ends in a repetition (:data:`Degeneration`)."""
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


Degeneration = Literal["empty", "short", "repetition"]
"""What is wrong with a degenerate answer."""

ArrivalClock = Literal["kernel", "user"]
"""Who stamped the arrivals: the kernel, when the bytes reached the socket, or this process, when it had
read them; the second is later by however busy the process and the host were."""


class CallTiming(Strict):
    """Client-side times of one call, in integer nanoseconds of one monotonic clock.

    Only differences mean anything; ``wall_anchor`` is the one wall-clock reading, taken at
    ``sent_ns``. A ``None`` never happened.
    """

    wall_anchor: datetime
    """UTC."""
    due_ns: int | None = None
    """When the workload wanted the call to be sent; warming the connection lies between."""
    sent_ns: int
    """The request was about to be written, on a connection that stood."""
    connect_ns: Nanoseconds | None = None
    """How long it had taken to make the connection that carried the call; part of no other time."""
    headers_ns: int | None = None
    """The response's headers were there."""
    text_ns: tuple[int, ...] = ()
    """Arrival of the first byte of each frame that carried text of the answer."""
    text_tokens: tuple[Count, ...] | None = None
    """Tokens in each of these frames; ``None``: the server does not tell."""
    reasoning_ns: tuple[int, ...] = ()
    """Arrival of each frame that carried reasoning text, which is no part of the answer."""
    end_ns: int
    """The stream ended, or the call failed."""
    clock: ArrivalClock = "user"


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
    """How many of ``tokens`` the time ``eval_ns`` covers: all (Ollama, by its own rate; see docs/servers.md),
    or all but the first (llama.cpp, whose clock starts at the first token)."""
    load_ns: Nanoseconds | None = None
    total_ns: Nanoseconds | None = None


class EarlierSending(Strict):
    """An earlier sending of the same call, after which the server had generated nothing for certain."""

    outcome: Outcome
    reason: str | None = None
    http_status: int | None = None
    timing: CallTiming
    waited_s: float
    """Pause before the next sending."""


class CallResult(Strict):
    """One call: outcome, text, timing, counters. Its times are those of the last sending."""

    outcome: Outcome
    reason: str | None = None
    """Why it is not ``ok``, in words."""
    http_status: int | None = None
    finish_reason: str | None = None
    """As the server wrote it."""
    degeneration: Degeneration | None = None
    """Set if and only if the outcome is ``degenerate``."""
    text: str = ""
    text_chars: Count | None = None
    """Length of the text where it is not kept (a load's answers would make outcomes of many MB); ``None``: it stands in
    ``text``."""
    text_hash: str | None = None
    """First 16 hex digits of the SHA-256 of ``text`` in UTF-8; ``None`` where there is no text."""
    reasoning_chars: Count = 0
    """Length of the reasoning text that came, which is not kept."""
    structured: bool = False
    """Whether the server was given a JSON schema for the answer."""
    timing: CallTiming
    counters: ServerCounters = ServerCounters()
    applied: dict[str, int | float] = Field(default_factory=dict)
    """Parameters, by the names of :class:`contracts.configuration.Parameters`, that the server says this call
    ran with (llama.cpp's ``generation_settings``); what it does not tell is absent."""
    earlier_sendings: tuple[EarlierSending, ...] = ()
    """Earlier sendings, in order."""
    diagnosis: Diagnosis | None = None
    """``None``: the call was not measured far enough to be diagnosed."""
