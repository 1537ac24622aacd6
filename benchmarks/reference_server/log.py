"""What the server really did, by the clock that clients on this machine use too."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_REQUESTS = 10_000


@dataclass
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
    """The whole request had arrived."""
    end_ns: int | None = None
    """The response was over, whichever way; ``None``: still running."""
    ended: str | None = None
    """``sent``, ``left`` (the client went away), ``reset``, ``gave up`` or ``stopped``."""
    body: dict[str, Any] = field(default_factory=dict)
    """The request's JSON, prompt and messages left out."""
    sends: list[tuple[int, int, int]] = field(default_factory=list)
    """Per frame: due, sent (handed to the kernel), tokens in it (0: no text)."""


class ServerLog:
    """The last requests, in order of arrival."""

    def __init__(self) -> None:
        self.requests: deque[RequestLog] = deque(maxlen=MAX_REQUESTS)
        self.connections = 0
        """Connections accepted so far."""
        self._next = 1

    def open(
        self, path: str, model: str, scenario: str, peer: str, cold: bool, now_ns: int, body: dict[str, Any]
    ) -> RequestLog:
        """Begin the entry of a request."""
        shown = {key: value for key, value in body.items() if key not in ("prompt", "messages", "system")}
        entry = RequestLog(self._next, path, model, scenario, peer, cold, now_ns, body=shown)
        self._next += 1
        self.requests.append(entry)
        return entry

    def as_dict(self) -> dict[str, Any]:
        """Return the log as ``GET /log`` gives it."""
        return {
            "clock": "perf_counter_ns",
            "connections": self.connections,
            "requests": [asdict(r) for r in self.requests],
        }
