"""The parent process's look at its slot's breaker: when the server is asked, what is made of the answer, what is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from contracts.breaker import Breaker
from contracts.settings import WorkerSettings
from contracts.store import Store
from tests.support.cluster import wait_for
from tests.support.present import present
from tests.support.rounds import Execution
from worker import probing
from worker.breaking import PAUSE_SCALE, PAUSES_S
from worker.probing import Prober

OWN, FURTHER = "http://127.0.0.1:1", "http://127.0.0.1:2"
SETTINGS = WorkerSettings("s0", "p", OWN, None, 60.0, (("b", FURTHER),))


class Servers:
    """Says what it was told to say; keeps who was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.problems: dict[str, str] = {}

    def ask(self, url: str) -> str | None:
        self.asked.append(url)
        return self.problems.get(url)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    monkeypatch.delenv(PAUSE_SCALE, raising=False)
    return Servers()


@pytest.fixture
def prober(servers: Servers, store: Store) -> Prober:
    return Prober(SETTINGS, store, servers.ask)


def tripped(store: Store, in_s: float = -1.0) -> None:
    """Open the breaker, as a job does."""
    now = datetime.now(UTC)
    store.put_breaker(
        Breaker(
            slot="s0",
            pool="p",
            state="open",
            failures=3,
            reason="refused",
            since=now,
            probe_at=now + timedelta(seconds=in_s),
        )
    )


def pause_s(store: Store) -> float:
    return (present(store.breaker("s0")).probe_at - datetime.now(UTC)).total_seconds()


def test_a_slot_that_is_well_asks_nobody(prober: Prober, servers: Servers) -> None:
    prober.look()
    assert not prober.is_out and servers.asked == []


def test_a_slot_is_out_before_its_server_is_asked(prober: Prober, servers: Servers, store: Store) -> None:
    tripped(store, in_s=60)
    prober.look()
    assert prober.is_out and servers.asked == []


def test_a_server_that_answers_gets_one_job(
    prober: Prober, servers: Servers, store: Store, tmp_path: Path, corpus: Path
) -> None:
    x = Execution(tmp_path, store).execution
    tripped(store)
    prober.look()
    assert not prober.is_out and servers.asked == [OWN, FURTHER]
    assert present(store.breaker("s0")).state == "half-open"
    ((_, line),), _ = store.told(x)
    assert line == "slot s0: its server answers; the next job decides whether the slot is back"


def test_the_pauses_grow_while_a_further_server_does_not_answer(
    prober: Prober, servers: Servers, store: Store
) -> None:
    servers.problems[FURTHER] = "b is away"
    for number in (1, 2, 3):
        tripped(store)
        prober._next_at = datetime.min.replace(tzinfo=UTC)  # the pause is over
        prober.look()
        assert prober.is_out and present(store.breaker("s0")).reason == "b is away"
        assert pause_s(store) == pytest.approx(PAUSES_S[number], abs=1.0)


def test_a_slot_that_failed_its_trial_waits_as_long_as_was_said(
    prober: Prober, servers: Servers, store: Store
) -> None:
    tripped(store)
    prober.look()
    asked = len(servers.asked)
    tripped(store)  # by the next job: the server answers its probes, and no job
    prober.look()
    assert prober.is_out and len(servers.asked) == asked
    assert pause_s(store) == pytest.approx(PAUSES_S[1], abs=1.0)
    store.drop_breaker("s0")
    prober.look()
    assert not prober.is_out


def test_a_note_that_can_not_be_told_keeps_no_slot_out(
    prober: Prober, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> list[str]:
        raise redis.ConnectionError("refused")

    monkeypatch.setattr(store, "running_executions", away)
    tripped(store)
    prober.look()
    assert not prober.is_out


def test_without_a_stand_in_the_server_itself_is_asked(store: Store) -> None:
    tripped(store)
    prober = Prober(SETTINGS, store)
    prober.look()
    assert prober.is_out and "127.0.0.1:1" in present(store.breaker("s0")).reason


@pytest.fixture
def running(
    prober: Prober, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[pytest.LogCaptureFixture]:
    monkeypatch.setattr(probing, "LOOK_S", 0.01)
    with caplog.at_level(logging.DEBUG, logger="worker.probing"):
        prober.start()
        yield caplog
        prober.stop()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (redis.ConnectionError("refused"), "the slot's breaker can't be read now: refused"),
        (ZeroDivisionError("a defect"), "the slot's server can't be probed"),
    ],
    ids=["Redis", "defect"],
)
def test_the_thread_goes_on_after_an_error(
    running: pytest.LogCaptureFixture,
    prober: Prober,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    said: str,
) -> None:
    def failing(slot: str) -> Breaker | None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(store, "breaker", failing)
        wait_for(lambda: said in running.messages, what="it is told")
    tripped(store, in_s=60)
    wait_for(lambda: prober.is_out, what="it looks again")
