"""How long each part of one sending may take."""

from __future__ import annotations

from contracts.sweep import Timeouts
from worker.measurement.clock import now_ns
from worker.measurement.timing import CallClock


class TooSlow(Exception):
    """A part of the call took longer than it may; the message says which."""


def seconds(value: float) -> str:
    """Write a time limit for people; what is left of it is a little less than what was given."""
    return f"{round(value, 2 if value >= 0.1 else 3):g} s"


class Limits:
    """The sweep's timeouts, within what is left of the job's deadline."""

    def __init__(self, timeouts: Timeouts, timeout_s: float, left_s: float) -> None:
        """``left_s`` from now on of the ``timeout_s`` that the call may take in all."""
        self._timeouts = timeouts
        self._timeout_s = timeout_s
        self._begun_ns = now_ns()
        self._until_ns = self._begun_ns + round(left_s * 1e9)

    @property
    def connect_s(self) -> float | None:
        """For connecting; ``None`` where the deadline comes first."""
        left_s = (self._until_ns - now_ns()) / 1e9
        return self._timeouts.connect if self._timeouts.connect < left_s else None

    def of_the_head(self, clock: CallClock) -> tuple[float, str]:
        """Until the headers are there; the connection stands already, as a rule."""
        return min(self._left(clock, began=False, last_ns=None))

    def left_s(self, clock: CallClock, began: bool, last_ns: int | None) -> float:
        """Return the time to the next limit, s; may be negative. ``last_ns``: arrival of the last frame."""
        return min(limit_s for limit_s, _ in self._left(clock, began, last_ns))

    def check(self, clock: CallClock, began: bool, last_ns: int | None) -> None:
        """Raises TooSlow, if a limit has passed."""
        left_s, what = min(self._left(clock, began, last_ns))
        if left_s <= 0:
            raise TooSlow(what)

    def _left(self, clock: CallClock, began: bool, last_ns: int | None) -> list[tuple[float, str]]:
        now = now_ns()
        sent_s = (now - (clock.sent_ns or self._begun_ns)) / 1e9
        left = [((self._until_ns - now) / 1e9, f"no end of the answer within {seconds(self._timeout_s)}")]
        timeouts = self._timeouts
        call_s, first_s, between_s = timeouts.call, timeouts.first_token, timeouts.between_tokens
        if call_s is not None:
            left.append((call_s - sent_s, f"no end of the answer within {seconds(call_s)}"))
        if not began and first_s is not None:
            left.append((first_s - sent_s, f"no first token within {seconds(first_s)}"))
        if began and between_s is not None and last_ns is not None:
            left.append((between_s - (now - last_ns) / 1e9, f"no further token within {seconds(between_s)}"))
        return left
