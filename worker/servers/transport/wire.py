"""One TCP connection: what is written goes to the kernel at once, what arrives is stamped first."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from worker.measurement.clock import now_ns
from worker.measurement.loop import running_watch
from worker.servers.transport import stamps

READ_BYTES = 64 * 1024
EARLY_NS = 200_000
"""So much the clocks may disagree: reading a socket and reading the clock are two steps."""


_offset = stamps.Offset()


class Reading(NamedTuple):
    """One reading of the socket. Nanoseconds of the monotonic clock."""

    arrived_ns: int
    """The kernel's stamp of the last byte, else ``read_ns``."""
    read_ns: int
    earliest_ns: int
    """No byte of it had arrived before."""
    by_kernel: bool


class Receiver(Protocol):
    """Who takes what a wire reads."""

    @property
    def over(self) -> bool:
        """Nothing more is to come."""

    def feed(self, data: bytes, reading: Reading) -> None:
        """Take the next bytes."""

    def eof(self) -> None:
        """The peer closed the connection."""

    def failed(self, error: OSError) -> None:
        """The connection broke."""


class Wire:
    """A connected socket of the running event loop."""

    def __init__(self, sock: socket.socket, connect_ns: int) -> None:
        self.connect_ns = connect_ns
        """How long connecting took."""
        self.idle_since_ns = now_ns()
        self.closed = False
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._watch = running_watch()
        # uvloop takes a stamp that comes late for an error of the socket and stops watching it.
        may_send = isinstance(self._loop, asyncio.SelectorEventLoop)
        self._kernel = stamps.switch_on(sock, sent=may_send)
        self._stamps_sent = self._kernel and may_send
        self._buffer = bytearray(READ_BYTES)
        self._buffers = [self._buffer]
        self._view = memoryview(self._buffer)
        self._receiver: Receiver | None = None
        self._unsent: asyncio.Future[None] | None = None
        self._drained_ns = now_ns()
        """Until then all that had arrived was read."""
        self._arrived_ns = 0
        self._loop.add_reader(sock, self._readable)

    def receive(self, receiver: Receiver | None) -> None:
        """Hand what comes from now on to ``receiver``; with ``None`` the connection is idle."""
        self._receiver = receiver
        self.idle_since_ns = now_ns()

    def is_quiet(self) -> bool:
        """Whether an idle connection still stands and nothing unasked has come on it."""
        if self.closed:
            return False
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        return False  # the peer's close, or a word without a question

    async def send(self, data: bytes) -> int | None:
        """Write ``data``, at once as far as the kernel takes it.

        Returns:
            When the kernel sent the last of it; ``None`` where it does not tell.

        Raises:
            OSError: it could not be written to its end, or the answer was over before.
        """
        self._drained_ns = now_ns()
        rest = memoryview(data)
        while True:
            try:
                written = self._sock.send(rest)
            except (BlockingIOError, InterruptedError):
                written = 0
            rest = rest[written:]
            if not rest:
                return stamps.take_sent_ns(self._sock) if self._stamps_sent else None
            await self._room()
            if self.closed or self._receiver is None or self._receiver.over:
                raise BrokenPipeError("the answer was over before the request was written")

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()
            self._go_on()

    async def _room(self) -> None:
        """Wait until the kernel takes more, or something was read."""
        self._unsent = self._loop.create_future()
        self._loop.add_writer(self._sock, self._go_on)
        try:
            await self._unsent
        finally:
            self._unsent = None
            if not self.closed:
                self._loop.remove_writer(self._sock)

    def _go_on(self) -> None:
        if self._unsent is not None and not self._unsent.done():
            self._unsent.set_result(None)

    def _readable(self) -> None:
        receiver = self._receiver
        before_ns = now_ns()
        ancillary: list[tuple[int, int, bytes]] = []
        try:
            if self._kernel:
                size, ancillary, _, _ = self._sock.recvmsg_into(self._buffers, stamps.ANCILLARY_BYTES)
            else:
                size = self._sock.recv_into(self._buffer)
            read_ns = now_ns()
        except (BlockingIOError, InterruptedError):
            if self._stamps_sent:
                stamps.take_sent_ns(self._sock)  # one that came late wakes the loop until it is taken
            return
        except OSError as error:
            self._lost(receiver, error)
            return
        if size == 0 or receiver is None:  # the end, or a word without a question
            self._lost(receiver, None)
            return
        stamped_ns = stamps.wall_ns(ancillary)
        offset_ns = None if stamped_ns is None else _offset.at(read_ns)
        stamp_ns = None if stamped_ns is None or offset_ns is None else stamped_ns + offset_ns
        receiver.feed(bytes(self._view[:size]), self._reading(stamp_ns, read_ns))
        if size < READ_BYTES:
            self._drained_ns = before_ns  # what came between the two clock readings may not be read
        if self._unsent is not None:
            self._go_on()

    def _lost(self, receiver: Receiver | None, error: OSError | None) -> None:
        # The receiver first: who still writes the request is woken by the close, and asks it.
        if receiver is not None:
            if error is None:
                receiver.eof()
            else:
                receiver.failed(error)
        self.close()

    def _reading(self, stamp_ns: int | None, read_ns: int) -> Reading:
        # The wall clock was set between stamp and reading, if the stamp is from before the last reading.
        if stamp_ns is None or not self._drained_ns - EARLY_NS <= stamp_ns <= read_ns + EARLY_NS:
            earliest_ns = self._drained_ns
            if self._watch is not None and self._watch.earliest_ns > earliest_ns:
                earliest_ns = self._watch.earliest_ns
            return Reading(read_ns, read_ns, earliest_ns, False)
        # Stamps are converted by several clock readings, which differ by some microseconds.
        arrived_ns = stamp_ns  # no max and min of many: this runs for each frame
        if arrived_ns < self._arrived_ns:
            arrived_ns = self._arrived_ns
        if arrived_ns < self._drained_ns:
            arrived_ns = self._drained_ns
        if arrived_ns > read_ns:
            arrived_ns = read_ns
        self._arrived_ns = arrived_ns
        quiet_ns = self._drained_ns
        if self._watch is not None and self._watch.quiet_ns > quiet_ns:
            quiet_ns = self._watch.quiet_ns
        return Reading(arrived_ns, read_ns, quiet_ns if quiet_ns < arrived_ns else arrived_ns, True)


async def connect(host: str, port: int) -> Wire:
    """Connect to the first address of ``host`` that answers. Raises OSError."""
    loop = asyncio.get_running_loop()
    try:
        found = _numeric(host, port) or await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # of the "idna" codec
        raise OSError(f"{host!r} is not a host name") from None
    failure: OSError | None = None
    for family, kind, protocol, address in _distinct(found):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        begun_ns = now_ns()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(sock, address)
            return Wire(sock, now_ns() - begun_ns)
        except OSError as error:
            sock.close()
            failure = failure or error
        except BaseException:
            sock.close()
            raise
    raise failure or OSError(f"{host} has no address")


def _numeric(host: str, port: int) -> list[tuple[Any, Any, int, str, Any]]:
    """Return the address that ``host`` is; none: it is a name, which a thread has to look up."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return []


def _distinct(found: Sequence[tuple[int, int, int, str, Any]]) -> Iterator[tuple[int, int, int, Any]]:
    seen = set()
    for family, kind, protocol, _, address in found:
        if (family, address) not in seen:
            seen.add((family, address))
            yield family, kind, protocol, address
