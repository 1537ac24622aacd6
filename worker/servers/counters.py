"""A server's counters: a number is true or absent."""

from __future__ import annotations

import math

from worker.servers.text import shown

MAX_COUNT = 10**9
MAX_NUMBER = 10**15
MAX_NS = 30 * 86_400 * 10**9


class CounterReader:
    """Takes counters as they stand in a server's JSON; what can't be true becomes ``None`` and a note."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        """Why a counter that was sent is absent."""

    def count(self, name: str, value: object) -> int | None:
        """Return a number of tokens."""
        number = self._number(name, value, MAX_COUNT)
        if number is not None and number != int(number):
            self._note(name, value, "not a whole number")
            return None
        return None if number is None else int(number)

    def nanoseconds(self, name: str, value: object, unit_ns: int = 1) -> int | None:
        """Return a duration that the server gave in units of ``unit_ns``, rounded to nanoseconds."""
        number = self._number(name, value, MAX_NS / unit_ns)
        return None if number is None else round(number * unit_ns)

    def number(self, name: str, value: object) -> float | None:
        """Return a plain number."""
        return self._number(name, value, MAX_NUMBER)

    def size(self, name: str, value: object) -> int | None:
        """Return a number of bytes."""
        number = self._number(name, value, MAX_NUMBER)
        return None if number is None else int(number)

    def _number(self, name: str, value: object, limit: float) -> int | float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            why = "not a number"
        elif isinstance(value, float) and not math.isfinite(value):
            why = "not finite"
        elif value < 0:
            why = "negative"
        elif value > limit:
            why = "absurdly large"
        else:
            return value
        self._note(name, value, why)
        return None

    def _note(self, name: str, value: object, why: str) -> None:
        self.notes.append(f"the server's {name} is left out: {shown(value, 40)} is {why}")
