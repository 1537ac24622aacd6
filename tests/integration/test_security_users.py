"""The shipped users of Redis: what each may not do. That they can do what they must, a whole sweep shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis

from contracts.breaker import TRIPS_AFTER
from contracts.call import CallResult, CallTiming, Outcome
from contracts.manifest import Manifest
from contracts.metrics import serve_store
from contracts.outcome import JobOutcome, StageResult
from contracts.redis_client import connect
from contracts.settings import WorkerSettings
from contracts.store import Store
from contracts.store.keys import KINDS
from tests.support.secured_redis import USERS, SecuredRedis
from tests.support.watched import NOW, begun, live_slot, outcome, read, sample
from worker.breaking import PAUSE_SCALE, SlotBreaker
from worker.probing import Prober

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
    client: Any = redis.Redis.from_url(server.url(role))  # its types know no such call
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
        ("CLIENT", "TRACKING", "ON", "BCAST"),
        ("SELECT", "1"),
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
        # Flower shows queues and events: it sees nothing that was measured, and sends no job.
        ("flower", ("GET", "chimera:x:e:manifest")),
        ("flower", ("HGETALL", "chimera:x:e:outcomes")),
        ("flower", ("LPUSH", "chimera.pool.p", "x")),
        ("flower", ("RPOP", "chimera.pool.p")),
        ("flower", ("DEL", "chimera.pool.p")),
        ("flower", ("SET", "chimera:breaker:g0", "{}")),
        ("flower", ("GET", "chimera:slot:g0")),
        ("flower", ("HGETALL", "unacked")),
        ("flower", ("SADD", "_kombu.binding.chimera.pool.p", "x")),
        ("flower", ("DEL", "_kombu.binding.celery.pidbox")),
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
        ("flower", ("GET", "chimera:breaker:g0")),
        ("producer", ("INFO",)),
        ("aggregator", ("INFO",)),
    ],
)
def test_the_same_with_the_right_key_or_role_is_allowed(
    secured: SecuredRedis, role: str, command: tuple[str, ...]
) -> None:
    assert not denied(secured, role, *command)


def store_as(secured: SecuredRedis, role: str) -> Store:
    return Store(connect(secured.url(role), retries=0))


def test_the_aggregator_may_read_what_it_serves_as_metrics(secured: SecuredRedis) -> None:
    begun(store_as(secured, "producer"))
    live_slot(store_as(secured, "worker"), "g0")
    with serve_store(secured.url("aggregator"), 0) as server:
        samples = read(httpx.get(f"http://127.0.0.1:{server.port}/metrics").text)
    assert sample(samples, "chimera_store_up") == 1
    assert sample(samples, "chimera_slot_live", slot="g0", pool="test") == 1
    assert sample(samples, "chimera_sweep_jobs", sweep="test", execution="x1", pool="test", state="done") == 0
    memory = sample(samples, "chimera_store_memory_bytes")
    assert memory is not None and memory > 0


def failed_by_its_server(manifest: Manifest, run: int) -> JobOutcome:
    made = outcome(manifest, 0, run, why="connection", slot="s1")
    call = CallResult(outcome=Outcome.CONNECTION, timing=CallTiming(wall_anchor=NOW, sent_ns=1, end_ns=2))
    return made.model_copy(update={"stages": (made.stages[0].model_copy(update={"call": call}),)})


def test_a_worker_may_take_its_slot_out_and_bring_it_back(
    secured: SecuredRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PAUSE_SCALE, "-1")
    manifest = begun(store_as(secured, "producer"), execution="x2")
    store = store_as(secured, "worker")
    settings = WorkerSettings("s1", "test", "http://127.0.0.1:1", None, 60.0)
    breaker, prober = SlotBreaker(settings, store), Prober(settings, store, lambda _: None)
    for run in range(1, TRIPS_AFTER + 1):
        failed = failed_by_its_server(manifest, run)
        store.put_outcome(failed)
        breaker.note(failed)
    assert breaker.is_open()
    prober.look()
    assert not prober.is_out and not breaker.is_open()
    breaker.note(failed.model_copy(update={"stages": (good_stage(failed),)}))
    assert store.breaker("s1") is None
    assert [line.partition(":")[0] for _, line in store.told("x2")[0]] == [
        *("slot s1 is taken out", "slot s1", "slot s1 is back")
    ]


def good_stage(failed: JobOutcome) -> StageResult:
    stage = failed.stages[0]
    assert stage.call is not None
    call = stage.call.model_copy(update={"outcome": Outcome.OK})
    return stage.model_copy(update={"outcome": Outcome.OK, "call": call})


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{port}/0", "redis://:x@127.0.0.1:{port}/0"])
def test_the_default_user_is_off(secured: SecuredRedis, url: str) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(url.format(port=secured.port)).ping()


def test_the_file_as_it_is_shipped_starts_no_redis() -> None:
    """Its places for passwords are no hashes, so that nobody runs it with passwords that everybody knows."""
    assert USERS.read_text().count("#SHA256_OF_") == 5


WITHHELD = {"facts", "prepared", "checked", "summaries", "figures", "documents", "ending"}
"""What of an execution a slot's worker has no access to."""


def test_of_every_kind_of_key_it_is_decided_whether_workers_have_access() -> None:
    (line,) = (line for line in USERS.read_text().splitlines() if line.startswith("user chimera-worker "))
    granted = {word.rpartition(":")[2] for word in line.split() if "~chimera:x:*:" in word}
    assert not granted & WITHHELD
    assert set(KINDS) - granted - WITHHELD == set(), "new kinds of keys: add them to users.acl or to WITHHELD"
