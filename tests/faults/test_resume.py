"""What is left over from an execution that was cut off: collected, superseded or said to be lost."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from analysis.stages_io import read_stages
from contracts.manifest import Manifest
from tests.support.cluster import Cluster, Shell, calls_of, start_reference_server, wait_for
from tests.support.sweeps import write_sweep

SCHEDULE: dict[str, Any] = {"ttft_ms": 50, "itl_ms": 5, "tokens": 50}
TOGETHER = 40
"""Runs of a sweep that is not over before a second command has started."""


def one_axis(folder: Path, **changes: object) -> Path:
    return write_sweep(folder, **{"axes": {"temperature": [0.5]}, **changes})


def statuses(cluster: Cluster) -> dict[str, str | None]:
    executions = {key.split(":")[2] for key in cluster.store.client.scan_iter("chimera:x:*:state")}
    return {execution: cluster.store.status(execution) for execution in executions}


@pytest.fixture
def server(cluster: Cluster) -> str:
    """A cluster of one slot and an aggregator."""
    url = cluster.reference_server(**SCHEDULE)
    cluster.aggregator()
    cluster.slot("s0", url)
    wait_for(cluster.store.has_aggregator, what="the aggregator is live")
    return url


def manifest_of(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / "manifest.json").read_text())


def test_a_finished_execution_is_collected_not_measured_again(
    cluster: Cluster, server: str, tmp_path: Path, corpus: Path
) -> None:
    sweep = one_axis(tmp_path, runs=3)
    first = cluster.start_run(sweep)
    wait_for(lambda: calls_of(server), what="the first job measures")
    first.stop_now()
    wait_for(lambda: set(statuses(cluster).values()) == {"finished"}, what="the workers end the sweep")
    calls = len(calls_of(server))
    _, folder = cluster.run(sweep)
    assert len(calls_of(server)) == calls == 3 * 2
    assert statuses(cluster) == {manifest_of(folder).execution: "collected"}
    assert len(read_stages(folder)) == 9


def test_fresh_does_not_wait_for_what_is_left_of_the_old_execution(
    cluster: Cluster, server: str, tmp_path: Path, corpus: Path
) -> None:
    sweep = one_axis(tmp_path, runs=20)
    first = cluster.start_run(sweep)
    wait_for(lambda: calls_of(server), what="the first job measures")
    first.stop_now()
    (old,) = statuses(cluster)
    _, folder = cluster.run(sweep, "--fresh")
    assert folder.name != old
    assert cluster.store.progress(old).done < 20  # those until the second command was ready, and no more


def test_two_runs_of_one_sweep_at_once_end_with_the_same_results(
    cluster: Cluster, server: str, tmp_path: Path, corpus: Path
) -> None:
    sweep = one_axis(tmp_path, runs=TOGETHER)
    first = cluster.start_run(sweep)
    wait_for(lambda: calls_of(server), what="the first job measures")
    second = cluster.start_run(sweep)
    wait_for(lambda: not first.alive and not second.alive, seconds=120, what="both end")
    assert (first.returncode, second.returncode) == (0, 0), first.log.read_text() + second.log.read_text()
    (folder,) = (tmp_path / "results" / "test").iterdir()
    assert len(read_stages(folder)) == TOGETHER * 3
    assert len(calls_of(server)) == TOGETHER * 2


def test_a_redis_that_lost_its_data_is_said_so(
    cluster: Cluster, server: str, tmp_path: Path, corpus: Path
) -> None:
    run = cluster.start_run(one_axis(tmp_path, runs=8))
    wait_for(lambda: calls_of(server), what="the first job measures")
    for key in cluster.store.client.scan_iter("chimera:x:*"):
        cluster.store.client.delete(key)
    wait_for(lambda: not run.alive, what="chimera run ends")
    assert run.returncode == 1
    assert "Redis came back without the execution" in run.last_words()


def test_a_killed_aggregator_is_waited_for(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    url = cluster.reference_server(**SCHEDULE)
    cluster.slot("s0", url)
    aggregator = cluster.aggregator()
    wait_for(cluster.store.has_aggregator, what="the aggregator is live")
    run = cluster.start_run(one_axis(tmp_path, runs=2))
    wait_for(lambda: calls_of(url), what="the first job measures")
    aggregator.stop_now()
    wait_for(lambda: "no aggregator is live" in run.log.read_text(), seconds=90, what="that is said")
    cluster.aggregator()
    wait_for(lambda: not run.alive, seconds=90, what="chimera run ends")
    assert run.returncode == 0, run.log.read_text()


def test_what_ctrl_c_left_in_the_queue_is_not_measured_by_another_sweep(shell: Shell, corpus: Path) -> None:
    reference, url = start_reference_server(shell.folder, **SCHEDULE)
    try:
        first = shell.start("run", str(one_axis(shell.folder, runs=10)), "--server", url)
        wait_for(lambda: calls_of(url), what="the first job measures")
        psutil.Process(first.pid).send_signal(2)
        first.communicate(timeout=30)
        before = len(calls_of(url))
        other = one_axis(shell.folder, name="other", runs=1)
        code, output = shell.run("run", str(other), "--server", url)
        assert code == 0, output
        assert len(calls_of(url)) - before == 2
    finally:
        reference.stop_now()


def test_a_live_worker_keeps_its_job_invisible(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    url = cluster.reference_server(ttft_ms=50, itl_ms=100, tokens=150)
    cluster.aggregator()
    cluster.slot("s0", url)
    wait_for(cluster.store.has_aggregator, what="the aggregator is live")
    cluster.start_run(one_axis(tmp_path, runs=1, deadline=60))
    wait_for(lambda: calls_of(url), what="the job measures")
    handed: list[Any] = list(cluster.store.client.zrange("unacked_index", 0, -1, withscores=True))
    ((tag, handed_out),) = handed
    wait_for(
        lambda: (cluster.store.client.zscore("unacked_index", tag) or 0) > handed_out,
        seconds=30,
        what="its age is renewed",
    )


def reached(server_url: str, calls: int) -> bool:
    return len(calls_of(server_url)) >= calls


def test_the_manifest_says_how_often_it_was_resumed(shell: Shell, corpus: Path) -> None:
    reference, url = start_reference_server(shell.folder, **SCHEDULE)
    try:
        command = ["run", str(one_axis(shell.folder, runs=6)), "--server", url]
        for calls in (1, 5, 9, 13):  # more often than a job may take its worker with it
            run = shell.start(*command)
            wait_for(partial(reached, url, calls), what=f"call {calls}")
            psutil.Process(run.pid).send_signal(2)
            run.communicate(timeout=30)
        code, output = shell.run(*command)
        assert code == 0, output
        (folder,) = (shell.folder / "results" / "test").iterdir()
        assert manifest_of(folder).resumed == 4
        assert {s.outcome for s in read_stages(folder)} == {"ok"}
    finally:
        reference.stop_now()
