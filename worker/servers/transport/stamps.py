"""When bytes left and reached the socket, by the kernel's own stamps where the system gives them.

Linux stamps what is sent and received by its real-time clock (``SO_TIMESTAMPING``: Linux,
Documentation/networking/timestamping.rst; for TCP since 4.14). So the times are exact however late
this process was scheduled. A reading that takes several segments has the stamp of the last one; so has
a request that left in several.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Iterable
from typing import NamedTuple

from worker.measurement.clock import read_together

SO_TIMESTAMPING = 37
"""Of Linux' asm-generic/socket.h; Python's ``socket`` has no name for it, nor for the flags (net_tstamp.h)."""
TX_SOFTWARE, RX_SOFTWARE, SOFTWARE, OPT_TSONLY = 1 << 1, 1 << 3, 1 << 4, 1 << 11
ANCILLARY_BYTES = 256
FRESH_NS = 5 * 10**6
MAX_AGE_NS = 60 * 10**9
"""An older stamp tells that the wall clock was set, not that the bytes waited for so long."""
UNDISTURBED_NS = 10_000
"""Three clock readings in a row take less, unless another process came between."""
MAX_DISTURBED_NS = 200_000

_TIMESPEC = struct.Struct("@ll")
_NS_PER_S = 10**9


def switch_on(sock: socket.socket, sent: bool = True) -> bool:
    """Ask the kernel to stamp what ``sock`` receives, and what it sends; return whether it will."""
    if sys.platform != "linux":
        return False
    flags = RX_SOFTWARE | SOFTWARE | (TX_SOFTWARE | OPT_TSONLY if sent else 0)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)
    except OSError:
        return False
    return True


def stamp_ns(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    """Return the kernel's stamp as a reading of the monotonic clock; ``None`` if there is no sane one.

    The two clocks are read together here, so a step of the wall clock spoils only the stamps that it
    comes after: who knows more than the age should check that the time is possible.
    """
    stamped_ns = wall_ns(ancillary)
    moment = both_clocks() if stamped_ns is not None else None
    if stamped_ns is None or moment is None:
        return None
    age_ns = moment.wall_ns - stamped_ns
    return moment.mono_ns - age_ns if 0 <= age_ns <= MAX_AGE_NS else None


def wall_ns(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    """Return the kernel's stamp by its own real-time clock."""
    for level, kind, data in ancillary:
        if kind == SO_TIMESTAMPING and level == socket.SOL_SOCKET and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds * _NS_PER_S + nanoseconds)
    return None


class Offset:
    """How far the monotonic clock is from the real-time one, read together every few milliseconds.

    In that time the two drift by less than 3 µs (NTP slews by at most 500 ppm). What a step of the wall
    clock spoils, the reader must find out by what else it knows.
    """

    def __init__(self) -> None:
        self._read_ns = -FRESH_NS
        self._offset_ns: int | None = None

    def at(self, read_ns: int) -> int | None:
        """Return what to add to a stamp read at ``read_ns``; ``None``: the clocks could not be read together."""
        if read_ns - self._read_ns >= FRESH_NS or self._offset_ns is None:
            moment = both_clocks()
            self._offset_ns = None if moment is None else moment.mono_ns - moment.wall_ns
            self._read_ns = read_ns
        return self._offset_ns


class Moment(NamedTuple):
    """One moment by the monotonic and by the real-time clock."""

    mono_ns: int
    wall_ns: int
    unsure_ns: int
    """How far apart the two readings can lie, either way."""


def both_clocks() -> Moment | None:
    """Read both clocks together; ``None``: other processes came between, each time."""
    at_ns, unsure_ns, (wall_ns,) = read_together(time.time_ns, undisturbed_ns=UNDISTURBED_NS)
    return Moment(at_ns, wall_ns, unsure_ns) if 2 * unsure_ns <= MAX_DISTURBED_NS else None


def take_sent_ns(sock: socket.socket) -> int | None:
    """Return when the last request left; ``None`` if the kernel has not told (yet). Empties its queue."""
    sent: int | None = None
    while True:
        try:
            _, ancillary, _, _ = sock.recvmsg(1, ANCILLARY_BYTES, socket.MSG_ERRQUEUE)
        except OSError:
            return sent
        sent = stamp_ns(ancillary) or sent
