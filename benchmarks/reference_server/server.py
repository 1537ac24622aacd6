"""The server: a listening socket, its connections, and how it is begun and ended."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any, Self

from benchmarks.reference_server.connection import Connection
from benchmarks.reference_server.log import ServerLog
from benchmarks.reference_server.places import Places
from benchmarks.reference_server.responder import ReferenceResponder
from benchmarks.reference_server.scenarios import SCENARIOS
from benchmarks.reference_server.settings import Settings
from benchmarks.reference_server.timetable import Timetable

BACKLOG = 1024
ACCEPT_AT_ONCE = 64
ACCEPT_AGAIN_S = 0.5
"""When accepting is tried again after it failed, for want of file descriptors, say."""


class ReferenceServer:
    """Use as an async context manager; ``url`` and ``log`` are there inside it.

    It starts no task and no thread: all is done in callbacks of the running event loop.

    Raises:
        ValueError: an unknown scenario or flavour.
        OSError: the port is taken.
    """

    def __init__(self, settings: Settings | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.settings = settings or Settings()
        if self.settings.scenario not in SCENARIOS:
            raise ValueError(f"unknown scenario {self.settings.scenario!r}: {', '.join(SCENARIOS)}")
        self.log = ServerLog()
        self._address = (host, port)
        self._listener: socket.socket | None = None
        self._url = ""
        self._connections: set[Connection] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._url, "not started"
        return self._url

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._connections)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        self._listener = socket.create_server(self._address, family=family, backlog=BACKLOG)
        self._listener.setblocking(False)
        host, port = self._listener.getsockname()[:2]
        self._url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._timetable = Timetable(self._loop)
        self._places = Places(self.settings.parallel)
        self._responder = ReferenceResponder(self.settings, self.log, self._facts, self._clear)
        self._accepting: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._listener.fileno(), self._accept)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        if self._accepting is not None:
            self._accepting.cancel()
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        for connection in list(self._connections):
            connection.stop()
        self._timetable.close()

    def _accept(self) -> None:
        assert self._listener is not None
        for _ in range(ACCEPT_AT_ONCE):
            try:
                accepted, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError:
                # The listening socket stays readable: asking on would be a busy loop.
                self._loop.remove_reader(self._listener.fileno())
                self._accepting = self._loop.call_later(ACCEPT_AGAIN_S, self._accept_again)
                return
            self.log.connections += 1
            self._open(accepted, f"{address[0]}:{address[1]}")

    def _open(self, accepted: socket.socket, peer: str) -> None:
        hang_s, closed = self.settings.hang_s, self._connections.discard
        try:
            connection = Connection(
                accepted, peer, self._responder, hang_s, self._loop, self._timetable, self._places, closed
            )
        except OSError:
            accepted.close()  # the client went away at once
        else:
            self._connections.add(connection)

    def _accept_again(self) -> None:
        assert self._listener is not None
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def _facts(self) -> dict[str, Any]:
        return {
            "loop": type(self._loop).__module__.partition(".")[0],
            "alarm": self._timetable.alarm,
            "cpu_ns": time.process_time_ns(),
            "lateness": {
                "timer_max_ns": self._timetable.late_max_ns,
                "read_max_ns": self.log.read_late_max_ns,
            },
        }

    def _clear(self) -> int:
        self._timetable.late_max_ns = 0
        return self.log.clear()
