"""The cluster's metrics as Prometheus reads them, from a real store and over real HTTP."""

from __future__ import annotations

import itertools
import re
import socket
from collections.abc import Iterator

import httpx
import pytest
import redis
from prometheus_client import CollectorRegistry, generate_latest

from contracts.breaker import Breaker
from contracts.failures import SetupError
from contracts.metrics import (
    FRESH_S,
    GONE_S,
    THROUGHPUT_BUCKETS,
    TTFT_BUCKETS_S,
    MetricsServer,
    StoreCollector,
    serve_store,
)
from contracts.queues import pool_queue, slot_queue
from contracts.store import Store
from tests.support.watched import NOW, Samples, begun, live_slot, outcome, read, runs_on, sample


def scraped(store: Store) -> Samples:
    registry = CollectorRegistry()
    registry.register(StoreCollector(store))
    return read(generate_latest(registry).decode())


@pytest.fixture
def busy(store: Store) -> Store:
    manifest = begun(store)
    live_slot(store, "g0")
    live_slot(store, "g1", problem="refused")
    store.put_outcome(outcome(manifest, 0, 1))
    store.put_outcome(outcome(manifest, 1, 1, why="timeout"))
    runs_on(store, manifest, 2, 1, "g0")
    store.start_job("x1", "dead", title="test / temperature=0.2 / run 2", slot="g0")
    store.put_breaker(
        Breaker(slot="g1", pool="test", state="open", failures=3, reason="HTTP 500", since=NOW, probe_at=NOW)
    )
    store.client.rpush(pool_queue("test"), "m")
    store.client.rpush(f"{pool_queue('test')}\x06\x164", "m", "m")
    store.client.rpush(slot_queue("g1"), "m")
    return store


def test_sweeps_slots_queues_breakers_and_memory(busy: Store) -> None:
    samples = scraped(busy)
    x = {"sweep": "test", "execution": "x1", "pool": "test"}
    states = {
        state: sample(samples, "chimera_sweep_jobs", **x, state=state)
        for state in ("done", "running", "waiting")
    }
    assert states == {"done": 2, "running": 1, "waiting": 6}
    assert sample(samples, "chimera_sweep_failed_jobs", **x, outcome="timeout") == 1
    assert sample(samples, "chimera_sweep_paused", **x) == 0
    g0, g1 = ({"slot": name, "pool": "test"} for name in ("g0", "g1"))
    assert [sample(samples, "chimera_slot_measuring", **g) for g in (g0, g1)] == [1, 0]
    assert [sample(samples, "chimera_slot_server_up", **g) for g in (g0, g1)] == [1, 0]
    lease = sample(samples, "chimera_slot_lease_expires_seconds", **g0)
    assert lease is not None and 0 < lease <= 60
    assert sample(samples, "chimera_slot_lease_expires_seconds", **g1) is None
    assert sample(samples, "chimera_slot_breaker_state", **g0, state="closed") == 1
    assert sample(samples, "chimera_slot_breaker_state", **g1, state="open") == 1
    assert sample(samples, "chimera_slot_breaker_state", **g1, state="closed") == 0
    assert sample(samples, "chimera_queue_depth", queue="chimera.pool.test") == 3
    assert sample(samples, "chimera_queue_depth", queue="chimera.aggregate") == 0
    assert sample(samples, "chimera_slot_queue_depth", **g1) == 1
    assert sample(samples, "chimera_aggregators") == 0
    memory = sample(samples, "chimera_store_memory_bytes")
    assert memory is not None and memory > 100_000
    assert sample(samples, "chimera_store_up") == 1


def test_no_metric_grows_with_configurations_or_jobs(store: Store) -> None:
    def size(configurations: int, execution: str) -> int:
        manifest = begun(store, temperatures=configurations, execution=execution)
        for at in range(configurations):
            store.put_outcome(outcome(manifest, at, 1, why="timeout"))
        found = len(scraped(store))
        store.set_finished(execution)
        return found

    assert size(100, "large") == size(2, "small")


