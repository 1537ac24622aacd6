"""The tasks around what they call: which errors are an execution's problem, and which pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from contracts.celery_app import make_app
from contracts.failures import BrokerError, ChimeraError
from contracts.queues import AGGREGATE, DECIDE, FINALISE, MEASURE
from contracts.settings import WorkerSettings
from contracts.store import Store
from contracts.store.keys import execution_key
from tests.support.rounds import Execution
from worker import tasks

MESSAGES: dict[str, tuple[Any, ...]] = {
    AGGREGATE: ([], "aggregate", "x", "c"),
    DECIDE: ("decide", "x", 2),
    FINALISE: ("finalise", "x"),
}


@pytest.fixture(scope="module")
def registered() -> Celery:
    app = make_app("redis://127.0.0.1:1/0", max_deadline_s=60)
    tasks.register(app)
    return app


@pytest.fixture
def app(registered: Celery, store: Store, monkeypatch: pytest.MonkeyPatch) -> Celery:
    monkeypatch.setattr(tasks, "_store", lambda: store)
    monkeypatch.setattr(tasks, "worker_settings", lambda: WorkerSettings("s0", "p", "http://x", None, 60.0))
    tasks._maker.cache_clear()
    return registered


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize(
    ("error", "is_problem"),
    [
        (BrokerError("Redis went away while messages were published"), False),
        (redis.ConnectionError("refused"), False),
        (redis.TimeoutError("no answer"), False),
        (redis.OutOfMemoryError("maxmemory"), False),
        (redis.ResponseError("WRONGTYPE"), True),
        (ChimeraError("the store knows no execution x"), True),
        (ZeroDivisionError("a defect"), True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_outage_of_redis_is_no_problem_of_the_execution(
    app: Celery, store: Store, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception, is_problem: bool
) -> None:
    def failing(*_: Any) -> None:
        raise error

    for what in (
        "worker.aggregation.aggregate_configuration",
        "worker.rounds.decide",
        "worker.aggregation.finalise",
    ):
        monkeypatch.setattr(what, failing)
    monkeypatch.setattr(tasks, "_dispatcher", lambda *_: None)
    with pytest.raises(type(error)):
        app.tasks[name].run(*MESSAGES[name])
    assert (store.problem("x") is not None) == is_problem


def test_a_manifest_of_another_version_is_said_to_be_one(
    app: Celery, store: Store, tmp_path: Path, corpus: Path
) -> None:
    execution = Execution(tmp_path, store)
    key = execution_key(execution.execution, "manifest")
    text = str(store.client.get(key))
    store.client.set(key, text.replace("{", '{"a_field_of_tomorrow": 1, ', 1))
    job = execution.jobs()[0]
    message = ("measure", execution.execution, 1, job.configuration.id, 1, 1, None, job.job_id)
    answer = app.tasks[MEASURE].run(*message)
    assert answer["job_id"] == job.job_id and "different versions" in answer["refused"]
    assert "slot s0: this worker and the producer are of different versions" in str(
        store.problem(execution.execution)
    )
