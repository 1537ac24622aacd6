"""kill -9 at each point of a job's way, of a callback's, and in the middle of publishing."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from analysis.stages_io import read_stages
from benchmarks.chaos.parts import Parts
from benchmarks.chaos.trapped import MEASURE_POINTS, POISON, PUBLISH_POINT
from producer.processes import Child
from tests.support.chaos import cheap_sweep, ended, results_of
from tests.support.cluster import wait_for


def is_dead(worker: Child) -> bool:
    return not worker.alive


def is_reached(parts: Parts, point: str) -> bool:
    return not parts.armed(point)


def test_a_worker_may_die_anywhere_on_a_jobs_way(parts: Parts, tmp_path: Path) -> None:
    """One sweep, and each point strikes another of its jobs: the waits for their leases are one wait."""
    parts.start("s0")
    worker = parts.workers["s0"]
    run = None
    for point in MEASURE_POINTS:
        parts.arm(point)
        run = run or parts.run(cheap_sweep(tmp_path, runs=6))
        wait_for(partial(is_dead, worker), what=f"the worker dies when a job is {point}")
        assert not parts.armed(point)
        worker = parts.worker("s0")
    assert run is not None
    found = ended(parts, run)
    assert (found.planned, found.complete) == (12, 12)
    assert len(parts.attempts) > 12


def test_a_pool_process_may_die_anywhere_on_a_jobs_way(parts: Parts, tmp_path: Path) -> None:
    parts.start("s0")
    worker = parts.workers["s0"]
    run = None
    for point in MEASURE_POINTS:
        parts.arm(point, "process")
        run = run or parts.run(cheap_sweep(tmp_path, runs=6))
        wait_for(partial(is_reached, parts, point), what=f"the pool process dies when a job is {point}")
    assert run is not None
    found = ended(parts, run)
    assert (found.planned, found.complete) == (12, 12)
    assert worker.alive


def test_a_job_that_kills_its_process_each_time_is_given_up(parts: Parts, tmp_path: Path) -> None:
    parts.start("s0")
    parts.arm(POISON)
    found = ended(parts, parts.run(cheap_sweep(tmp_path, runs=2)))
    assert (found.planned, found.complete, found.failures) == (4, 3, {"lost": 1})
    (poisoned,) = (parts.traps / "poisoned").read_text().split()
    assert Counter(parts.attempts) == {job_id: 3 if job_id == poisoned else 1 for job_id in parts.attempts}
    reasons = {row.reason for row in read_stages(results_of(parts)) if row.outcome == "lost"}
    assert reasons == {"given up: its worker died 3 times while it ran"}


@pytest.mark.parametrize("point", ["called-back", "summarised", "counted", "finishing", "finished"])
def test_an_aggregator_may_die_anywhere_in_its_callback(parts: Parts, tmp_path: Path, point: str) -> None:
    parts.arm(point)
    parts.start("s0")
    (aggregator,) = parts.aggregators
    run = parts.run(cheap_sweep(tmp_path, runs=2))
    wait_for(lambda: not aggregator.alive, what=f"the aggregator dies where it is {point}")
    parts.aggregator()
    found = ended(parts, run)
    assert (found.planned, found.complete, len(parts.attempts)) == (4, 4, 4)


def test_a_producer_that_dies_while_it_publishes_is_resumed(parts: Parts, tmp_path: Path) -> None:
    parts.start("s0", "s1")
    sweep = cheap_sweep(tmp_path, configurations=3, runs=20)
    parts.arm(PUBLISH_POINT, "process")
    first = parts.run(sweep)
    wait_for(lambda: not first.alive, what="the producer dies with half of the jobs on the wire")
    assert not parts.armed(PUBLISH_POINT), first.log.read_text()
    again = parts.run(sweep)
    found = ended(parts, again)
    assert (found.planned, found.complete, len(parts.attempts)) == (60, 60, 60)
    assert "resuming the unfinished execution" in again.log.read_text()
