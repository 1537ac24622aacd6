"""What the doctor says of Redis: whether it keeps what is measured, has room for it, and is closed to others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import redis

from contracts.redis_client import redacted
from contracts.tls import Address, address
from producer.finding import Finding

TESTED = {"Redis": (7, 0), "Valkey": (9, 1)}
"""Oldest versions that the tests run on; the shipped users need key permissions of Redis 7.0."""
FULL = 0.8
"""Share of Redis' memory in use from which it is called low."""
LEAST_FREE = 0.1
"""Share of the machine's memory that should be free: a rewrite of the append-only file copies pages."""
MAX_SKEW_S = 1.0
"""Between this machine's clock and Redis'."""


def redis_findings(client: redis.Redis, url: str) -> Iterator[Finding]:
    """Look at a Redis that answers."""
    where = address(url)
    yield from encryption(where)
    yield from _default_user(where)
    yield from _clock(client)
    try:
        info = client.info()
    except redis.exceptions.NoPermissionError:
        yield Finding(
            *(
                "redis",
                None,
                f"{redacted(url)}: user {where.user} may not ask for INFO, so memory and files are unknown",
            ),
            advice="ask as the producer's user",
        )
        return
    assert isinstance(info, dict)
    yield from version(info, url)
    yield from eviction(info)
    yield from persistence(info, _setting(client, "appendfsync"))
    yield from memory(info, _free_here() if where.loopback else None)


def version(info: Mapping[str, Any], url: str) -> Iterator[Finding]:
    """Say which server it is."""
    name = "Valkey" if info.get("valkey_version") else "Redis"
    number = str(info.get("valkey_version") or info.get("redis_version") or "")
    yield Finding("redis", True, f"{redacted(url)}, {name} {number or 'of unknown version'}")
    parts = tuple(int(part) for part in number.split(".")[:2] if part.isdecimal())
    if len(parts) == 2 and parts < TESTED[name]:
        tested = ".".join(map(str, TESTED[name]))
        yield Finding(
            "redis", None, f"{name} {number} is older than the oldest tested, {tested}", "take a newer one"
        )


def eviction(info: Mapping[str, Any]) -> Iterator[Finding]:
    """Say where Redis would throw data away for want of memory."""
    policy = info.get("maxmemory_policy")
    if policy not in (None, "noeviction"):
        yield Finding(
            "redis", False, f"maxmemory-policy is {policy}: it throws outcomes away", "set it to noeviction"
        )


def persistence(info: Mapping[str, Any], appendfsync: str | None) -> Iterator[Finding]:
    """Say what a restart or a power cut would lose. ``appendfsync``: ``None`` where this user may not ask."""
    if not info.get("aof_enabled"):
        yield Finding(
            *("redis", None, "no append-only file: a restart loses what is queued and stored"),
            advice="set appendonly yes",
        )
        return
    if appendfsync == "no":
        yield Finding(
            *(
                "redis",
                None,
                "appendfsync is no: a power cut loses what the system had not written, often 30 s",
            ),
            advice="set appendfsync everysec",
        )
    if info.get("aof_last_write_status", "ok") != "ok" or info.get("aof_last_bgrewrite_status", "ok") != "ok":
        yield Finding("redis", False, "its append-only file can't be written", "make room on its disk")


def memory(info: Mapping[str, Any], free_here: tuple[int, int] | None) -> Iterator[Finding]:
    """Say where memory is short. ``free_here``: free and total bytes of Redis' machine, where it is this one."""
    used, limit, total = (int(info.get(k) or 0) for k in ("used_memory", "maxmemory", "total_system_memory"))
    room, of = (limit, "maxmemory") if limit else (total, "its machine's memory")
    if room and used / room > FULL:
        yield Finding(
            *("redis", None, f"memory is low: {_mib(used)} of {_mib(room)} ({of}) are in use"),
            advice="raise maxmemory, or collect and forget old executions",
        )
    if free_here is not None and free_here[0] / free_here[1] < LEAST_FREE:
        yield Finding(
            *("redis", None, f"its machine has {_mib(free_here[0])} of {_mib(free_here[1])} left"),
            advice="Redis needs room to rewrite its file: stop something",
        )


def encryption(where: Address) -> Iterator[Finding]:
    """Say where what is sent could be read on the way, or the client's key in its file."""
    if where.tls is None:
        if not where.loopback:
            yield Finding(
                *(
                    "tls",
                    None,
                    f"the connection to {where.host} is not encrypted: password and prompts can be read",
                ),
                advice="use rediss:// (docs/security.md)",
            )
        return
    key = where.tls.get("ssl_keyfile")
    whose = "with this client's certificate" if key else "without a certificate of this client"
    yield Finding("tls", True, f"encrypted, Redis' certificate verified, {whose}")
    if key and Path(key).stat().st_mode & 0o077:
        yield Finding("tls", None, f"{key} can be read by others", f"chmod 600 {key}")


def _default_user(where: Address) -> Iterator[Finding]:
    """Say where one may come in without a password: try it."""
    stranger = redis.Redis.from_url(
        _without_user(where.url), socket_connect_timeout=2, socket_timeout=2, **(where.tls or {})
    )
    try:
        stranger.ping()
    except redis.RedisError:
        return
    finally:
        stranger.close()
    yield Finding(
        *(
            "redis",
            None if where.loopback else False,
            "its default user has no password: whoever reaches it, rules it",
        ),
        advice="turn it off with the users of deploy/redis/users.acl, or set requirepass",
    )


def _without_user(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _clock(client: redis.Redis) -> Iterator[Finding]:
    before = time.time()
    try:
        seconds, micros = client.time()
    except redis.exceptions.NoPermissionError:
        return
    after = time.time()
    skew = float(seconds) + float(micros) / 1e6 - (before + after) / 2
    if abs(skew) - (after - before) / 2 > MAX_SKEW_S:
        ahead = "ahead of" if skew > 0 else "behind"
        yield Finding(
            *("clock", None, f"Redis' clock is {abs(skew):.1f} s {ahead} this machine's"),
            advice="run NTP on both: times in reports are compared",
        )


def _setting(client: redis.Redis, name: str) -> str | None:
    try:
        return str(client.config_get(name)[name])
    except (redis.RedisError, KeyError):
        return None


def _free_here() -> tuple[int, int]:
    seen = psutil.virtual_memory()
    return seen.available, seen.total


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB".replace(",", " ")