def test_what_is_over_is_not_told(busy: Store) -> None:
    busy.set_finished("x1")
    assert not [name for name, _ in scraped(busy) if name.startswith("chimera_sweep")]


def test_a_slot_that_is_gone_is_told_to_be_for_an_hour(busy: Store) -> None:
    now = 100.0
    collector = StoreCollector(busy, clock=lambda: now)
    registry = CollectorRegistry()
    registry.register(collector)

    def told(name: str, **labels: str) -> float | None:
        return sample(read(generate_latest(registry).decode()), name, slot="g1", pool="test", **labels)

    assert told("chimera_slot_live") == 1
    busy.drop_slot("g1")
    now += GONE_S - 1
    assert told("chimera_slot_live") == 0
    assert told("chimera_slot_breaker_state", state="open") == 1
    assert told("chimera_slot_measuring") is None and told("chimera_slot_server_up") is None
    now += 2
    assert told("chimera_slot_live") is None
    live_slot(busy, "g1")
    now += 2
    assert told("chimera_slot_live") == 1


def test_of_a_paused_execution_nothing_waits(busy: Store) -> None:
    assert busy.set_status("x1", "paused", after=("running",))
    samples = scraped(busy)
    x = {"sweep": "test", "execution": "x1", "pool": "test"}
    assert sample(samples, "chimera_sweep_paused", **x) == 1
    assert sample(samples, "chimera_sweep_jobs", **x, state="waiting") is None
    assert sample(samples, "chimera_sweep_jobs", **x, state="done") == 2


def test_a_store_that_is_away_is_said_to_be_and_nothing_else() -> None:
    away = redis.Redis(port=1, socket_connect_timeout=0.2)
    assert scraped(Store(away)) == {("chimera_store_up", frozenset()): 0}


def test_memory_that_may_not_be_asked_for_is_absent(busy: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise redis.exceptions.NoPermissionError("no permissions to run the 'info' command")

    monkeypatch.setattr(busy.client, "info", denied)
    samples = scraped(busy)
    assert sample(samples, "chimera_store_up") == 1 and sample(samples, "chimera_aggregators") == 0
    assert sample(samples, "chimera_store_memory_bytes") is None


def test_many_scrapers_cost_the_store_no_more_than_one(busy: Store) -> None:
    now = 100.0
    collector = StoreCollector(busy, clock=lambda: now)
    first = list(collector.collect())
    assert next(iter(collector.collect())) is first[0]
    now += FRESH_S
    assert next(iter(collector.collect())) is not first[0]


@pytest.fixture
def server(redis_url: str) -> Iterator[MetricsServer]:
    with serve_store(redis_url, 0) as server:
        yield server


def test_it_is_served_on_loopback(server: MetricsServer) -> None:
    answer = httpx.get(f"http://127.0.0.1:{server.port}/metrics")
    assert answer.status_code == 200
    samples = read(answer.text)
    assert sample(samples, "chimera_store_up") == 1
    assert sample(samples, "process_resident_memory_bytes")
    names = {name for name, _ in samples}
    assert not [name for name in names if not re.match(r"(chimera|process)_[a-z_]+$", name)]


def test_a_port_that_is_taken_is_one_sentence(redis_url: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            SetupError, match=f"metrics can't be served at 127.0.0.1:{port}: .*--metrics-port"
        ):
            serve_store(redis_url, port)


def test_buckets_are_those_of_llms() -> None:
    assert (TTFT_BUCKETS_S[0], TTFT_BUCKETS_S[-1]) == (0.005, 60.0)
    assert (THROUGHPUT_BUCKETS[0], THROUGHPUT_BUCKETS[-1]) == (1.0, 10_000.0)
    for buckets in (TTFT_BUCKETS_S, THROUGHPUT_BUCKETS):
        assert list(buckets) == sorted(set(buckets))
        assert all(after / before <= 2.01 for before, after in itertools.pairwise(buckets))
