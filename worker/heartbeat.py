"""A thread in the worker's parent process that says again and again that the worker lives."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Protocol

import redis

BEAT_S = 3.0
TTL_S = 15
"""What a beat wrote outlives its worker by at most this."""

log = logging.getLogger(__name__)


class Sign(Protocol):
    """What a live worker shows in the store."""

    def show(self) -> None:
        """Write it, to live for ``TTL_S``."""

    def withdraw(self) -> None:
        """Remove it."""


class Heartbeat:
    """Shows a sign every ``BEAT_S``, from :meth:`start` to :meth:`stop`; an error ends one beat, not the rest."""

    def __init__(self, sign: Sign) -> None:
        self._sign = sign
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=BEAT_S)
        with contextlib.suppress(redis.RedisError):  # it expires by itself
            self._sign.withdraw()

    def _run(self) -> None:
        while True:
            try:
                self._sign.show()
            except Exception as error:
                log.warning("the worker can't tell that it lives: %s", error)
            if self._stop.wait(BEAT_S):
                return
