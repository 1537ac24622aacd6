"""What a real worker tells probes while Redis is stopped and started, and while it ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.chaos.redis_server import RedisServer
from producer.embedded_redis import free_port
from producer.processes import Child
from tests.support.cluster import POOL, Cluster, calls_of, wait_for
from tests.support.sweeps import write_sweep


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    yield server
    server.stop()


@pytest.fixture
def own_cluster(own_redis: RedisServer, tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(own_redis.url, tmp_path)
    yield cluster
    cluster.stop()


def asked(port: int, path: str) -> tuple[int, str]:
    """Return status and text; 0 where nobody answers (yet, or any more)."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10)
    except httpx.TransportError as error:
        return 0, str(error)
    return answer.status_code, answer.text


def slot(cluster: Cluster, server: str, port: int) -> Child:
    who = ("--slot", "s0", "--server", server, "--pool", POOL, "--max-deadline", "60", "--grace", "30")
    worker = cluster.python("worker-s0", "-m", "worker", *who, "--metrics-port", str(port))
    worker.wait_until(lambda: asked(port, "/readyz")[0] == 200, seconds=60)
    return worker


def test_without_redis_a_worker_lives_and_is_not_ready(own_cluster: Cluster, own_redis: RedisServer) -> None:
    slot_port, aggregator_port = free_port(), free_port()
    server = own_cluster.reference_server(ttft_ms=20, itl_ms=2, tokens=20)
    aggregator = own_cluster.python(
        "aggregator", "-m", "worker", "--aggregator", "--metrics-port", str(aggregator_port)
    )
    worker = slot(own_cluster, server, slot_port)
    ports = (slot_port, aggregator_port)
    wait_for(lambda: asked(aggregator_port, "/readyz")[0] == 200, what="the aggregator is ready")
    own_redis.kill()
    wait_for(lambda: all(asked(p, "/readyz")[0] == 503 for p in ports), what="neither is ready")
    assert "Redis can't be reached" in asked(slot_port, "/readyz")[1]
    assert [asked(port, "/livez") for port in ports] == [(200, "ok\n")] * 2
    own_redis.start()
    wait_for(lambda: all(asked(p, "/readyz")[0] == 200 for p in ports), what="both are ready again")
    assert [asked(port, "/livez") for port in ports] == [(200, "ok\n")] * 2
    assert worker.alive and aggregator.alive


def test_a_worker_that_finishes_its_job_lives_and_is_not_ready(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    port = free_port()
    server = cluster.reference_server(ttft_ms=50, itl_ms=100, tokens=30)  # a call of 3 s
    cluster.aggregator()
    worker = slot(cluster, server, port)
    cluster.start_run(write_sweep(tmp_path, runs=2, axes={"temperature": [0.5]}))
    wait_for(lambda: calls_of(server), what="the job measures")
    psutil.Process(worker.pid).send_signal(signal.SIGTERM)
    wait_for(lambda: asked(port, "/readyz")[0] == 503, seconds=4, what="it is not ready")
    assert asked(port, "/readyz") == (503, "stopping: it takes no more jobs\n")
    assert asked(port, "/livez") == (200, "ok\n")
    assert cluster.store.leased("s0"), "the job still runs"
    wait_for(lambda: not worker.alive, what="the worker ends")
    assert worker.returncode == 0, worker.log.read_text()
    (execution,) = cluster.store.running_executions()
    assert [(o.failed, o.attempt) for o in cluster.outcomes(execution)] == [(False, 1)], "and no other"
