"""The tasks as messages call them: the receipts of jobs, of tickets, of a calibration, and of what comes after jobs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Reject

from contracts.breaker import Breaker
from contracts.celery_app import make_app
from contracts.failures import ChimeraError
from contracts.floor import MeasurementFloor
from contracts.job import JobSpec
from contracts.queues import AGGREGATE, CALIBRATE, DECIDE, FINALISE, MEASURE, TAKE_PLOT
from contracts.settings import BROKER, WorkerSettings
from contracts.store import Store, lease_key
from producer.embedded_redis import EmbeddedRedis
from tests.support.present import present
from tests.support.rounds import LOUD, QUIET, Execution, Sweep
from worker import breaking, calibration, tasks

SETTINGS = WorkerSettings("s0", "test", "http://127.0.0.1:1", None, 60.0)


@pytest.fixture(scope="module")
def registered(_redis: EmbeddedRedis) -> Celery:
    made = make_app(_redis.url, max_deadline_s=60)
    tasks.register(made)
    return made


@pytest.fixture
def app(registered: Celery, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Celery:
    """The worker's, with the caches of a new process."""
    for name in SETTINGS.environment():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(BROKER, redis_url)
    for cached in (tasks._store, tasks._beat, tasks._maker, breaking.breaker_of):
        cached.cache_clear()
    return registered


@pytest.fixture
def slot(app: Celery, monkeypatch: pytest.MonkeyPatch) -> Celery:
    """The same, in a process that serves a slot."""
    for name, value in SETTINGS.environment().items():
        monkeypatch.setenv(name, value)
    return app


@pytest.fixture
def execution(tmp_path: Path, corpus: Path, store: Store) -> Execution:
    made = Execution(tmp_path, store)
    store.next_generation(made.execution)
    return made


def message(spec: JobSpec, /, **changes: Any) -> tuple[Any, ...]:
    fields = {
        "kind": "measure",
        "execution": spec.execution,
        "generation": 1,
        "configuration": spec.configuration.id,
        "run": spec.run,
        "block": spec.block,
        "load": spec.load,
        "job": spec.job_id,
    }
    return tuple((fields | changes).values())


def test_a_job_is_measured_and_its_receipt_is_the_answer(
    slot: Celery, execution: Execution, store: Store
) -> None:
    job = execution.jobs()[0]
    assert slot.tasks[MEASURE].run(*message(job)) == {
        "job_id": job.job_id,
        "failed": True,
        "why": "connection",
    }
    (outcome,) = store.outcomes(job.execution, [job.job_id])
    assert (outcome.slot, outcome.run) == ("s0", job.run)


@pytest.mark.parametrize("changes", [{"execution": "gone"}, {"configuration": "gone"}], ids=str)
def test_a_job_that_the_store_does_not_know_is_dropped(
    slot: Celery, execution: Execution, changes: dict[str, str]
) -> None:
    job = execution.jobs()[0]
    answer = slot.tasks[MEASURE].run(*message(job, **changes))
    assert answer == {"job_id": job.job_id, "unknown": True}


def test_a_job_of_another_id_is_of_another_version(slot: Celery, execution: Execution, store: Store) -> None:
    answer = slot.tasks[MEASURE].run(*message(execution.jobs()[0], job="another"))
    assert answer["job_id"] == "another" and "their jobs differ" in answer["refused"]
    assert "slot s0: this worker and the producer are of different versions" in present(
        store.problem(execution.execution)
    )


def opened(store: Store) -> None:
    now = datetime.now(UTC)
    store.put_breaker(
        Breaker(slot="s0", pool="test", state="open", failures=3, reason="refused", since=now, probe_at=now)
    )


