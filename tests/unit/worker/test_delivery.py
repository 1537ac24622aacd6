"""Deliveries of one job against a real store; the server is unreachable, so jobs are short."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.job import JobSpec
from contracts.settings import WorkerSettings
from contracts.store import Store, claim_key, lease_key
from producer.manifest import make_manifest
from producer.plan import make_plan
from producer.sweep_file import load
from tests.support.sweeps import write_sweep
from worker.delivery import MAX_ATTEMPTS, SlotBusy, deliver

SETTINGS = WorkerSettings("s0", "test", "http://127.0.0.1:1", None, 60.0)


@pytest.fixture
def job(tmp_path: Path, corpus: Path, store: Store) -> JobSpec:
    sweep = write_sweep(tmp_path, axes={"temperature": [0.5]}, runs=1)
    plan = make_plan(load(sweep), sweep)
    manifest = make_manifest(plan)
    store.begin(manifest)
    store.next_generation(manifest.execution)
    return plan.jobs(manifest.execution)[0]


def receipt(
    job: JobSpec, store: Store, generation: int = 1, settings: WorkerSettings = SETTINGS
) -> dict[str, object]:
    return deliver(job, generation, settings=settings, store=store, beat=store.client)


def test_a_failed_measurement_is_an_outcome(job: JobSpec, store: Store) -> None:
    assert receipt(job, store) == {"job_id": job.job_id, "failed": True}
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
