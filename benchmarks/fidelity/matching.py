"""Which request of the server's log is which of the client's report."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.fidelity.record import Record
from benchmarks.fidelity.server import Served

Pair = tuple[Record, Served]

MARK = "mark"
"""Matched by the request's number, which both sides know."""
TIME = "start time"
"""Matched in the order of the start times: within a burst, neighbours may be exchanged."""

# Clocks of two kinds (Unix time, monotonic) may drift apart by this much in one run.
SLACK_NS = 2_000_000


def match(records: Sequence[Record], served: Sequence[Served]) -> tuple[list[Pair], str]:
    """Return the pairs and how they were found: by mark where both sides have them, else by time.

    A record or an entry without a partner is in no pair. Of two entries with one number (a request that
    was sent again) the last one counts.
    """
    if any(r.number is not None for r in records) and any(s.number is not None for s in served):
        return _by_mark(records, served), MARK
    return _by_time(records, served), TIME


def _by_mark(records: Sequence[Record], served: Sequence[Served]) -> list[Pair]:
    entries = {s.number: s for s in sorted(served, key=lambda s: s.begin_ns) if s.number is not None}
    return [(r, entries[r.number]) for r in records if r.number in entries]


def _by_time(records: Sequence[Record], served: Sequence[Served]) -> list[Pair]:
    """Give each record, in order, the first entry left that did not arrive before it was sent."""
    entries = iter(sorted(served, key=lambda s: s.begin_ns))
    pairs: list[Pair] = []
    started = [(r.start_ns, r) for r in records if r.start_ns is not None]
    for start_ns, record in sorted(started, key=lambda pair: pair[0]):
        for entry in entries:
            if entry.begin_ns >= start_ns - SLACK_NS:
                pairs.append((record, entry))
                break
    return pairs
