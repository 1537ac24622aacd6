"""A thread in the worker's parent process that says again and again that the worker lives."""

from __future__ import annotations

import contextlib
import logging
from typing import Protocol

import redis

from worker.background import Background

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


class Heartbeat(Background):
    """Shows a sign every ``BEAT_S``, from :meth:`start` to :meth:`stop`; an error ends one beat, not the rest."""

    def __init__(self, sign: Sign) -> None:
        super().__init__("heartbeat", join_s=BEAT_S)
        self._sign = sign

    def stop(self) -> None:
        """Have it end, and take the sign back."""
        super().stop()
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
