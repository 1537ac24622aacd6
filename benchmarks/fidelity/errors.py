"""Client against server, request by request, and the order statistics of the differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.fidelity.matching import Pair
from benchmarks.fidelity.server import Served


@dataclass
class Errors:
    """Differences, client − server, of the requests of one or several runs."""

    ttft_ms: list[float] = field(default_factory=list)
    itl_percent: list[float] = field(default_factory=list)
    """Of the mean inter-token latency of a request."""
    gap_ms: list[float] = field(default_factory=list)
    """Of each single gap, for clients that tell them."""

    def extend(self, more: Errors) -> None:
        """Add the differences of another run."""
        self.ttft_ms += more.ttft_ms
        self.itl_percent += more.itl_percent
        self.gap_ms += more.gap_ms


@dataclass(frozen=True)
class Spread:
    """A set of differences in three numbers."""

    median: float
    """Signed: how far off it typically is, and to which side."""
    p99: float
    """Of the absolute values."""
    worst: float
    """Largest absolute value."""


def errors(pairs: Iterable[Pair]) -> Errors:
    """Return the differences of matched requests; a figure that the client does not give is left out."""
    found = Errors()
    for record, served in pairs:
        if record.ttft_ms is not None:
            found.ttft_ms.append(record.ttft_ms - served.ttft_ms)
        if record.itl_ms is not None:
            found.itl_percent.append(100 * (record.itl_ms / served.itl_ms - 1))
        if record.gaps_ms is not None and len(record.gaps_ms) == len(served.gaps_ms):
            found.gap_ms += [a - b for a, b in zip(record.gaps_ms, served.gaps_ms, strict=True)]
    return found


def spread(values: Sequence[float]) -> Spread | None:
    """Return the three numbers; ``None`` of nothing."""
    if not values:
        return None
    absolute = [abs(value) for value in values]
    return Spread(quantile(values, 0.5), quantile(absolute, 0.99), max(absolute))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of the values do not exceed (nearest rank).

    No interpolation (Hyndman & Fan 1996, type 1): of 20 values the 99 % quantile is the largest.
    """
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered) - 1e-9), 1) - 1]


def in_flight(served: Sequence[Served]) -> float | None:
    """Return the mean number of requests that were with the server at once; ``None`` of nothing."""
    spans = [(s.begin_ns, s.end_ns) for s in served if s.end_ns is not None]
    if not spans:
        return None
    whole_ns = max(end for _, end in spans) - min(begin for begin, _ in spans)
    return sum(end - begin for begin, end in spans) / whole_ns
