"""Leases in Redis with a heartbeat: one job at a time on a slot, one delivery at a time of a job."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from functools import lru_cache
from types import TracebackType
from typing import cast

import redis

TTL_S = 10.0
"""A lease outlives its holder's death by at most this."""
POLL_S = 0.05
IDLE_S = 60.0
"""A beat's thread with nothing to renew ends after this; the next lease starts another."""

_RENEW = """
-- KEYS leases; ARGV ms, their tokens. One that vanished with Redis' data is taken again.
local lost = {}
for i, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  if holder and holder ~= ARGV[i + 1] then lost[#lost + 1] = key
  else redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1]) end
end
return lost
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class LeaseHeld(Exception):
    """Another holder lives."""


class Held:
    """One key that is renewed."""

    def __init__(self, key: str, token: str) -> None:
        self.key = key
        self.token = token
        self.lost = False
        """Another holder was seen while it was held."""
        self.renewed_s = 0.0
        """When a beat renewed it last, by ``time.monotonic``."""


class Beat:
    """Renews what is held every third of its time to live, in one thread that lives on between jobs."""

    def __init__(self, client: redis.Redis, ttl_s: float = TTL_S) -> None:
        self.ttl_s = ttl_s
        self._renew = client.register_script(_RENEW)
        self._guard = threading.Lock()
        self._held: dict[str, Held] = {}
        self._thread: threading.Thread | None = None

    def hold(self, *held: Held) -> None:
        """Renew these from now on; they were taken for ``ttl_s`` just before."""
        with self._guard:
            self._held |= {one.key: one for one in held}
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()

    def drop(self, *held: Held) -> None:
        """Renew these no more: after it returns no beat touches them."""
        with self._guard:
            for one in held:
                self._held.pop(one.key, None)

    def _run(self) -> None:
        idle_since = time.monotonic()
        while True:
            # A fixed pace: waking this thread for each lease would cost each job a switch of threads.
            time.sleep(self.ttl_s / 3)
            with self._guard:
                if self._held:
                    idle_since = time.monotonic()
                elif time.monotonic() - idle_since > IDLE_S:
                    self._thread = None
                    return
            self._renew_all()

    def _renew_all(self) -> None:
        with self._guard:
            held = list(self._held.values())
            if not held:
                return
            keys = [one.key for one in held]
            arguments: list[str | int] = [int(self.ttl_s * 1000), *(one.token for one in held)]
            try:
                lost = cast(list[str], self._renew(keys=keys, args=arguments))
            except redis.RedisError:
                return  # Redis is away: the next beat tries again
            for one in held:
                one.renewed_s = time.monotonic()
            for key in lost:
                self._held.pop(key).lost = True


@lru_cache(maxsize=8)
def beat_of(client: redis.Redis, ttl_s: float = TTL_S) -> Beat:
    """Return this process's beat on ``client``, always the same one."""
    return Beat(client, ttl_s)


class Lease:
    """Hold ``key`` until left.

    Entering waits until the key is free, at most ``patience_s``, and then raises :class:`LeaseHeld`.
    """

    def __init__(self, client: redis.Redis, key: str, *, patience_s: float, ttl_s: float = TTL_S) -> None:
        self._client = client
        self._patience_s = patience_s
        self._ttl_s = ttl_s
        self._beat = beat_of(client, ttl_s)
        self._held = Held(key, uuid.uuid4().hex)

    @property
    def lost(self) -> bool:
        """Whether another holder was seen while it was held."""
        return self._held.lost

    def __enter__(self) -> Lease:
        until = time.monotonic() + self._patience_s
        ttl_ms = int(self._ttl_s * 1000)
        while not self._client.set(self._held.key, self._held.token, nx=True, px=ttl_ms):
            if time.monotonic() > until:
                raise LeaseHeld(self._held.key)
            time.sleep(POLL_S)
        self._beat.hold(self._held)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._beat.drop(self._held)
        with contextlib.suppress(redis.RedisError):  # it expires by itself
            release = self._client.register_script(_RELEASE)
            release(keys=[self._held.key], args=[self._held.token])
