"""The marks of one call, and the ``CallTiming`` that they make."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from contracts.call import ArrivalClock, CallTiming
from worker.measurement.clock import now_ns, utc_now


class CallClock:
    """Collects the moments of one call. Each mark is one clock reading and one assignment."""

    __slots__ = (
        "arrivals",
        "begun_ns",
        "connect_ns",
        "due_ns",
        "end_ns",
        "headers_ns",
        "left_ns",
        "marked_ns",
        "wall_anchor",
        "written_ns",
    )

    def __init__(self, due_ns: int | None = None) -> None:
        self.due_ns = due_ns
        self.begun_ns = now_ns()
        self.wall_anchor: datetime = utc_now()
        self.connect_ns: int | None = None
        self.marked_ns: int | None = None
        """Just before the request was written, by this process's clock."""
        self.left_ns: int | None = None
        """When the kernel had sent the request, by its stamp."""
        self.written_ns: int | None = None
        self.headers_ns: int | None = None
        self.end_ns: int | None = None
        self.arrivals: ArrivalClock = "user"
        """Who stamped headers, frames and end."""

    @property
    def sent_ns(self) -> int | None:
        """When the request was written: the kernel's stamp if it lies where it must, else the mark."""
        if self.marked_ns is None or self.left_ns is None:
            return self.marked_ns
        later = (self.left_ns, self.written_ns, self.headers_ns)
        latest_ns = min(at_ns for at_ns in later if at_ns is not None)
        return self.left_ns if self.marked_ns <= self.left_ns <= latest_ns else self.marked_ns

    @property
    def sent_by_kernel(self) -> bool:
        """Whether ``sent_ns`` is the kernel's stamp."""
        return self.sent_ns is not None and self.sent_ns == self.left_ns

    @property
    def write_ns(self) -> int | None:
        """How long writing the request took."""
        return None if self.marked_ns is None or self.written_ns is None else self.written_ns - self.marked_ns

    def mark_sent(self) -> None:
        """The request is about to be written on a connection that stands."""
        self.wall_anchor = utc_now()
        self.marked_ns = now_ns()

    def mark_written(self) -> None:
        """The kernel has taken the whole request."""
        self.written_ns = now_ns()

    def mark_headers(self, at_ns: int | None = None) -> None:
        """The response's headers were there, now or ``at_ns``."""
        self.headers_ns = now_ns() if at_ns is None else at_ns

    def mark_end(self, at_ns: int | None = None) -> None:
        """The stream ended or the call failed, now or ``at_ns``. The first mark counts."""
        if self.end_ns is None:
            self.end_ns = now_ns() if at_ns is None else at_ns

    def timing(
        self,
        text_ns: Iterable[int] = (),
        reasoning_ns: Iterable[int] = (),
        text_tokens: tuple[int, ...] | None = None,
    ) -> CallTiming:
        """Return the call's times; a call that was never sent has its beginning as ``sent_ns``."""
        self.mark_end()
        assert self.end_ns is not None
        return CallTiming(
            wall_anchor=self.wall_anchor,
            due_ns=self.due_ns,
            sent_ns=self.begun_ns if self.sent_ns is None else min(self.sent_ns, self.end_ns),
            connect_ns=self.connect_ns,
            headers_ns=self.headers_ns,
            text_ns=tuple(text_ns),
            text_tokens=text_tokens,
            reasoning_ns=tuple(reasoning_ns),
            end_ns=self.end_ns,
            clock=self.arrivals,
        )
