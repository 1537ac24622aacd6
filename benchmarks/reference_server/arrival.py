"""When a request arrived: by the kernel's receive timestamp where there is one.

Linux stamps a packet when it comes in and hands the stamp of the last byte read to ``recvmsg``
(socket(7), SO_TIMESTAMPNS). The time that a busy server needs until it reads is so not left out of the
client's TTFT.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time
from typing import NamedTuple

_SO_TIMESTAMPNS = 35
"""Option and type of the ancillary message: asm-generic/socket.h; Python has no name for it."""
_TIMESPEC = struct.Struct("@ll")
ANCILLARY_BYTES = socket.CMSG_SPACE(_TIMESPEC.size) if hasattr(socket, "CMSG_SPACE") else 0
_CLOSE_NS = 20_000
"""Between two readings of one clock around one of the other: half of it is the conversion's error."""
_TRIES = 5

Ancillary = list[tuple[int, int, bytes]]


class Arrival(NamedTuple):
    """When a request was whole. Nanoseconds of ``time.perf_counter_ns``."""

    begin_ns: int
    clock: str
    """``kernel`` or ``user``: whose clock told ``begin_ns``."""
    read_ns: int
    """The server had read it; equal to ``begin_ns`` by the ``user`` clock."""


def ask_for_stamps(sock: socket.socket) -> None:
    """Have the kernel stamp what comes in, where it can."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


def arrival(ancillary: Ancillary, read_ns: int, earliest_ns: int) -> Arrival:
    """Return when the bytes came that were read at ``read_ns``.

    A stamp after the reading or before ``earliest_ns`` can't be true (the clock of the day was set,
    say): then the time of reading counts.
    """
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(data) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            offset_ns = _day_to_perf_counter_ns()
            if offset_ns is None:
                break
            begin_ns = seconds * 1_000_000_000 + nanoseconds + offset_ns
            if earliest_ns <= begin_ns <= read_ns:
                return Arrival(begin_ns, "kernel", read_ns)
    return Arrival(read_ns, "user", read_ns)


def _day_to_perf_counter_ns() -> int | None:
    """Return what has to be added to CLOCK_REALTIME; ``None``: the two could not be read together."""
    for _ in range(_TRIES):
        before = time.perf_counter_ns()
        day = time.time_ns()
        after = time.perf_counter_ns()
        if after - before <= _CLOSE_NS:
            return (before + after) // 2 - day
    return None
