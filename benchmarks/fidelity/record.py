"""What a client reports of one request, and how the clients of this package hand it over."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

NS_PER_MS = 1e6


@dataclass(frozen=True)
class Record:
    """One request as its client reports it; what a client does not tell is ``None``."""

    number: int | None
    """Number of the request in the workload."""
    start_ns: int | None
    """When it was sent, on the server's clock (``perf_counter_ns``); only for matching by time."""
    ttft_ms: float | None
    itl_ms: float | None
    """Mean inter-token latency."""
    gaps_ms: tuple[float, ...] | None = None
    """Each inter-token latency, if the client tells them."""


@dataclass(frozen=True)
class Marks:
    """Moments of one request, ns of ``perf_counter_ns``, as the clients of this package write them."""

    number: int
    sent_ns: int
    text_ns: tuple[int, ...]
    """Arrival of each frame with text."""

    def record(self) -> Record:
        """Return the latencies; one token per frame."""
        times = self.text_ns
        gaps = tuple((b - a) / NS_PER_MS for a, b in pairwise(times))
        return Record(
            number=self.number,
            start_ns=self.sent_ns,
            ttft_ms=(times[0] - self.sent_ns) / NS_PER_MS if times else None,
            itl_ms=sum(gaps) / len(gaps) if gaps else None,
            gaps_ms=gaps or None,
        )


def write_marks(path: Path, marks: Iterable[Marks], notes: Iterable[str] = ()) -> None:
    """Write what a client measured; ``notes`` say what went wrong."""
    path.write_text(json.dumps({"marks": [vars(m) for m in marks], "notes": list(notes)}))


def read_marks(path: Path) -> tuple[list[Marks], list[str]]:
    """Read what :func:`write_marks` wrote."""
    stored: dict[str, Any] = json.loads(path.read_text())
    marks = [Marks(m["number"], m["sent_ns"], tuple(m["text_ns"])) for m in stored["marks"]]
    return marks, stored["notes"]
