"""``chimera pause``, ``resume`` and ``cancel`` on a real cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from analysis.stages_io import read_stages
from contracts.failures import InputError
from contracts.store import Store
from producer.control import ControlOptions, cancel, pause, resume
from producer.processes import Child
from tests.support.cluster import Cluster, calls_of, wait_for
from tests.support.sweeps import write_sweep

RUNS = 6


class Running:
    """A sweep of two configurations that runs on one slot, about 0.3 s a job."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.server = cluster.reference_server(ttft_ms=50, itl_ms=5, tokens=20)
        cluster.aggregator()
        cluster.slot("s0", self.server)
        self.sweep = write_sweep(folder, runs=RUNS)
        self.run: Child = cluster.start_run(self.sweep)
        wait_for(lambda: len(calls_of(self.server)) >= 5, what="the third job measures")
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

    assert resume(running.options(), Console()) is None  # 'chimera run' still follows it
    output = running.ends()
    assert "is paused" in output
    measured = {str(r.job_id) for r in read_stages(running.results)}
    assert len(measured) == 2 * RUNS
    assert len(calls_of(running.server)) == 2 * 2 * RUNS


def test_a_cancelled_sweep_ends_with_a_report_of_what_there_is(running: Running) -> None:
    folder = cancel(running.options(running.execution), Console(), now=False, wait=True)
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


def test_what_runs_can_be_killed_on_cancelling(running: Running) -> None:
    cancel(running.options(), Console(), now=True, wait=True)
    running.ends()
    assert running.cluster.workers["s0"].alive
    wait_for(lambda: not running.store.leased("s0"), seconds=30, what="the slot is free again")


def test_a_sweep_goes_on_without_its_producer_and_resume_collects_it(running: Running) -> None:
    running.run.stop_now()
    wait_for(lambda: running.store.status(running.execution) == "finished", what="the aggregator carries on")
    folder = resume(running.options(), Console())
    assert folder == running.results
    assert len({str(r.job_id) for r in read_stages(running.results)}) == 2 * RUNS
    assert len(calls_of(running.server)) == 2 * 2 * RUNS


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
    assert resume(running.options(running.execution), Console()) == running.results
