"""The marks of one call, and the ``CallTiming`` that they make."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from contracts.call import CallTiming
from worker.measurement.clock import now_ns, utc_now


class CallClock:
    """Collects the moments of one call. Each mark is one clock reading and one assignment."""

    __slots__ = ("begun_ns", "end_ns", "headers_ns", "sent_ns", "wall_anchor")

    def __init__(self) -> None:
        self.begun_ns = now_ns()
        self.wall_anchor: datetime = utc_now()
        self.sent_ns: int | None = None
        self.headers_ns: int | None = None
        self.end_ns: int | None = None

    def mark_sent(self) -> None:
        """The request is about to be written on a connection that stands."""
        self.wall_anchor = utc_now()
        self.sent_ns = now_ns()

    def mark_headers(self) -> None:
        """The response's headers are there."""
        self.headers_ns = now_ns()

    def mark_end(self, at_ns: int | None = None) -> None:
        """The stream ended or the call failed, now or ``at_ns``. The first mark counts."""
        if self.end_ns is None:
            self.end_ns = now_ns() if at_ns is None else at_ns

    def timing(self, text_ns: Iterable[int] = ()) -> CallTiming:
        """Return the call's times; a call that was never sent has its beginning as ``sent_ns``."""
        self.mark_end()
        assert self.end_ns is not None
        return CallTiming(
            wall_anchor=self.wall_anchor,
            sent_ns=self.begun_ns if self.sent_ns is None else self.sent_ns,
            headers_ns=self.headers_ns,
            text_ns=tuple(text_ns),
            end_ns=self.end_ns,
        )
