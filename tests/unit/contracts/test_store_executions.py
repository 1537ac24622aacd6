"""Statuses, stewardships and notes of executions in a real store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.store import Feeding, Store
from contracts.store.executions import NOTES
from tests.support.cluster import wait_for
from tests.support.rounds import Execution, outcome

ALL = ("running", "paused", "cancelled", "finished", "collected", "abandoned")


@pytest.fixture
def execution(tmp_path: Path, corpus: Path, store: Store) -> Execution:
    return Execution(tmp_path, store, runs=1)


def put_status(execution: Execution, status: str) -> None:
    execution.store.client.hset(f"chimera:x:{execution.execution}:state", "status", status)


@pytest.mark.parametrize("before", ALL)
def test_a_status_follows_only_those_that_it_may(execution: Execution, before: Any) -> None:
    store, x = execution.store, execution.execution
    put_status(execution, before)
    assert store.set_status(x, "paused", after=("running",)) == ("paused" if before == "running" else before)
    put_status(execution, before)
    store.set_finished(x)
    live = before in ("running", "paused", "cancelled")
    assert store.status(x) == ("finished" if live else before)


@pytest.mark.parametrize("before", ALL)
def test_what_is_over_cannot_be_cancelled(execution: Execution, before: Any) -> None:
    store, x = execution.store, execution.execution
    put_status(execution, before)
    generation = store.generation(x)
    assert generation is not None
    cancelled = store.cancel(x, "asked for")
    assert cancelled == (before in ("running", "paused"))
    assert store.status(x) == ("cancelled" if cancelled else before)
    assert store.cancelled(x) == ("asked for" if cancelled else None)
    assert store.generation(x) == generation + cancelled  # what waits is dropped where it arrives


def test_only_executions_with_something_to_do_are_live(execution: Execution) -> None:
    store, x = execution.store, execution.execution
    assert store.running_executions() == [x] == store.running_in("test")
    assert store.running_in("other") == []
    store.set_status(x, "paused", after=("running",))
    assert store.running_executions() == [x] and store.running_in("test") == []
    store.set_status(x, "running", after=("paused",))
    store.cancel(x, "why")
    assert store.running_executions() == [x] and store.running_in("test") == []
    store.set_finished(x)
    assert store.running_executions() == []


@pytest.mark.parametrize("end", ["set_collected", "abandon"])
def test_what_is_over_is_forgotten_in_time(execution: Execution, end: str) -> None:
    store, x = execution.store, execution.execution
    execution.do(execution.jobs())
    store.tell(x, "a note")
    store.void(x, {}, slot="s0", why="w")
    getattr(store, end)(x)
    assert store.running_executions() == []
    keys = [str(key) for key in store.client.scan_iter(f"chimera:x:{x}:*")]
    assert len(keys) >= 5
    assert [key for key in keys if int(str(store.client.ttl(key))) < 0] == []


def test_a_new_generation_forgets_the_attempts_the_problem_and_how_far_the_last_was_fed(
    execution: Execution,
) -> None:
    store, x = execution.store, execution.execution
    first = store.next_generation(x)
    job = execution.jobs()[0]
    assert [store.start_job(x, job.job_id, title="t", slot="s0") for _ in range(2)] == [1, 2]
    store.set_problem(x, "a problem")
    assert store.put_feeding(x, Feeding(7, 3), generation=first)
    assert store.feeding(x) == Feeding(7, 3)
    assert store.next_generation(x) == first + 1
    assert store.feeding(x) == Feeding() and store.problem(x) is None
    assert store.start_job(x, job.job_id, title="t", slot="s0") == 1
    assert not store.put_feeding(x, Feeding(9, 3), generation=first)
    assert store.feeding(x) == Feeding()


def test_a_job_given_back_was_not_attempted(execution: Execution) -> None:
    store, x, job = execution.store, execution.execution, execution.jobs()[0]
    store.start_job(x, job.job_id, title="t", slot="s0")
    store.hand_back(x, job.job_id)
    assert store.progress(x).running == {}
    assert store.start_job(x, job.job_id, title="t", slot="s0") == 1


def test_one_holds_the_stewardship_until_it_leaves_or_dies(execution: Execution) -> None:
    store, x = execution.store, execution.execution
    assert store.hold_stewardship(x, "a", ttl_s=60)
    assert store.hold_stewardship(x, "a", ttl_s=60)
    assert not store.hold_stewardship(x, "b", ttl_s=60)
    store.drop_stewardship(x, "b")
    assert not store.hold_stewardship(x, "b", ttl_s=60)
    store.drop_stewardship(x, "a")
    assert store.hold_stewardship(x, "b", ttl_s=0.05)
    wait_for(lambda: store.hold_stewardship(x, "a", ttl_s=60), seconds=10, what="it expires")


def test_notes_are_told_once_to_whoever_asks_with_the_mark(execution: Execution) -> None:
    store, x = execution.store, execution.execution
    assert store.told(x) == ([], "0") and store.last_told(x) == "0"
    for line in ("one", "two"):
        store.tell(x, line)
    notes, mark = store.told(x)
    assert [line for _, line in notes] == ["one", "two"]
    assert all(abs((datetime.now(UTC) - at).total_seconds()) < 60 for at, _ in notes)
    assert mark == store.last_told(x)
    assert store.told(x, mark) == ([], mark)
    store.tell(x, "three")
    assert [line for _, line in store.told(x, mark)[0]] == ["three"]


def test_notes_are_bounded(execution: Execution) -> None:
    store, x = execution.store, execution.execution
    with store.client.pipeline(transaction=False) as pipe:
        noted = Store(pipe)
        for number in range(NOTES + 500):
            noted.tell(x, str(number))
        pipe.execute()
    notes, _ = store.told(x)
    assert NOTES <= len(notes) < NOTES + 200 and notes[-1][1] == str(NOTES + 499)


def test_the_newest_execution_is_found_by_the_sweeps_id_and_name(
    execution: Execution, tmp_path: Path
) -> None:
    store = execution.store
    wait_for(lambda: datetime.now(UTC).strftime("%H%M%S%f")[:-3] not in execution.execution)
    newer = Execution(tmp_path, store, runs=1)
    for found in (store.newest(newer.plan.sweep_id), store.newest_named("test")):
        assert found is not None and (found[0].execution, found[1]) == (newer.execution, "running")
    assert store.newest("nothing") is None and store.newest_named("nothing") is None


def test_a_job_belongs_to_one_execution(execution: Execution, tmp_path: Path) -> None:
    other = Execution(tmp_path, execution.store, runs=1, name="other")
    job, same = execution.jobs()[0], other.jobs()[0]
    assert job.job_id == same.job_id
    execution.store.put_outcome(outcome(job))
    assert execution.store.jobs_done(execution.execution) == {job.job_id}
    assert execution.store.jobs_done(other.execution) == set()
