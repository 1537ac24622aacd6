"""The aggregator's thread that makes outcomes ready: it finds new ones, and an error ends one look, not the rest."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from contracts.configuration import AgentRole, Configuration
from contracts.facts import Facts
from contracts.outcome import AgentOutcome
from contracts.store import Store
from tests.support.cluster import wait_for
from tests.support.rounds import Execution, outcome
from worker import ahead
from worker.ahead import WorkAhead, made_of

FACTS = Facts(
    files_total=1, counts={"csv": 1, "json": 0, "md": 0}, modified={}, files=(), dates=(), series=()
)


@pytest.fixture
def execution(tmp_path: Path, corpus: Path, store: Store) -> Execution:
    return Execution(tmp_path, store)


@pytest.fixture
def working(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[WorkAhead]:
    monkeypatch.setattr(ahead, "LOOK_FOR_NEW_S", 0.01)
    with caplog.at_level(logging.WARNING, logger="worker.ahead"):
        made = WorkAhead(store)
        made.start()
        yield made
        made.stop()


def prepared(execution: Execution) -> int:
    return execution.store.client.hlen(f"chimera:x:{execution.execution}:prepared")


def test_outcomes_are_made_ready_as_they_come(working: WorkAhead, execution: Execution) -> None:
    first, *rest = execution.jobs()
    execution.do([first])
    wait_for(lambda: prepared(execution) == 1, what="the first is ready")
    execution.do(rest)
    wait_for(lambda: prepared(execution) == 1 + len(rest), what="all are ready")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (redis.ConnectionError("refused"), "outcomes can't be prepared now: refused"),
        (
            ZeroDivisionError("a defect"),
            "outcomes that can't be prepared now are prepared with their summaries",
        ),
    ],
    ids=["Redis", "defect"],
)
def test_a_look_that_fails_is_told_and_not_the_last(
    working: WorkAhead,
    execution: Execution,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    said: str,
) -> None:
    def failing() -> list[str]:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(store, "running_executions", failing)
        wait_for(lambda: said in caplog.messages, what="it is told")
    execution.do(execution.jobs()[:1])
    wait_for(lambda: prepared(execution) == 1, what="it goes on")


def test_texts_of_several_agents_are_checked_with_their_summary(execution: Execution, store: Store) -> None:
    store.begin(execution.manifest, FACTS)
    roles = tuple(AgentRole(label=label, persona="", model="m") for label in "ab")
    pair = outcome(execution.jobs()[0]).model_copy(
        update={
            "configuration": Configuration(name="c", model="m", agents=roles),
            "agents": tuple(AgentOutcome(role=role) for role in roles),
        }
    )
    rows, checked = made_of(store, pair)
    assert rows and checked is None
