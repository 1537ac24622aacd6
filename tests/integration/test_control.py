"""``chimera pause``, ``resume`` and ``cancel`` on a real cluster."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from rich.console import Console

from analysis.stages_io import read_stages
from contracts.failures import InputError
from contracts.store import Store
from contracts.store.keys import steward_key
from producer.control import ControlOptions, cancel, pause, resume
from producer.processes import Child
from tests.support.cluster import Cluster, Shell, calls_of, start_reference_server, wait_for
from tests.support.sweeps import write_sweep

RUNS = 6


class Running:
    """A sweep of two configurations that runs on one slot, about 0.3 s a job unless its calls take longer."""

    def __init__(
        self, cluster: Cluster, folder: Path, *, ttft_ms: float = 50, calls: int = 5, deadline: float = 20
    ) -> None:
        self.cluster = cluster
        self.folder = folder
        self.server = cluster.reference_server(ttft_ms=ttft_ms, itl_ms=5, tokens=20)
        cluster.aggregator()
        cluster.slot("s0", self.server)
        self.sweep = write_sweep(folder, runs=RUNS, deadline=deadline)
        self.run: Child = cluster.start_run(self.sweep)
        wait_for(lambda: len(calls_of(self.server)) >= calls, what=f"call {calls} is made")
        (self.execution,) = cluster.store.running_executions()

    @property
    def store(self) -> Store:
        return self.cluster.store

    def options(self, which: str | None = None) -> ControlOptions:
        return ControlOptions(which or str(self.sweep), self.cluster.url, self.folder / "results")

    def ends(self) -> str:
        wait_for(lambda: not self.run.alive, what="chimera run ends")
        text = self.run.log.read_text()
        assert self.run.returncode == 0, text
        return text

    @property
    def results(self) -> Path:
        (folder,) = (self.folder / "results" / "test").iterdir()
        return folder


@pytest.fixture
def running(cluster: Cluster, tmp_path: Path, corpus: Path) -> Running:
    return Running(cluster, tmp_path)


def idle(running: Running) -> bool:
    return not running.store.progress(running.execution).running


def test_a_paused_sweep_measures_nothing_until_it_is_resumed(running: Running) -> None:
    pause(running.options(), Console())
    wait_for(lambda: idle(running), what="the job that runs is finished")
    calls = len(calls_of(running.server))
    done = len(running.store.jobs_done(running.execution))
    wait_for(lambda: not running.store.queued("chimera.pool.test"), what="what was queued is dropped")
    assert len(calls_of(running.server)) == calls and 2 * done == calls
    assert running.run.alive

    assert resume(running.options(), Console()).folder is None  # 'chimera run' still follows it
    output = running.ends()
    assert "is paused" in output
    measured = {str(r.job_id) for r in read_stages(running.results)}
    assert len(measured) == 2 * RUNS
    assert len(calls_of(running.server)) == 2 * 2 * RUNS


def test_a_cancelled_sweep_ends_with_a_report_of_what_there_is(running: Running) -> None:
    folder = cancel(running.options(running.execution), Console(), now=False, wait=True).folder
    running.ends()
    assert folder == running.results
    manifest = json.loads((folder / "manifest.json").read_text())
    assert "chimera cancel" in manifest["cancelled"]
    measured = {str(r.job_id) for r in read_stages(folder)}
    assert 2 <= len(measured) < 2 * RUNS
    report = (folder / "report.md").read_text()
    assert "cancelled" in report.lower()
    assert running.store.running_executions() == []
    with pytest.raises(InputError, match="can't be cancelled: it is collected"):
        cancel(running.options(), Console(), now=False, wait=True)


def test_what_runs_can_be_killed_on_cancelling(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    running = Running(cluster, tmp_path, ttft_ms=60_000, calls=1, deadline=60)
    cancel(running.options(), Console(), now=True, wait=False)
    # The job takes 60 s: it is over before only if it is killed.
    wait_for(lambda: not running.run.alive, seconds=30, what="chimera run ends")
    assert json.loads((running.results / "summary.json").read_text())["cancelled"]
    assert (running.results / "stages.jsonl").read_text() == ""
    assert running.cluster.workers["s0"].alive
    wait_for(lambda: not running.store.leased("s0"), seconds=30, what="the slot is free again")


def test_a_sweep_goes_on_without_its_producer_and_resume_collects_it(running: Running) -> None:
    running.run.stop_now()
    wait_for(lambda: running.store.status(running.execution) == "finished", what="the aggregator carries on")
    folder = resume(running.options(), Console()).folder
    assert folder == running.results
    assert len({str(r.job_id) for r in read_stages(running.results)}) == 2 * RUNS
    assert len(calls_of(running.server)) == 2 * 2 * RUNS


def test_a_paused_sweep_whose_producer_died_is_resumed_and_collected(running: Running) -> None:
    pause(running.options(), Console())
    steward = running.store.client.get(steward_key(running.execution))
    running.run.stop_now()
    # The aggregator collects nothing.
    wait_for(
        lambda: running.store.client.get(steward_key(running.execution)) not in (None, steward),
        what="the aggregator cares for it",
    )
    assert resume(running.options(), Console()).folder == running.results
    assert len({str(r.job_id) for r in read_stages(running.results)}) == 2 * RUNS
    assert running.store.status(running.execution) == "collected"


def test_a_pause_while_slots_are_calibrated_is_kept(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server(ttft_ms=20, itl_ms=1, tokens=20)
    cluster.aggregator()
    cluster.slot("s0", server)
    run = cluster.start_run(write_sweep(tmp_path, runs=1), "--calibrate")
    (execution,) = wait_for(cluster.store.running_executions, what="it is begun")
    wait_for(lambda: "calibrating" in run.log.read_text(), what="its slot is calibrated")
    options = ControlOptions(execution, cluster.url, tmp_path / "results")
    pause(options, Console())
    wait_for(lambda: "jobs 0/2" in run.log.read_text(), what="its slot was calibrated")
    assert cluster.store.status(execution) == "paused" and not calls_of(server)
    assert resume(options, Console()).folder is None
    wait_for(lambda: not run.alive, what="chimera run ends")
    assert run.returncode == 0, run.log.read_text()
    assert len(calls_of(server)) == 2 * 2


def test_what_was_begun_with_a_server_of_the_users_own_is_resumed_with_that_one(
    shell: Shell, corpus: Path
) -> None:
    reference, url = start_reference_server(shell.folder, ttft_ms=50, itl_ms=5, tokens=20)
    try:
        sweep = write_sweep(shell.folder, runs=RUNS)
        run = shell.start("run", str(sweep), "--server", url)
        wait_for(lambda: len(calls_of(url)) >= 3, what="the second job measures")
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=30)
        calls = len(calls_of(url))
        for other in (["--server", "http://127.0.0.1:1"], ["--slots", "1"]):
            for command in ("resume", "run"):
                code, output = shell.run(command, str(sweep), *other)
                assert code == 2 and f"was begun with --server {url}, and is not" in output, output
        assert len(calls_of(url)) == calls
        code, output = shell.run("resume", str(sweep))
        assert code == 0, output
        (folder,) = (shell.folder / "results" / "test").iterdir()
        assert {s.outcome for s in read_stages(folder)} == {"ok"}
        assert len({str(s.job_id) for s in read_stages(folder)}) == 2 * RUNS
        assert json.loads((folder / "manifest.json").read_text())["resumed"] == 1
    finally:
        reference.stop_now()
    assert shell.left_over() == []


def test_a_changed_sweep_is_not_resumed_and_the_difference_is_shown(running: Running) -> None:
    running.run.stop_now()
    write_sweep(running.folder, runs=RUNS + 1, axes={"temperature": [0.2, 0.9]})
    with pytest.raises(InputError, match="is not resumed") as refused:
        resume(running.options(), Console())
    assert "  runs: 6 → 7" in str(refused.value)
    assert "  axes.temperature: [0.2, 0.8] → [0.2, 0.9]" in str(refused.value)
    write_sweep(running.folder, runs=RUNS)
    (running.folder / "corpus" / "c.md").write_text("other")
    with pytest.raises(InputError, match=r"the files below workload\.paths"):
        resume(running.options(), Console())
    assert resume(running.options(running.execution), Console()).folder == running.results
