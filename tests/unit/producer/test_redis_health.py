"""What the doctor says of Redis, from what Redis says of itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from contracts.redis_client import connect
from contracts.settings import REDIS_CA, REDIS_CERT, REDIS_KEY
from contracts.tls import Address, address
from producer import redis_health
from producer.finding import Finding
from producer.redis_health import encryption, eviction, memory, persistence, redis_findings, version

HEALTHY: dict[str, Any] = {
    "redis_version": "7.0.15",
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "aof_last_bgrewrite_status": "ok",
    "used_memory": 100 << 20,
    "maxmemory": 1 << 30,
    "total_system_memory": 8 << 30,
}
PLENTY = (4 << 30, 8 << 30)


def bad(findings: Any) -> list[Finding]:
    return [finding for finding in findings if finding.good is not True]


def test_a_healthy_redis_has_nothing_to_say() -> None:
    assert not bad(version(HEALTHY, "redis://h:1/0"))
    assert not bad(eviction(HEALTHY))
    assert not bad(persistence(HEALTHY, "everysec"))
    assert not bad(persistence(HEALTHY, None))
    assert not bad(memory(HEALTHY, PLENTY))
    assert not bad(memory(HEALTHY | {"maxmemory": 0}, None))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"redis_version": "6.2.14"}, "Redis 6.2.14 is older than the oldest tested, 7.0"),
        (
            {"redis_version": "7.2.4", "valkey_version": "8.1.0"},
            "Valkey 8.1.0 is older than the oldest tested, 9.1",
        ),
    ],
)
def test_an_old_version_is_named(change: dict[str, str], said: str) -> None:
    (finding,) = bad(version(HEALTHY | change, "redis://h:1/0"))
    assert (finding.good, finding.what) == (None, said)


@pytest.mark.parametrize("said", [{}, {"redis_version": "?"}, {"redis_version": "7.x"}])
def test_an_unknown_version_is_not_called_old(said: dict[str, str]) -> None:
    assert not bad(version(said, "redis://h:1/0"))


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_eviction_is_red(policy: str) -> None:
    (finding,) = eviction({"maxmemory_policy": policy})
    assert finding.good is False and policy in finding.what


@pytest.mark.parametrize(
    ("change", "appendfsync", "good", "said"),
    [
        ({"aof_enabled": 0}, "everysec", None, "no append-only file"),
        ({}, "no", None, "appendfsync is no"),
        ({"aof_last_write_status": "err"}, None, False, "can't be written"),
        ({"aof_last_bgrewrite_status": "err"}, None, False, "can't be written"),
    ],
)
def test_what_would_be_lost_is_said(
    change: dict[str, Any], appendfsync: str | None, good: bool | None, said: str
) -> None:
    (finding,) = persistence(HEALTHY | change, appendfsync)
    assert finding.good is good and said in finding.what


@pytest.mark.parametrize(
    ("change", "free", "said"),
    [
        ({"used_memory": 900 << 20}, PLENTY, "900 MiB of 1 024 MiB (maxmemory) are in use"),
        ({"used_memory": 7 << 30, "maxmemory": 0}, None, "7 168 MiB of 8 192 MiB (its machine's memory)"),
        ({}, (100 << 20, 8 << 30), "its machine has 100 MiB of 8 192 MiB left"),
    ],
)
def test_low_memory_is_said(change: dict[str, int], free: tuple[int, int] | None, said: str) -> None:
    (finding,) = memory(HEALTHY | change, free)
    assert finding.good is None and said in finding.what


def where(url: str, **changes: Any) -> Address:
    return address(url) if not changes else Address(**{**vars(address(url)), **changes})


def test_only_what_leaves_the_machine_must_be_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (REDIS_CA, REDIS_CERT, REDIS_KEY):
        monkeypatch.delenv(name, raising=False)
    assert not list(encryption(where("redis://127.0.0.1:1/0")))
    (finding,) = encryption(where("redis://redis.cluster:1/0"))
    assert finding.good is None and "not encrypted" in finding.what
    (finding,) = encryption(where("rediss://redis.cluster:1/0"))
    assert finding.good is True and "without a certificate of this client" in finding.what


def test_a_key_that_others_may_read_is_named(tmp_path: Path) -> None:
    for name in ("cert", "key"):
        (tmp_path / name).write_text("x")
    (tmp_path / "key").chmod(0o644)
    url = f"rediss://h:1/0?ssl_certfile={tmp_path / 'cert'}&ssl_keyfile={tmp_path / 'key'}"
    (finding,) = bad(encryption(where(url)))
    assert finding.advice == f"chmod 600 {tmp_path / 'key'}"


def test_of_the_embedded_redis_nothing_is_red_and_no_stranger_comes_in(redis_url: str) -> None:
    found = list(redis_findings(connect(redis_url), redis_url))
    assert not [finding for finding in found if finding.good is False]
    assert not [finding for finding in found if "default user" in finding.what or finding.part == "clock"]


def test_a_redis_without_password_is_told_from_one_with(redis_url: str) -> None:
    client = connect(redis_url)
    password = redis_url.partition("//:")[2].partition("@")[0]
    client.config_set("requirepass", "")
    try:
        said = [finding.what for finding in redis_findings(client, redis_url)]
    finally:
        client.config_set("requirepass", password)
    assert any("default user has no password" in what for what in said)


@pytest.mark.parametrize(("ahead_s", "said"), [(5.0, "5.0 s behind"), (-5.0, "5.0 s ahead of")])
def test_a_clock_that_differs_is_named(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, ahead_s: float, said: str
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + ahead_s)
    (finding,) = redis_health._clock(connect(redis_url))
    assert said in finding.what
