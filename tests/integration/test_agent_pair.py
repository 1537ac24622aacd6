"""Sweeps of two agents over real Redis, real workers and real HTTP; only the models are schedules."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from analysis.stages_io import read_stages
from contracts.records import StageRecord
from tests.support.cluster import POOL, READY_S, Cluster, Shell, calls_of, start_reference_server, wait_for
from tests.support.sweeps import write_sweep

STAGES = ("ingest", "analysis", "report")


def pair(**more: Any) -> dict[str, Any]:
    return {"kind": "agent-pair", "paths": ["corpus"], **more}


def sweep(folder: Path, **changes: Any) -> Path:
    return write_sweep(folder, **({"workload": pair(), "axes": {"temperature": [0.5]}, "runs": 2} | changes))


def lines(folder: Path) -> list[StageRecord]:
    return [line for line in read_stages(folder) if line.phase == "measured"]


def runs(found: list[StageRecord]) -> Counter[tuple[str, int | None, str]]:
    """Configuration, agents and agent → stages."""
    return Counter((line.config, line.agents, line.agent) for line in found)


def check(folder: Path, of_each: int) -> list[StageRecord]:
    found = lines(folder)
    n = of_each * len(STAGES)
    assert runs(found) == {
        ("default", 2, "A"): n,
        ("default", 2, "B"): n,
        ("solo=A", 1, "A"): n,
        ("solo=B", 1, "B"): n,
    }
    assert {line.outcome for line in found} == {"ok"}
    return found


def test_both_agents_of_each_run_and_the_runs_of_each_alone(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    server = cluster.reference_server(ttft_ms=100, itl_ms=4, tokens=40)
    cluster.aggregator()
    cluster.slot("s0", server)
    _, folder = cluster.run(sweep(tmp_path, warmup=1))
    found = check(folder, 2)
    assert len(calls_of(server)) == 2 * (2 * 2 + 2 + 2) + 2 * 3, "two a stage pair, and a warm-up a job"
    for run in (1, 2):
        spans = [
            (line.timing.sent_ns, line.timing.end_ns)
            for line in found
            if line.config == "default" and line.run == run and line.stage == "report" and line.timing
        ]
        assert len(spans) == 2 and max(s[0] for s in spans) < min(s[1] for s in spans), "at the same time"


def test_each_agent_on_its_own_server(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    own = cluster.reference_server("own", ttft_ms=50, itl_ms=2, tokens=30)
    other = cluster.reference_server("other", ttft_ms=50, itl_ms=2, tokens=30, model="far")
    cluster.aggregator()
    worker = cluster.python(
        "worker-s0", "-m", "worker", "--slot", "s0", "--pool", POOL, "--server", own, "--also", f"b={other}"
    )
    worker.wait_until(lambda: cluster.store.slot("s0") is not None, seconds=READY_S)
    status = cluster.store.slot("s0")
    assert status is not None and status.further["b"].server == other
    assert "far:latest" in status.further["b"].models["ollama"]
    agents = [
        {"label": "A", "persona": "collector"},
        {"label": "B", "persona": "insight", "model": "far", "server": "b"},
    ]
    workload = pair(scenario="heterogeneous", agents=agents)
    _, folder = cluster.run(sweep(tmp_path, workload=workload, runs=1))
    found = check(folder, 1)
    assert {(line.agent, line.model, line.server) for line in found} == {
        ("A", "ref", None),
        ("B", "far", "b"),
    }
    assert len(calls_of(own)) == len(calls_of(other)) == 2 * 2

    agents[1]["model"] = "nobody"
    agents[0]["server"] = "c"
    refused = cluster.start_run(sweep(tmp_path, workload=pair(scenario="heterogeneous", agents=agents)))
    refused.wait(60)
    said = refused.log.read_text()
    assert refused.returncode == 2
    assert (
        "workload.agents: slot s0 has no further server 'c' (it has: b): start its worker with --also c=URL"
        in said
    )
    assert f"the further server 'b' at {other} has no model 'nobody'" in said
    assert "Traceback" not in said


def test_the_embedded_default_hands_further_servers_to_its_worker(shell: Shell, corpus: Path) -> None:
    started = [start_reference_server(shell.folder, name, ttft_ms=20, itl_ms=1, tokens=30) for name in "xy"]
    try:
        (_, own), (_, other) = started
        agents = [{"label": "A", "persona": "collector"}, {"label": "B", "persona": "insight", "server": "b"}]
        path = sweep(shell.folder, workload=pair(agents=agents), runs=1)
        code, output = shell.run("run", str(path), "--server", own, "--also", f"b={other}")
        assert code == 0, output
        (folder,) = (shell.folder / "results" / "test").iterdir()
        check(folder, 1)
        assert len(calls_of(own)) == len(calls_of(other)) == 2 * 2

        code, output = shell.run("run", str(path), "--server", own)
        assert code == 2 and "an agent uses the further server 'b': give it with --also b=URL" in output
        code, output = shell.run("run", str(path), "--server", own, "--server", other, "--also", f"b={other}")
        assert code == 2 and "--also goes with one slot, and here are 2" in output
        code, output = shell.run("run", str(path), "--server", own, "--also", "b")
        assert code == 2 and "give each further server as NAME=URL" in output
        code, output = shell.run(
            "run", str(path), "--broker", "redis://127.0.0.1:1/0", "--also", f"b={other}"
        )
        assert code == 2 and "--also is for the embedded default" in output
        assert shell.left_over() == []
    finally:
        for child, _ in started:
            child.stop_now()


def test_a_killed_worker_costs_a_repetition_of_both(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server(ttft_ms=100, itl_ms=10, tokens=60)
    cluster.aggregator()
    worker = cluster.slot("s0", server)
    run = cluster.start_run(sweep(tmp_path, runs=1))
    wait_for(lambda: calls_of(server), what="a job measures")
    (pool,) = psutil.Process(worker.pid).children(recursive=True)
    os.kill(worker.pid, signal.SIGKILL)
    wait_for(lambda: not pool.is_running() or pool.status() == psutil.STATUS_ZOMBIE, what="its pool dies")
    cluster.slot("s0", server)
    wait_for(lambda: not run.alive, what="the sweep completes")
    assert run.returncode == 0, run.log.read_text()
    (folder,) = (tmp_path / "results" / "test").iterdir()
    found = check(folder, 1)
    attempts = {line.job_id: line.attempt for line in found}
    assert sorted(attempts.values(), key=str) == [1, 1, 2]
