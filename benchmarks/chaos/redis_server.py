"""A Redis (or Valkey) to be ill-treated: killed, started again on its data, frozen, short of memory."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from pathlib import Path

import redis

from benchmarks.chaos.ports import steady_port
from contracts.failures import SetupError
from contracts.redis_client import connect
from producer.embedded_redis import binary
from producer.processes import Child

READY_S = 30.0


class RedisServer:
    """On loopback, with a password and an append-only file; port and folder stay when it is started again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._port = steady_port()
        self._password = secrets.token_urlsafe(24)
        self._maxmemory = 0
        self.url = f"redis://:{self._password}@127.0.0.1:{self._port}/0"
        self.child = self._start()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.child.stop_now()

    def restart(self, after_s: float = 0.0) -> None:
        """Kill it, leave it dead for ``after_s``, and start it on what the append-only file holds."""
        self.kill()
        time.sleep(after_s)
        self.start()

    def start(self) -> None:
        self.child = self._start()

    def freeze(self) -> None:
        """Stop it in its tracks: connections stay, nothing is answered."""
        os.kill(self.child.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.child.pid, signal.SIGCONT)

    def refuse_writes(self) -> None:
        """Let ``maxmemory`` be less than what is in use: writes are refused with an OOM error."""
        self.limit_memory(1)

    def limit_memory(self, limit: int) -> None:
        """Set ``maxmemory``, bytes; 0: no limit."""
        self._maxmemory = limit
        connect(self.url).config_set("maxmemory", limit)

    def used_bytes(self) -> int:
        info = connect(self.url).info("memory")
        assert isinstance(info, dict)
        return int(info["used_memory"])

    def stop(self) -> None:
        self.child.stop_now()

    def _start(self) -> Child:
        # On standard input: a password in the arguments could be read by every user of the machine.
        settings = (
            f"port {self._port}\nbind 127.0.0.1\nrequirepass {self._password}\n"
            f"dir {json.dumps(str(self._folder.resolve()))}\nmaxmemory {self._maxmemory}\n"
            'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n'
        )
        child = Child("Redis", [binary(), "-"], log=self._folder / "redis.log", standard_input=settings)
        try:
            child.wait_until(self._answers, seconds=READY_S)
        except SetupError:
            child.stop_now()
            raise
        return child

    def _answers(self) -> bool:
        try:
            return bool(connect(self.url, retries=0).ping())
        except redis.RedisError:  # a large append-only file is still being read
            return False
