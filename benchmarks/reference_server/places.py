"""So many answers at a time: the others wait for a place, in the order of their requests."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

Begin = Callable[[int], None]
"""Begins an answer; takes the moment that its schedule counts from, ns."""


class Place:
    """One answer's claim: waiting, taken, or given back."""

    __slots__ = ("begin", "taken")

    def __init__(self, begin: Begin) -> None:
        self.begin = begin
        self.taken = False


class Places:
    """``count`` places; 0: no limit."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._limited = count > 0
        self._waiting: deque[Place] = deque()

    def take(self, place: Place, came_ns: int) -> None:
        """Begin as soon as there is a place: at once, with ``came_ns``, or when another is given back."""
        if not self._limited or self._free:
            self._give(place, came_ns)
        else:
            self._waiting.append(place)

    def give_back(self, place: Place, at_ns: int) -> None:
        """The answer is over, or its client has gone; the next one in the queue begins at ``at_ns``."""
        if not place.taken:
            self._waiting.remove(place)
            return
        self._free += 1
        if self._waiting:
            self._give(self._waiting.popleft(), at_ns)

    def _give(self, place: Place, at_ns: int) -> None:
        self._free -= 1
        place.taken = True
        place.begin(at_ns)