def test_a_slot_that_is_out_gives_its_messages_back(
    slot: Celery, execution: Execution, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.delivery.OUT_S", 0.0)
    opened(store)
    job = execution.jobs()[0]
    with pytest.raises(Reject, match="slot s0 is out: its server fails") as measured:
        slot.tasks[MEASURE].run(*message(job))
    with pytest.raises(Reject, match="slot s0 is out: its server fails") as taken:
        slot.tasks[TAKE_PLOT].run("take_plot", job.execution, 1, "a unit")
    assert all(vars(rejected.value)["requeue"] for rejected in (measured, taken))
    assert not store.has_outcome(job.execution, job.job_id)


def test_a_worker_without_a_slot_gives_jobs_back(app: Celery, execution: Execution) -> None:
    with pytest.raises(Reject, match="this worker serves no slot") as rejected:
        app.tasks[MEASURE].run(*message(execution.jobs()[0]))
    assert vars(rejected.value)["requeue"]


def test_a_message_of_another_kind_is_not_obeyed(slot: Celery, execution: Execution) -> None:
    with pytest.raises(Exception, match="measure"):
        slot.tasks[MEASURE].run(*message(execution.jobs()[0], kind="finalise"))


def test_a_ticket_moves_a_units_jobs_to_the_slot(slot: Celery, execution: Execution, store: Store) -> None:
    x, unit = execution.execution, "chimera.unit.1"
    store.client.lpush(unit, "first", "second")
    take = slot.tasks[TAKE_PLOT].run
    assert take("take_plot", x, 2, unit) == {"unit": unit, "superseded": True}
    assert store.queued(unit) == 2
    assert take("take_plot", x, 1, unit) == {"unit": unit, "jobs": 2}
    assert store.queued(unit) == 0 and store.queued("chimera.slot.s0") == 2
    assert store.taken_units(x) == {unit: "s0"}


def floor() -> MeasurementFloor:
    figures = {
        name: 0.0 for name, field in MeasurementFloor.model_fields.items() if field.annotation is float
    }
    known: dict[str, Any] = {
        "slot": "s0",
        "host": "h",
        "boot_id": "b",
        "measured_at": datetime.now(UTC),
        "chimera": "1",
        "python": "3",
        "clock": "kernel",
        "concurrency": 1,
        "calls": 5,
        "timer_resolution_ns": 40,
        "suspect_calls": 0,
    }
    return MeasurementFloor.model_validate(figures | known)


def calibrated(slot: Celery, store: Store) -> dict[str, Any]:
    """Run the task as a worker does; return what it answered."""
    slot.tasks[CALIBRATE].apply(args=("calibrate",), task_id="ask", throw=True)
    answers = store.client.keys("*ask*")
    (text,) = [store.client.get(key) for key in answers if store.client.type(key) == "string"]
    found: dict[str, Any] = json.loads(str(text))
    return found


def test_a_floor_is_measured_on_a_free_slot_and_stored(
    slot: Celery, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, leased = floor(), []

    def calibrate(name: str | None) -> MeasurementFloor:
        leased.append(store.leased(name or ""))
        return made

    monkeypatch.setattr(calibration, "calibrate", calibrate)
    answer = calibrated(slot, store)
    assert leased == [True] and not store.leased("s0")
    assert store.floor("s0") == made
    assert answer == {"slot": "s0", "floor": made.model_dump(mode="json")}


@pytest.mark.parametrize(
    ("error", "said"), [(ChimeraError("too little time"), "too little time"), (ValueError(), "ValueError")]
)
def test_a_slot_that_can_not_be_calibrated_says_why(
    slot: Celery, store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def calibrate(_: str | None) -> MeasurementFloor:
        raise error

    monkeypatch.setattr(calibration, "calibrate", calibrate)
    assert calibrated(slot, store) == {"slot": "s0", "problem": said}
    assert store.floor("s0") is None


def test_a_slot_that_measures_is_not_calibrated(
    slot: Celery, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "PATIENCE_S", 0.01)
    store.client.set(lease_key("s0"), "a job")
    assert lease_key("s0") in calibrated(slot, store)["problem"]


def test_a_configuration_is_summarised_and_the_report_written(
    app: Celery, execution: Execution, store: Store
) -> None:
    x = execution.execution
    execution.do(execution.jobs())
    for configuration in execution.plan.configurations:
        app.tasks[AGGREGATE].run([], "aggregate", x, configuration.id)
    assert set(store.summaries(x)) == {c.id for c in execution.plan.configurations}
    app.tasks[FINALISE].run("finalise", x)
    assert "summary.json" in dict(store.documents(x)) and store.problem(x) is None
    queued = [
        item for key in store.client.keys("chimera.aggregate*") for item in store.client.lrange(key, 0, -1)
    ]
    assert sum(FINALISE in str(item) for item in queued) == 1, "by the last summary"


def test_a_block_is_decided_on_and_its_jobs_are_sent(
    app: Celery, tmp_path: Path, corpus: Path, store: Store
) -> None:
    sweep = Sweep(tmp_path, store)
    sweep.to_the_first_decision(QUIET, LOUD)
    answer = app.tasks[DECIDE].run("decide", sweep.execution, 4)
    assert (answer["block"], answer["jobs"]) == (4, 1)
    assert store.queued("chimera.pool.test") == 1


def test_what_comes_after_an_execution_that_is_gone_is_an_error(app: Celery, store: Store) -> None:
    with pytest.raises(ChimeraError, match="the store knows no execution x"):
        app.tasks[DECIDE].run("decide", "x", 4)
