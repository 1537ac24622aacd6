"""What the server really did, by the clock that clients on this machine use too."""

from __future__ import annotations

import hashlib
import time
from array import array
from collections import deque
from dataclasses import dataclass, field, fields
from typing import Any

from benchmarks.reference_server.arrival import Arrival
from benchmarks.reference_server.wire import Schedule

MAX_REQUESTS = 10_000
SHOWN_CHARS = 64
NO_FRAMES = Schedule()
_LEFT_OUT = ("prompt", "messages", "system")

Frame = tuple[int, int, int | None, int, str]
"""Due, before the ``send`` of its first byte, after that of its last (``None``: never sent whole), ns;
tokens in it; kind."""


def _times() -> array[int]:
    return array("q")


@dataclass(slots=True)
class RequestLog:
    """One request for text. Nanoseconds of ``time.perf_counter_ns``."""

    id: int
    path: str
    model: str
    scenario: str
    peer: str
    """Address and port of the client's connection."""
    cold: bool
    begin_ns: int
    """The whole request had arrived; all that is due is due after it."""
    begin_clock: str
    """Who says so: ``kernel`` (its receive timestamp) or ``user`` (the server, when it had read it)."""
    read_ns: int
    """The server had read the whole request."""
    came_ns: int
    """When the request arrived: ``begin_ns``, unless it had to wait for a place; then ``begin_ns`` is when it got one."""
    request_id: str | None
    """The request's header ``x-request-id``."""
    prompt_sha: str
    """First 16 hexadecimal digits of the SHA-256 of the prompt in UTF-8."""
    prompt_head: str
    prompt_tail: str
    """The prompt's first and last 64 characters."""
    body: dict[str, Any]
    """The request's JSON, prompt and messages left out."""
    end_ns: int | None = None
    """The response was over, whichever way; ``None``: still running."""
    ended: str | None = None
    """``sent``, ``closed``, ``reset``, ``left`` (the client went away), ``gave up`` or ``stopped``."""
    full_buffer: int = 0
    """How often the kernel took less than a whole write: what follows is late by the client's doing."""
    schedule: Schedule = NO_FRAMES
    """All frames of the response."""
    sent_ns: array[int] = field(default_factory=_times)
    """Of the frames so far: before the ``send`` of the first byte."""
    done_ns: array[int] = field(default_factory=_times)
    """After the ``send`` of the last byte."""

    @property
    def frames(self) -> list[Frame]:
        """The frames sent so far."""
        done: list[int | None] = [*self.done_ns, *[None] * (len(self.sent_ns) - len(self.done_ns))]
        due_after_ns, tokens, kinds = self.schedule
        due = [self.begin_ns + after for after in due_after_ns[: len(done)]]
        return list(zip(due, self.sent_ns, done, tokens, kinds, strict=False))

    @property
    def sends(self) -> list[tuple[int, int, int]]:
        """Per frame sent so far: due, sent, tokens of the answer's text in it."""
        return [(due, sent, tokens if kind == "text" else 0) for due, sent, _, tokens, kind in self.frames]

    @property
    def late_max_ns(self) -> int | None:
        """How late a frame was sent, at most, by the server's doing; ``None`` where it can't be told."""
        if self.full_buffer or not self.sent_ns:
            return None
        return max(sent - due for due, sent, *_ in self.frames)

    def as_dict(self) -> dict[str, Any]:
        """Return it as ``GET /log`` gives it."""
        names = [f.name for f in fields(self) if f.name not in ("schedule", "sent_ns", "done_ns")]
        values = {name: getattr(self, name) for name in names}
        return values | {"late_max_ns": self.late_max_ns, "frames": self.frames}


class ServerLog:
    """The last requests, in order of arrival."""

    def __init__(self) -> None:
        self.requests: deque[RequestLog] = deque(maxlen=MAX_REQUESTS)
        self.connections = 0
        """Connections accepted so far."""
        self.read_late_max_ns = 0
        """How long a request lay in the kernel before it was read, at most."""
        self._next = 1

    def open(
        self,
        arrival: Arrival,
        *,
        path: str,
        model: str,
        scenario: str,
        peer: str,
        cold: bool,
        request_id: str | None,
        prompt: str,
        body: dict[str, Any],
    ) -> RequestLog:
        """Begin the entry of a request."""
        entry = RequestLog(
            id=self._next,
            path=path,
            model=model,
            scenario=scenario,
            peer=peer,
            cold=cold,
            begin_ns=arrival.begin_ns,
            begin_clock=arrival.clock,
            read_ns=arrival.read_ns,
            came_ns=arrival.begin_ns,
            request_id=request_id,
            prompt_sha=hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:16],
            prompt_head=prompt[:SHOWN_CHARS],
            prompt_tail=prompt[-SHOWN_CHARS:],
            body={key: value for key, value in body.items() if key not in _LEFT_OUT},
        )
        self._next += 1
        self.read_late_max_ns = max(self.read_late_max_ns, arrival.read_ns - arrival.begin_ns)
        self.requests.append(entry)
        return entry

    def clear(self) -> int:
        """Forget all requests and return how many there were; ids go on counting."""
        count = len(self.requests)
        self.requests.clear()
        self.read_late_max_ns = 0
        return count

    def as_dict(self, since: int = 0) -> dict[str, Any]:
        """Return the log as ``GET /log`` gives it: the requests with an id above ``since``."""
        return {
            "clock": "perf_counter_ns",
            "now_ns": time.perf_counter_ns(),
            "connections": self.connections,
            "requests": [entry.as_dict() for entry in self.requests if entry.id > since],
        }
