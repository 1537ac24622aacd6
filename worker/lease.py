"""Leases in Redis with a heartbeat: one job at a time on a slot, one delivery at a time of a job."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from types import TracebackType

import redis

TTL_S = 10.0
"""A lease outlives its holder's death by at most this."""
POLL_S = 0.05

_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class LeaseHeld(Exception):
    """Another holder lives."""


class Lease:
    """Hold ``key`` until left; renewed by a thread every third of its time to live.

    Entering waits until the key is free, at most ``patience_s``, and then raises :class:`LeaseHeld`.
    ``lost`` tells whether another holder was seen while it was held.
    """

    def __init__(self, client: redis.Redis, key: str, *, patience_s: float, ttl_s: float = TTL_S) -> None:
        self._client = client
        self._key = key
        self._patience_s = patience_s
        self._ttl_s = ttl_s
        self._token = uuid.uuid4().hex
        self._renew = client.register_script(_RENEW)
        self._release = client.register_script(_RELEASE)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease {key}", daemon=True)
        self.lost = False

    def __enter__(self) -> Lease:
        until = time.monotonic() + self._patience_s
        while not self._client.set(self._key, self._token, nx=True, px=self._ttl_ms):
            if time.monotonic() > until:
                raise LeaseHeld(self._key)
            time.sleep(POLL_S)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(redis.RedisError):  # it expires by itself
            self._release(keys=[self._key], args=[self._token])

    @property
    def _ttl_ms(self) -> int:
        return int(self._ttl_s * 1000)

    def _keep(self) -> None:
        while not self._stop.wait(self._ttl_s / 3):
            try:
                held = self._renew(keys=[self._key], args=[self._token, self._ttl_ms])
                if not held and not self._client.set(self._key, self._token, nx=True, px=self._ttl_ms):
                    self.lost = True
                    return
            except redis.RedisError:
                continue  # Redis is away: the next beat tries again
