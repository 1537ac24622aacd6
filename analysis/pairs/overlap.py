"""For how long several agents had calls under way at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Spans = Sequence[tuple[int, int]]
"""Beginning and end of each call of one agent, ns of one clock."""


def time_with(agents: Sequence[Spans], least: int) -> int:
    """Return for how long at least so many agents had a call under way, ns.

    An agent's calls may overlap each other: it is active while any is under way. All times are of one clock.
    """
    changes: list[tuple[int, int]] = []
    for spans in agents:
        for begin, end in union(spans):
            changes += [(begin, 1), (end, -1)]
    changes.sort()
    total = active = 0
    for (at, change), (until, _) in pairwise(changes):
        active += change
        if active >= least:
            total += until - at
    return total


def union(spans: Spans) -> list[tuple[int, int]]:
    """Return the spans as such that do not meet, in order; one without length is none."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if end <= begin:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((begin, end))
    return merged
