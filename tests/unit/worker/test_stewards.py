"""An aggregator cares for every execution that lives; what is wrong with one is no other's matter."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from contracts.celery_app import make_app
from contracts.failures import ChimeraError
from contracts.store import Store
from tests.support.cluster import wait_for
from worker import stewards
from worker.stewards import Stewards


class Looked:
    """Stands for stewards; notes which executions were looked at, and fails as told."""

    wrong: dict[str, Exception]
    looks: list[str]

    def __init__(self, store: Store, app: Any, execution: str) -> None:
        self._execution = execution

    def look(self) -> bool:
        Looked.looks.append(self._execution)
        if self._execution in Looked.wrong:
            raise Looked.wrong[self._execution]
        return True


@pytest.fixture
def live() -> list[str]:
    return ["a", "b", "c"]


@pytest.fixture
def caring(store: Store, live: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stewards]:
    Looked.wrong, Looked.looks = {}, []
    monkeypatch.setattr(stewards, "Steward", Looked)
    monkeypatch.setattr(stewards, "LOOK_S", 0.01)
    monkeypatch.setattr(stewards, "LOOK_FOR_NEW_S", 0.01)
    monkeypatch.setattr(store, "running_executions", lambda: list(live))
    made = Stewards(make_app("redis://127.0.0.1:1/0", max_deadline_s=60), store)
    made.start()
    yield made
    made.stop()


def looked(executions: set[str]) -> bool:
    Looked.looks.clear()
    wait_for(lambda: len(Looked.looks) > 2 * len(executions), seconds=10, what="they are looked at")
    return set(Looked.looks) == executions


def test_all_that_live_are_looked_after_and_none_longer(caring: Stewards, live: list[str]) -> None:
    assert looked({"a", "b", "c"})
    live[:] = ["b"]
    wait_for(lambda: looked({"b"}), seconds=10, what="only b is looked at")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (redis.ConnectionError("away"), "b can't be looked after now: away"),
        (ChimeraError("of another version"), "b can't be looked after now: of another version"),
        (ZeroDivisionError("a defect"), "the steward of b failed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_one_that_fails_keeps_no_other_waiting(
    caring: Stewards, caplog: pytest.LogCaptureFixture, error: Exception, said: str
) -> None:
    with caplog.at_level(logging.WARNING, logger="worker.stewards"):
        Looked.wrong = {"b": error}
        assert looked({"a", "b", "c"})
    assert said in caplog.messages


def test_redis_may_be_away(
    caring: Stewards, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> list[str]:
        raise redis.ConnectionError("refused")

    with caplog.at_level(logging.WARNING, logger="worker.stewards"):
        monkeypatch.setattr(store, "running_executions", away)
        wait_for(
            lambda: "executions can't be looked after now: refused" in caplog.messages,
            seconds=10,
            what="it is told",
        )
        monkeypatch.setattr(store, "running_executions", lambda: ["c"])
        wait_for(lambda: looked({"c"}), seconds=10, what="it goes on")
