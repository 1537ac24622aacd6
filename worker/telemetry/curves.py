"""Figures of a stretch of time from readings at single moments. Times in integer nanoseconds.

``points`` are (time, value) pairs, times rising. What lies between two of them is taken as linear, unless
they are further apart than ``bridge_ns``: then nothing is known between them. So figures of adjacent
stretches add up to the figure of the whole.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence

Point = tuple[int, float]

NS_PER_S = 1e9


def difference(points: Sequence[Point], start_ns: int, end_ns: int, bridge_ns: int) -> float | None:
    """Return by how much a cumulative figure rose from start to end; ``None`` where an edge is not known."""
    first, last = value_at(points, start_ns, bridge_ns), value_at(points, end_ns, bridge_ns)
    return None if first is None or last is None else last - first


def value_at(points: Sequence[Point], at_ns: int, bridge_ns: int) -> float | None:
    """Return the value at a moment; ``None`` outside of the points and where nothing bridges them."""
    after = bisect_right(points, at_ns, key=lambda point: point[0])
    if after == 0:
        return None
    before_ns, before = points[after - 1]
    if before_ns == at_ns:
        return before
    if after == len(points):
        return None
    after_ns, value = points[after]
    if after_ns - before_ns > bridge_ns:
        return None
    return before + (value - before) * ((at_ns - before_ns) / (after_ns - before_ns))


def integral(points: Sequence[Point], start_ns: int, end_ns: int, bridge_ns: int) -> float | None:
    """Return the trapezoidal integral from start to end, in the value's unit × seconds.

    ``None`` where an edge is not known or the points in between are too far apart.
    """
    first, last = value_at(points, start_ns, bridge_ns), value_at(points, end_ns, bridge_ns)
    if first is None or last is None:
        return None
    inside = [point for point in points if start_ns < point[0] < end_ns]
    line = [(start_ns, first), *inside, (end_ns, last)]
    total = 0.0
    for (a_ns, a), (b_ns, b) in itertools.pairwise(line):
        if b_ns - a_ns > bridge_ns:
            return None
        total += (a + b) / 2 * ((b_ns - a_ns) / NS_PER_S)
    return total


def steps(points: Sequence[Point]) -> list[Point]:
    """Return the points at which a counter was first seen at a new value."""
    return [point for before, point in itertools.pairwise(points) if point[1] != before[1]]


def knots(points: Sequence[Point]) -> list[Point]:
    """Return the points between which a counter that moves in steps may be interpolated.

    Such a counter says where it is only when it steps; in between, most of what it will say next has
    happened already. So: its steps, and the first and the last point for what lies before and after them.
    """
    return sorted({*points[:1], *steps(points), *points[-1:]})
