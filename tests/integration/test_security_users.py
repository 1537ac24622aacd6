"""The shipped users of Redis: what each may not do. That they can do what they must, a whole sweep shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from contracts.store.keys import KINDS
from tests.support.secured_redis import USERS, SecuredRedis

ROLES = ("producer", "aggregator", "worker", "flower")
OTHERS_KEY = "somebody:else"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredRedis]:
    server = SecuredRedis(tmp_path_factory.mktemp("users") / "redis")
    admin = server.admin()
    admin.set(OTHERS_KEY, "x")
    admin.set("chimera:x:e:manifest", "{}")
    admin.set("chimera:x:e:documents", "{}")
    admin.lpush("chimera.pool.p", "message")
    yield server
    server.stop()


def denied(server: SecuredRedis, role: str, *command: str) -> bool:
    client = redis.Redis.from_url(server.url(role))
    try:
        client.execute_command(*command)
    except redis.exceptions.NoPermissionError:
        return True
    except redis.ResponseError as error:
        # DEBUG is off for all; what a script may not do is an error of the script.
        return "not allowed" in str(error) or "ACL failure" in str(error) or "NOPERM" in str(error)
    finally:
        client.close()
    return False


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "command",
    [
        ("FLUSHALL",),
        ("FLUSHDB",),
        ("SWAPDB", "0", "1"),
        ("CONFIG", "GET", "*"),
        ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"),
        ("CONFIG", "REWRITE"),
        ("KEYS", "*"),
        ("RANDOMKEY",),
        ("DEBUG", "SLEEP", "0"),
        ("SHUTDOWN", "NOSAVE"),
        ("SAVE",),
        ("BGREWRITEAOF",),
        ("MONITOR",),
        ("SLOWLOG", "GET"),
        ("CLIENT", "LIST"),
        ("CLIENT", "KILL", "TYPE", "normal"),
        ("CLIENT", "PAUSE", "1"),
        ("ACL", "LIST"),
        ("ACL", "SETUSER", "chimera-worker", "allkeys"),
        ("SCRIPT", "FLUSH"),
        ("SCRIPT", "KILL"),
        ("FUNCTION", "FLUSH"),
        ("FUNCTION", "LOAD", "#!lua name=x\nredis.register_function('x', function() end)"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("MIGRATE", "127.0.0.1", "1", OTHERS_KEY, "0", "1"),
        ("RESTORE", OTHERS_KEY, "0", "x"),
        ("SORT", OTHERS_KEY),
        ("GET", OTHERS_KEY),
        ("SET", OTHERS_KEY, "y"),
        ("DEL", OTHERS_KEY),
        ("EVAL", "return redis.call('GET', KEYS[1])", "1", OTHERS_KEY),
        ("EVAL", f"return redis.call('GET', '{OTHERS_KEY}')", "0"),
        ("EVAL", "return redis.call('FLUSHALL')", "0"),
        ("SUBSCRIBE", "somebody"),
        ("PSUBSCRIBE", "*"),
        ("PUBLISH", "somebody", "x"),
    ],
    ids=" ".join,
)
def test_nobody_may(secured: SecuredRedis, role: str, command: tuple[str, ...]) -> None:
    assert denied(secured, role, *command)
    assert secured.admin().get(OTHERS_KEY) == "x"


@pytest.mark.parametrize(
    ("role", "command"),
    [
        # A worker's machine runs model servers: it can't tell other workers what to do, nor write reports.
        ("worker", ("SET", "chimera:x:e:manifest", "{}")),
        ("worker", ("EVAL", "return redis.call('SET', KEYS[1], '')", "1", "chimera:x:e:manifest")),
        ("worker", ("DEL", "chimera:x:e:manifest")),
        ("worker", ("GET", "chimera:x:e:documents")),
        ("worker", ("HSET", "chimera:x:e:documents", "report.html", "x")),
        ("worker", ("HSET", "chimera:x:e:summaries", "c", "x")),
        ("worker", ("GET", "chimera:x:e:facts")),
        ("worker", ("SET", "chimera:sweep:s", "x")),
        ("worker", ("SCAN", "0")),
        ("worker", ("INFO",)),
        ("aggregator", ("INFO",)),
        # Flower shows queues and events: it sees nothing that was measured, and sends no job.
        ("flower", ("GET", "chimera:x:e:manifest")),
        ("flower", ("HGETALL", "chimera:x:e:outcomes")),
        ("flower", ("LPUSH", "chimera.pool.p", "x")),
        ("flower", ("RPOP", "chimera.pool.p")),
        ("flower", ("DEL", "chimera.pool.p")),
        ("flower", ("HGETALL", "unacked")),
        ("flower", ("SCAN", "0")),
        ("flower", ("INFO",)),
    ],
)
def test_a_role_may_not(secured: SecuredRedis, role: str, command: tuple[str, ...]) -> None:
    assert denied(secured, role, *command)


@pytest.mark.parametrize(
    ("role", "command"),
    [
        ("worker", ("GET", "chimera:x:e:manifest")),
        ("producer", ("SET", "chimera:x:other:manifest", "{}")),
        ("aggregator", ("HSET", "chimera:x:other:summaries", "c", "x")),
        ("flower", ("LLEN", "chimera.pool.p")),
        ("producer", ("INFO",)),
    ],
)
def test_the_same_with_the_right_key_or_role_is_allowed(
    secured: SecuredRedis, role: str, command: tuple[str, ...]
) -> None:
    assert not denied(secured, role, *command)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{port}/0", "redis://:x@127.0.0.1:{port}/0"])
def test_the_default_user_is_off(secured: SecuredRedis, url: str) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(url.format(port=secured.port)).ping()


def test_the_file_as_it_is_shipped_starts_no_redis() -> None:
    """Its places for passwords are no hashes, so that nobody runs it with passwords that everybody knows."""
    assert USERS.read_text().count("#SHA256_OF_") == 5


WITHHELD = {"facts", "checked", "summaries", "figures", "documents", "ending"}
"""What of an execution a slot's worker has no access to."""


def test_of_every_kind_of_key_it_is_decided_whether_workers_have_access() -> None:
    (line,) = (line for line in USERS.read_text().splitlines() if line.startswith("user chimera-worker "))
    granted = {word.rpartition(":")[2] for word in line.split() if "~chimera:x:*:" in word}
    assert not granted & WITHHELD
    assert set(KINDS) - granted - WITHHELD == set(), "new kinds of keys: add them to users.acl or to WITHHELD"
