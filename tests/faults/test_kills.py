"""kill -9 and Ctrl-C in the middle of a sweep: nothing lost, nothing twice, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from analysis.stages_io import read_stages
from contracts.redis_client import connect
from contracts.store import Store
from producer import embedded_redis
from producer.processes import Child
from tests.support.cluster import Cluster, Shell, calls_of, start_reference_server, wait_for
from tests.support.sweeps import write_sweep


def pool_process(worker: Child) -> psutil.Process:
    return next(iter(psutil.Process(worker.pid).children(recursive=True)))


def running(cluster: Cluster) -> dict[str, str]:
    """Job id → slot of the jobs that run now, in whatever execution."""
    executions = {key.split(":")[2] for key in cluster.store.client.scan_iter("chimera:x:*:running")}
    found: dict[str, str] = {}
    for execution in executions:
        found |= {job: line["slot"] for job, line in cluster.store.progress(execution).running.items()}
    return found


def measured_jobs(folder: Path) -> Counter[str]:
    return Counter(str(r.job_id) for r in read_stages(folder) if r.stage == "report")


def slow_sweep(folder: Path, runs: int = 3) -> Path:
    return write_sweep(folder, runs=runs, axes={"temperature": [0.5]}, deadline=20)


def test_a_killed_worker_costs_a_repetition_and_nothing_else(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    server = cluster.reference_server(ttft_ms=100, itl_ms=10, tokens=80)
    cluster.aggregator()
    worker = cluster.slot("s0", server)
    run = cluster.start_run(slow_sweep(tmp_path))
    wait_for(lambda: len(calls_of(server)) >= 1, what="the first job measures")
    (victim,) = running(cluster)
    child = pool_process(worker)
    os.kill(worker.pid, signal.SIGKILL)
    wait_for(
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, what="its pool dies too"
    )
    cluster.slot("s0", server)
    wait_for(lambda: not run.alive, seconds=120, what="the sweep completes")
    assert run.returncode == 0, run.log.read_text()
    folder = next((tmp_path / "results" / "test").iterdir())
    jobs = measured_jobs(folder)
    assert len(jobs) == 3 and set(jobs.values()) == {1}
    attempts = {r.job_id: r.attempt for r in read_stages(folder)}
    assert attempts.pop(victim) == 2
    assert set(attempts.values()) == {1}
    assert all(r.outcome == "ok" for r in read_stages(folder))


def test_a_killed_pool_process_is_replaced_by_its_worker(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    server = cluster.reference_server(ttft_ms=100, itl_ms=10, tokens=80)
    cluster.aggregator()
    worker = cluster.slot("s0", server)
    run = cluster.start_run(slow_sweep(tmp_path, runs=2))
    wait_for(lambda: len(calls_of(server)) >= 1, what="the first job measures")
    pool_process(worker).kill()
    wait_for(lambda: not run.alive, seconds=120, what="the sweep completes")
    assert run.returncode == 0, run.log.read_text()
    folder = next((tmp_path / "results" / "test").iterdir())
    assert len(measured_jobs(folder)) == 2
    assert worker.alive


@dataclass
class Embedded:
    """``chimera run`` with an embedded Redis and worker, on a reference server: 4 jobs of two calls."""

    shell: Shell
    server: str
    command: list[str]

    def start(self, calls: int) -> subprocess.Popen[str]:
        """Start the sweep and return it once the server has seen that many calls."""
        run = self.shell.start(*self.command)
        wait_for(lambda: len(calls_of(self.server)) >= calls, what=f"{calls} calls were sent")
        return run

    def check_results(self) -> None:
        (folder,) = (self.shell.folder / "results" / "test").iterdir()
        jobs = measured_jobs(folder)
        assert len(jobs) == 4 and set(jobs.values()) == {1}
        assert self.shell.left_over() == []


@pytest.fixture
def embedded(shell: Shell, corpus: Path) -> Iterator[Embedded]:
    reference, url = start_reference_server(shell.folder, ttft_ms=50, itl_ms=10, tokens=50)
    sweep = write_sweep(shell.folder, runs=4, axes={"temperature": [0.5]})
    yield Embedded(shell, url, ["run", str(sweep), "--server", url])
    reference.stop_now()


@pytest.mark.parametrize("victim", ["-m worker --slot", "valkey-server"])
def test_an_embedded_part_that_is_killed_is_started_again(embedded: Embedded, victim: str) -> None:
    run = embedded.start(calls=3)
    for process in psutil.Process(run.pid).children():
        if victim in " ".join(process.cmdline()):
            process.kill()
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output
    assert "died and was started again" in output
    embedded.check_results()


def test_ctrl_c_leaves_nothing_behind_and_only_missing_jobs_run_then(embedded: Embedded) -> None:
    first = embedded.start(calls=5)
    first.send_signal(signal.SIGINT)
    output, _ = first.communicate(timeout=30)
    # Python ends by the signal itself where the interrupt came within an import: a shell says 130 of both.
    assert first.returncode in (130, -signal.SIGINT), output
    assert "Traceback" not in output
    assert embedded.shell.left_over() == []

    before = len(calls_of(embedded.server))
    code, output = embedded.shell.run(*embedded.command)
    assert code == 0, output
    assert "resuming the unfinished execution" in output
    assert "2 of 4 jobs are done, 2 run now" in output
    assert len(calls_of(embedded.server)) - before == 2 * 2
    embedded.check_results()


def test_a_killed_producer_takes_all_with_it_and_can_be_resumed(embedded: Embedded) -> None:
    first = embedded.start(calls=3)
    first.kill()
    first.communicate()
    wait_for(lambda: not embedded.shell.left_over(), seconds=20, what="all children are gone")
    code, output = embedded.shell.run(*embedded.command)
    assert code == 0, output
    assert "resuming the unfinished execution" in output
    embedded.check_results()


def test_no_lease_outlives_ctrl_c(embedded: Embedded) -> None:
    run = embedded.start(calls=1)
    home = embedded.shell.home
    broker = embedded_redis.running(home)
    assert broker is not None and Store(connect(broker)).leased("local0")
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=30)
    server = embedded_redis.EmbeddedRedis(home)
    try:
        assert list(connect(server.url).scan_iter("chimera:lease:*")) == []
        assert list(connect(server.url).scan_iter("chimera:claim:*")) == []
    finally:
        server.child.stop_now()
