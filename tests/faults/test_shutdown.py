"""SIGTERM as Kubernetes sends it: the running job is finished or handed back, and no process stays."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from contracts.store import Store
from producer.processes import Child
from tests.support.cluster import POOL, Cluster, calls_of, wait_for
from tests.support.sweeps import write_sweep

ENDS_S = 40.0
"""Far above what an ending takes, far below the jobs that are handed back."""
SLOW: dict[str, Any] = {"ttft_ms": 100, "itl_ms": 1000, "tokens": 100}
"""A call of 100 s."""
QUICK: dict[str, Any] = {"ttft_ms": 5, "itl_ms": 1, "tokens": 50}
SHORT: dict[str, Any] = {"ttft_ms": 50, "itl_ms": 20, "tokens": 50}
"""A call of 1 s."""


def slot(cluster: Cluster, name: str, server: str, grace: float) -> Child:
    arguments = ["--slot", name, "--server", server, "--pool", POOL, "--max-deadline", "120"]
    worker = cluster.python(f"worker-{name}", "-m", "worker", *arguments, "--grace", str(grace))
    worker.wait_until(lambda: cluster.store.slot(name) is not None, seconds=60)
    return worker


def family(worker: Child) -> list[psutil.Process]:
    parent = psutil.Process(worker.pid)
    return [parent, *parent.children(recursive=True)]


def ends(worker: Child, processes: list[psutil.Process]) -> None:
    """Wait until the worker has ended by itself, with exit code 0 and nothing left."""
    wait_for(lambda: not worker.alive, seconds=ENDS_S, what="the worker ends")
    assert worker.returncode == 0, worker.log.read_text()
    assert [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []


def attempts(store: Store) -> dict[str, int]:
    (key,) = store.client.scan_iter("chimera:x:*:attempts")
    return {str(job): int(n) for job, n in store.client.hgetall(key).items()}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGQUIT])
def test_a_job_that_ends_within_the_grace_period_is_finished(
    cluster: Cluster, tmp_path: Path, corpus: Path, how: signal.Signals
) -> None:
    server = cluster.reference_server(**SHORT)
    cluster.aggregator()
    worker = slot(cluster, "s0", server, grace=60)
    cluster.start_run(write_sweep(tmp_path, runs=4, axes={"temperature": [0.5]}))
    wait_for(lambda: calls_of(server), what="the first job measures")
    processes = family(worker)
    psutil.Process(worker.pid).send_signal(how)
    ends(worker, processes)
    (execution,) = cluster.store.running_executions()
    done = cluster.outcomes(execution)
    assert [(o.failed, o.attempt) for o in done] == [(False, 1)], "the running job, and no other"
    assert attempts(cluster.store) == {done[0].job_id: 1}
    assert not cluster.store.leased("s0") and cluster.store.slot("s0") is None


def test_a_job_that_does_not_end_is_handed_back_and_measured_elsewhere(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    slow, quick = cluster.reference_server("slow", **SLOW), cluster.reference_server("quick", **QUICK)
    cluster.aggregator()
    worker = slot(cluster, "s0", slow, grace=0.5)
    run = cluster.start_run(write_sweep(tmp_path, runs=1, axes={"temperature": [0.5]}, deadline=110))
    wait_for(lambda: calls_of(slow), what="the job measures")
    (execution,) = cluster.store.running_executions()
    processes = family(worker)
    began = time.monotonic()
    psutil.Process(worker.pid).send_signal(signal.SIGTERM)
    ends(worker, processes)
    assert time.monotonic() - began < ENDS_S
    assert set(attempts(cluster.store).values()) == {0}, "the attempt is not counted"
    assert not cluster.store.leased("s0")
    assert not list(cluster.store.client.scan_iter("chimera:claim:*"))
    assert cluster.store.progress(execution).running == {}
    slot(cluster, "s1", quick, grace=5)
    wait_for(lambda: not run.alive, what="the sweep ends")
    assert run.returncode == 0, run.log.read_text()
    (outcome,) = cluster.outcomes(execution)
    assert (outcome.slot, outcome.attempt, outcome.failed) == ("s1", 1, False)


def test_a_second_signal_hands_the_job_back_at_once(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server(**SLOW)
    cluster.aggregator()
    worker = slot(cluster, "s0", server, grace=3600)
    cluster.start_run(write_sweep(tmp_path, runs=1, axes={"temperature": [0.5]}, deadline=110))
    wait_for(lambda: calls_of(server), what="the job measures")
    processes = family(worker)
    parent = psutil.Process(worker.pid)
    parent.send_signal(signal.SIGTERM)
    time.sleep(0.2)  # two signals at one moment are one
    assert worker.alive
    parent.send_signal(signal.SIGTERM)
    ends(worker, processes)
    assert set(attempts(cluster.store).values()) == {0}


def test_an_idle_worker_and_an_aggregator_end_at_once(cluster: Cluster) -> None:
    worker = slot(cluster, "s0", cluster.reference_server(), grace=3600)
    for child in (worker, cluster.aggregator()):
        processes = family(child)
        psutil.Process(child.pid).send_signal(signal.SIGTERM)
        ends(child, processes)
    assert not cluster.store.has_aggregator()
