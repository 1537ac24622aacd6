"""Metrics and logs of a real worker, aggregator and producer."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import httpx

from contracts import logs
from tests.support.cluster import Cluster, wait_for
from tests.support.sweeps import write_sweep
from tests.support.watched import Samples, read, sample

SLOT = {"slot": "s0", "pool": "test"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scraped(port: int) -> Samples:
    try:
        return read(httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text)
    except httpx.TransportError:
        return {}


def json_lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def test_metrics_and_logs_of_all_parts(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    slot_port, cluster_port, run_port = free_port(), free_port(), free_port()
    server = cluster.reference_server(ttft_ms=20, itl_ms=2, tokens=20)
    common = ("--loglevel", "info", "--log-format", "json", "--metrics-port")
    cluster.python("aggregator", "-m", "worker", "--aggregator", *common, str(cluster_port))
    wait_for(cluster.store.has_aggregator, what="the aggregator lives")
    who = ("--slot", "s0", "--server", server, "--pool", "test", "--max-deadline", "60")
    worker = cluster.python("worker-s0", "-m", "worker", *who, *common, str(slot_port))
    wait_for(lambda: cluster.store.slot("s0"), what="the slot lives")

    sweep = write_sweep(tmp_path, model=None, axes={"model": ["ref", "ref:http-500"]}, runs=3)
    arguments = ("--log-format", "json", "--metrics-port", str(run_port))
    run = cluster.start_run(sweep, *arguments)
    wait_for(
        lambda: sample(scraped(run_port), "chimera_store_up") == 1 or not run.alive,
        what="the producer serves the cluster's metrics",
    )
    wait_for(lambda: not run.alive, what="the run ends")
    assert run.returncode == 0, run.log.read_text()

    seen = scraped(slot_port)
    assert sample(seen, "chimera_jobs_total", **SLOT, outcome="ok") == 3
    assert sample(seen, "chimera_jobs_total", **SLOT, outcome="server_error") == 3
    assert sample(seen, "chimera_ttft_seconds_count", **SLOT) == 6
    assert sample(seen, "chimera_ttft_seconds_bucket", **SLOT, le="0.01") == 0
    busy = sample(seen, "chimera_slot_busy_ratio", **SLOT)
    assert busy is not None and 0 < busy < 1
    whole = scraped(cluster_port)
    assert sample(whole, "chimera_slot_live", **SLOT) == 1
    assert sample(whole, "chimera_aggregators") == 1

    lines = json_lines(worker.log)
    assert {(line["slot"], line["pool"]) for line in lines} == {("s0", "test")}
    stored = [line for line in lines if line["message"].startswith("stored: ")]
    assert sorted(line["message"] for line in stored) == ["stored: ok"] * 3 + ["stored: server_error"] * 3
    assert len({line["job_id"] for line in stored}) == 6 and {line["attempt"] for line in stored} == {1}
    assert {line["configuration"] for line in stored} == {"model=ref", "model=ref:http-500"}
    assert {(line["sweep"], len({line["execution"]})) for line in stored} == {("test", 1)}
    assert any(line["logger"].startswith("celery") for line in lines)
    assert any("task_id" in line for line in lines)
    assert any("jobs 6/6" in line["message"] for line in json_lines(run.log))
    for log in (worker.log, run.log):
        assert cluster.url.partition("://")[2].rpartition("@")[0].rpartition(":")[2] not in log.read_text()


def test_after_its_pool_process_was_killed_a_worker_tells_on(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    port = free_port()
    server = cluster.reference_server(ttft_ms=20, itl_ms=2, tokens=20)
    cluster.aggregator()
    who = ("--slot", "s0", "--server", server, "--pool", "test", "--max-deadline", "60")
    worker = cluster.python("worker-s0", "-m", "worker", *who, "--metrics-port", str(port))
    wait_for(lambda: cluster.store.slot("s0"), what="the slot lives")
    (child,) = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    cluster.run(write_sweep(tmp_path, runs=1))
    assert sample(scraped(port), "chimera_jobs_total", **SLOT, outcome="ok") == 2
    assert logs.form_given() == "text"
