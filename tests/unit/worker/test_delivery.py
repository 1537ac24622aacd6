"""Deliveries of one job against a real store; the server is unreachable, so jobs are short."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis.connection import Connection

from contracts.job import JobSpec
from contracts.jobs import JobMaker
from contracts.settings import WorkerSettings
from contracts.store import Store, claim_key, lease_key
from producer.manifest import make_manifest
from producer.plan import make_plan
from producer.sweep_file import load
from tests.support.sweeps import write_sweep
from worker.claiming import Claiming, new_token
from worker.delivery import MAX_ATTEMPTS, SlotBusy, deliver
from worker.job import Started, unmeasured

SETTINGS = WorkerSettings("s0", "test", "http://127.0.0.1:1", None, 60.0)


@pytest.fixture
def job(tmp_path: Path, corpus: Path, store: Store) -> JobSpec:
    sweep = write_sweep(tmp_path, axes={"temperature": [0.5]}, runs=1)
    plan = make_plan(load(sweep), sweep)
    manifest = make_manifest(plan)
    store.begin(manifest)
    store.next_generation(manifest.execution)
    maker = JobMaker.of(manifest, str(tmp_path))
    return maker.job(next(maker.units()).jobs[0])


def receipt(
    job: JobSpec, store: Store, generation: int = 1, settings: WorkerSettings = SETTINGS
) -> dict[str, object]:
    return deliver(job, generation, settings=settings, store=store, beat=store.client)


def test_a_failed_measurement_is_an_outcome(job: JobSpec, store: Store) -> None:
    assert receipt(job, store) == {"job_id": job.job_id, "failed": True, "why": "connection"}
    (outcome,) = store.outcomes(job.execution, [job.job_id])
    assert [(s.stage, s.outcome) for s in outcome.stages] == [
        ("ingest", "ok"),
        ("analysis", "connection"),
        ("report", "connection"),
    ]
    progress = store.progress(job.execution)
    assert (progress.done, progress.failed, progress.running) == (1, 1, {})


def test_the_second_delivery_finds_the_outcome(job: JobSpec, store: Store) -> None:
    receipt(job, store)
    before = list(store.outcomes(job.execution, [job.job_id]))
    assert receipt(job, store) == {"job_id": job.job_id, "present": True}
    assert list(store.outcomes(job.execution, [job.job_id])) == before


def test_a_message_of_an_older_generation_is_dropped(job: JobSpec, store: Store) -> None:
    store.next_generation(job.execution)
    assert receipt(job, store) == {"job_id": job.job_id, "superseded": True}
    assert not store.has_outcome(job.execution, job.job_id)


def test_a_message_of_an_unknown_execution_is_dropped(job: JobSpec, store: Store) -> None:
    unknown = job.model_copy(update={"execution": "gone"})
    assert receipt(unknown, store)["superseded"] is True


def test_the_first_outcome_counts(job: JobSpec, store: Store) -> None:
    receipt(job, store)
    (first,) = store.outcomes(job.execution, [job.job_id])
    assert store.put_outcome(first.model_copy(update={"attempt": 9})) is False
    assert list(store.outcomes(job.execution, [job.job_id])) == [first]


def test_a_job_is_given_up_after_its_attempts(job: JobSpec, store: Store) -> None:
    for _ in range(MAX_ATTEMPTS):
        store.start_job(job.execution, job.job_id, title=job.title, slot="s0")
    receipt(job, store)
    (outcome,) = store.outcomes(job.execution, [job.job_id])
    assert {s.outcome for s in outcome.stages} == {"lost"}
    assert outcome.problem is not None and "given up" in outcome.problem


def test_a_deadline_beyond_the_workers_is_refused_as_data(job: JobSpec, store: Store) -> None:
    short = WorkerSettings("s0", "test", "http://127.0.0.1:1", None, 5.0)
    receipt(job, store, settings=short)
    (outcome,) = store.outcomes(job.execution, [job.job_id])
    assert outcome.problem == "the deadline is longer than this worker accepts (5 s)"


def test_other_files_than_planned_are_refused_as_data(job: JobSpec, store: Store, corpus: Path) -> None:
    (corpus / "c.md").write_text("changed")
    receipt(job, store)
    (outcome,) = store.outcomes(job.execution, [job.job_id])
    assert {s.outcome for s in outcome.stages} == {"lost"}
    assert "not those that the job was planned for" in str(outcome.stages[0].reason)


def test_a_job_that_another_measures_is_not_measured_twice(
    job: JobSpec, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.delivery.PATIENCE_S", 0.1)
    store.client.set(claim_key(job.execution, job.job_id), "another worker's token")
    assert receipt(job, store) == {"job_id": job.job_id, "claimed": True}
    assert not store.has_outcome(job.execution, job.job_id)
    assert not store.leased("s0")


def test_a_slot_that_another_holds_sends_the_job_back(
    job: JobSpec, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.delivery.PATIENCE_S", 0.1)
    store.client.set(lease_key("s0"), "another process's token")
    with pytest.raises(SlotBusy):
        receipt(job, store)
    assert not store.has_outcome(job.execution, job.job_id)
    assert not store.claimed(job.execution, job.job_id)


def test_a_resume_counts_attempts_anew_and_forgets_the_problem(job: JobSpec, store: Store) -> None:
    for _ in range(MAX_ATTEMPTS):
        store.start_job(job.execution, job.job_id, title=job.title, slot="s0")
    store.set_problem(job.execution, "a defect")
    generation = store.next_generation(job.execution)
    assert store.problem(job.execution) is None
    receipt(job, store, generation)
    (outcome,) = store.outcomes(job.execution, [job.job_id])
    assert outcome.problem is None and outcome.attempt == 1


def test_an_internal_error_is_an_outcome(job: JobSpec, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("worker.delivery.measure", broken)
    receipt(job, store)
    (outcome,) = store.outcomes(job.execution, [job.job_id])
    assert outcome.problem == "internal error: RuntimeError: a bug"


@pytest.mark.parametrize("status", ["paused", "cancelled"])
def test_an_execution_that_is_held_up_is_not_measured(job: JobSpec, store: Store, status: str) -> None:
    store.set_status(job.execution, status, after=["running"])  # type: ignore[arg-type]
    assert receipt(job, store) == {"job_id": job.job_id, "paused": True}
    assert not store.has_outcome(job.execution, job.job_id)
    assert not store.leased("s0") and not store.claimed(job.execution, job.job_id)


def test_all_is_given_back_with_the_outcome(job: JobSpec, store: Store) -> None:
    receipt(job, store)
    assert not store.leased("s0") and not store.claimed(job.execution, job.job_id)
    assert store.progress(job.execution).running == {}


def test_a_lease_that_was_lost_while_the_job_ran_voids_it(
    job: JobSpec, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(spec: JobSpec, started: Started) -> object:
        store.client.set(lease_key("s0"), "another's token")
        return unmeasured(spec, started, "whatever")

    monkeypatch.setattr("worker.delivery.measure", measured)
    with pytest.raises(SlotBusy, match="its figures are void"):
        receipt(job, store)
    assert not store.has_outcome(job.execution, job.job_id)
    assert store.client.get(lease_key("s0")) == "another's token"
    assert not store.claimed(job.execution, job.job_id)


def test_a_job_is_taken_in_one_round_trip_and_stored_in_one(
    job: JobSpec, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt(job, store)  # loads the scripts
    other = JobSpec.model_validate({**job.model_dump(), "run": 2})
    sent: list[object] = []
    send: Callable[..., Any] = Connection.send_packed_command

    def noted(*arguments: Any, **options: Any) -> Any:
        if threading.current_thread() is threading.main_thread():  # a beat may renew something meanwhile
            sent.append(arguments[1])
        return send(*arguments, **options)

    monkeypatch.setattr(Connection, "send_packed_command", noted)
    assert receipt(other, store)["failed"] is True
    commands = [b"".join(part if isinstance(part, list) else [part]) for part in sent]  # type: ignore[list-item]
    assert [c for c in commands if b"EVALSHA" not in c] == [] and len(commands) == 2


def test_a_taking_whose_answer_was_lost_counts_once(job: JobSpec, store: Store) -> None:
    claiming, token = Claiming(store), new_token(job)
    first = claiming.take(job, 1, "s0", token)
    again = claiming.take(job, 1, "s0", token)
    assert (first.verdict, first.attempt) == (again.verdict, again.attempt) == ("taken", 1)
    assert claiming.take(job, 1, "s0", new_token(job)).verdict == "claimed"


def test_what_an_ended_process_held_is_handed_back(job: JobSpec, store: Store) -> None:
    claiming = Claiming(store)
    assert claiming.hand_back("s0") is None
    claiming.take(job, 1, "s0", new_token(job))
    assert claiming.hand_back("s0") == (job.execution, job.job_id)
    assert not store.leased("s0") and not store.claimed(job.execution, job.job_id)
    assert store.progress(job.execution).running == {}
    assert claiming.take(job, 1, "s0", new_token(job)).attempt == 1


def test_what_another_worker_holds_is_not_handed_back(job: JobSpec, store: Store) -> None:
    store.client.set(lease_key("s0"), "another:1|x|y|z")
    assert Claiming(store).hand_back("s0") is None
    assert store.leased("s0")
