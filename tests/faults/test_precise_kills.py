"""Sweeps that run until precise, while what decides on their blocks dies or hears everything twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from analysis.stages_io import read_stages
from contracts.celery_app import make_app
from contracts.jobs import JobMaker
from contracts.manifest import Manifest, OrderedJob
from dispatch.dispatcher import Dispatcher
from producer.processes import Child
from tests.support.cluster import Cluster, Shell, calls_of, wait_for
from tests.support.precise import NOISY, noisy_server, precise_sweep, start_noisy_server

LEAST, MOST = 2, 5

TRAP = """
import importlib, os, signal, sys
from worker.__main__ import main

def die(*_, **__):
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)

module, owner, method = {place!r}.split(":")
owner = getattr(importlib.import_module(module), owner)
original = getattr(owner, method)

def trapped(self, *arguments, **keywords):
    die() if {when} else None
    return original(self, *arguments, **keywords)

setattr(owner, method, trapped)
main(sys.argv[1:])
"""
"""An aggregator that kills itself, parent first and with SIGKILL, where it is about to call a method."""


def unending(folder: Path) -> Path:
    """A sweep whose one configuration does not get precise before its most runs."""
    return precise_sweep(folder, models=[NOISY], min=LEAST, max=MOST, until={"throughput": "0.01%"})


def check(results: Path, url: str) -> Manifest:
    """Check that every job was decided on, measured and reported once."""
    (folder,) = (results / "test").iterdir()
    made = Manifest.model_validate_json((folder / "manifest.json").read_text())
    lines = (folder / "order.jsonl").read_text().splitlines()
    order = [OrderedJob.model_validate_json(line) for line in lines]
    assert [(job.run, job.block) for job in order] == [(n, n) for n in range(1, MOST + 1)]
    measured = Counter(str(r.job_id) for r in read_stages(folder) if r.stage == "report")
    assert measured == Counter({job.job_id: 1 for job in order})
    assert [(s.runs, s.stopped) for s in made.standings] == [(MOST, "most runs")]
    return made


def trapped_aggregator(cluster: Cluster, place: str, when: str) -> Child:
    code = TRAP.format(place=place, when=when)
    trapped = cluster.python("trapped", "-c", code, "--aggregator")
    trapped.wait_until(cluster.store.has_aggregator, seconds=60)
    return trapped


@pytest.mark.parametrize(
    ("place", "when"),
    [
        # Decided and recorded, but not published.
        pytest.param("dispatch.dispatcher:Dispatcher:publish_block", "True", id="before-publishing"),
        # The last summary is stored, and nobody asks for the decision.
        pytest.param("dispatch.dispatcher:Dispatcher:decide", "True", id="before-asking"),
        # The callback of a later block is lost.
        pytest.param("contracts.store:Store:put_summary", f"keywords['runs'] > {LEAST}", id="in-callback"),
    ],
)
def test_a_killed_aggregator_costs_no_decision_and_no_job(
    cluster: Cluster, tmp_path: Path, corpus: Path, place: str, when: str
) -> None:
    server = noisy_server(cluster)
    cluster.slot("s0", server)
    trapped = trapped_aggregator(cluster, place, when)
    run = cluster.start_run(unending(tmp_path))
    wait_for(lambda: not trapped.alive, what="the aggregator dies where it is to")
    (execution,) = {key.split(":")[2] for key in cluster.store.client.scan_iter("chimera:x:*:state")}
    decided = cluster.store.rounds(execution)
    cluster.aggregator()
    wait_for(lambda: not run.alive, seconds=120, what="the sweep completes")
    assert run.returncode == 0, run.log.read_text()
    check(tmp_path / "results", server)
    assert cluster.store.rounds(execution)[: len(decided)] == decided
    assert len(calls_of(server)) == MOST * 2


def test_a_sweep_goes_on_without_its_producer_and_is_collected(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    server = noisy_server(cluster)
    cluster.aggregator()
    cluster.slot("s0", server)
    sweep = unending(tmp_path)
    first = cluster.start_run(sweep)
    wait_for(lambda: calls_of(server), what="the first job measures")
    first.stop_now()
    (execution,) = {key.split(":")[2] for key in cluster.store.client.scan_iter("chimera:x:*:state")}
    wait_for(lambda: cluster.store.status(execution) == "finished", what="the aggregator decides to the end")
    cluster.run(sweep)
    made = check(tmp_path / "results", server)
    assert made.execution == execution
    assert len(calls_of(server)) == MOST * 2


def test_decisions_that_are_delivered_again_and_again_change_nothing(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    server = noisy_server(cluster)
    cluster.aggregator()
    cluster.slot("s0", server)
    run = cluster.start_run(unending(tmp_path))
    states = wait_for(lambda: list(cluster.store.client.scan_iter("chimera:x:*:state")), what="it begins")
    execution = states[0].split(":")[2]
    manifest = cluster.store.manifest(execution)
    assert manifest is not None
    app = make_app(cluster.url, max_deadline_s=60)
    dispatcher = Dispatcher(app, cluster.store, JobMaker.of(manifest, ""))
    for block in range(LEAST + 1, MOST + 2):
        wait_for(partial(cluster.store.round, execution, block), what=f"block {block} is decided on")
        for repeated in range(LEAST + 1, MOST + 3):
            dispatcher.decide(repeated)
    wait_for(lambda: not run.alive, seconds=120, what="the sweep completes")
    assert run.returncode == 0, run.log.read_text()
    check(tmp_path / "results", server)
    assert [one.block for one in cluster.store.rounds(execution)] == list(range(LEAST + 1, MOST + 2))
    assert len(calls_of(server)) == MOST * 2


@pytest.fixture
def server(shell: Shell) -> Iterator[str]:
    child, url = start_noisy_server(shell.folder, itl_ms=50)
    yield url
    child.stop_now()


def test_a_killed_producer_is_resumed_at_the_block_where_it_was(
    shell: Shell, server: str, corpus: Path
) -> None:
    command = ["run", str(unending(shell.folder)), "--server", server]
    first = shell.start(*command)
    wait_for(lambda: len(calls_of(server)) > 3 * 2, what="the block after the first decision is done")
    first.kill()
    first.communicate()
    wait_for(lambda: not shell.left_over(), seconds=20, what="all children are gone")
    before = len(calls_of(server))
    code, output = shell.run(*command)
    assert code == 0, output
    assert (
        "resuming the unfinished execution" in output and "3 of 4 jobs so far are done, 1 run now" in output
    )
    check(shell.folder / "results", server)
    assert len(calls_of(server)) - before == 2 * 2  # the fourth run again, and the fifth
    assert "block 5: 1 of 1 configuration still needs runs" in output
    assert "block 4: " not in output
