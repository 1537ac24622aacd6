"""The work that every client does: the same prompts, the same answers, a closed loop."""

from __future__ import annotations

import re
from dataclasses import dataclass

REQUESTS_PER_STREAM = 20
MODEL = "ref"

_NUMBER = re.compile(r"\bn(\d{6})\b")


@dataclass(frozen=True)
class Workload:
    """What the reference server answers, and how often it is asked."""

    concurrency: int
    requests: int
    ttft_ms: float = 50.0
    itl_ms: float = 10.0
    tokens: int = 64

    @property
    def ideal_s(self) -> float:
        """Time that the requests take with a client and a server that lose none."""
        answer_ms = self.ttft_ms + (self.tokens - 1) * self.itl_ms
        return -(-self.requests // self.concurrency) * answer_ms / 1e3


def prompt(number: int) -> str:
    """Return the prompt of a request; its number marks it in the server's log."""
    return f"Request n{number:06d} : tell me about the quick brown fox near some cold river ."


def number_in(text: str) -> int | None:
    """Return the number of the request whose prompt is in ``text``; ``None`` if there is none."""
    found = _NUMBER.search(text)
    return int(found[1]) if found else None
