"""SIGTERM: the running job may end within its grace period; at its end the pool's process dies and the job goes back."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from celery import Celery
from celery.worker import state
from celery.worker.request import Request

from contracts.celery_app import make_app
from contracts.store import Store
from tests.support.cluster import wait_for
from tests.support.embedded_worker import taken
from worker import stopping as module
from worker.stopping import DEFAULT_GRACE_S, GRACE, KILLED_AFTER_S, SIGNALS, STUCK_S, Stopping, grace_s

QUEUE = "chimera.slot.s0"


@pytest.fixture
def stuck_at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When a worker that hangs would end itself, which would be the end of the tests."""
    given: list[float] = []
    monkeypatch.setattr(module, "_give_up", given.append)
    return given


@pytest.fixture
def stopping(stuck_at: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stopping]:
    """One that has the signals of this process."""
    monkeypatch.setattr(state, "should_stop", None)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    made = Stopping()
    made.install()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def pool() -> Iterator[subprocess.Popen[bytes]]:
    """A process that the pool works with."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def consumer(*processes: subprocess.Popen[bytes], in_poll: bool = False) -> Any:
    """What is asked of Celery's consumer."""
    return SimpleNamespace(
        pool=SimpleNamespace(_pool=SimpleNamespace(_pool=list(processes))),
        task_consumer=SimpleNamespace(channel=SimpleNamespace(_in_poll=in_poll)),
    )


@pytest.fixture
def request_in_work(redis_url: str) -> Iterator[Request]:
    """A message from a real queue, whose task the pool works on."""
    app: Celery = make_app(redis_url, max_deadline_s=60)

    @app.task(name="test.job", shared=False)
    def job() -> None: ...

    app.send_task("test.job", queue=QUEUE)
    with taken(app, QUEUE) as message:
        made = Request(
            message,
            app=app,
            on_ack=message.ack_log_error,
            on_reject=message.reject_log_error,
            task=app.tasks["test.job"],
        )
        state.task_reserved(made)
        state.active_requests.add(made)
        yield made
    state.task_ready(made)


@pytest.mark.parametrize(
    ("given", "expected"), [(None, DEFAULT_GRACE_S), ("", DEFAULT_GRACE_S), ("7.5", 7.5)], ids=str
)
def test_the_grace_period_is_the_environments(
    monkeypatch: pytest.MonkeyPatch, given: str | None, expected: float
) -> None:
    monkeypatch.delenv(GRACE, raising=False)
    if given is not None:
        monkeypatch.setenv(GRACE, given)
    assert grace_s() == expected


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_an_idle_worker_stops_at_once(stopping: Stopping, number: signal.Signals) -> None:
    assert not stopping.asked
    signal.raise_signal(number)
    assert stopping.asked
    stopping.go_on(consumer(in_poll=True))
    assert state.should_stop is None, "the answer under way may bring a message, which would be lost"
    stopping.go_on(consumer())
    assert state.should_stop == 0


def test_the_running_job_may_end(
    stopping: Stopping, pool: subprocess.Popen[bytes], request_in_work: Request
) -> None:
    signal.raise_signal(signal.SIGTERM)
    stopping.go_on(consumer(pool))
    assert pool.poll() is None and state.should_stop is None
    state.task_ready(request_in_work)
    stopping.go_on(consumer(pool))
    assert state.should_stop == 0


def test_a_second_signal_hands_the_running_job_back(
    stopping: Stopping, pool: subprocess.Popen[bytes], request_in_work: Request, store: Store
) -> None:
    handed_back: list[int | None] = []
    discarded: list[bool] = []
    result = SimpleNamespace(discard=lambda: discarded.append(True))
    vars(request_in_work)["_apply_result"] = lambda: result
    stopping.hand_back = lambda: handed_back.append(pool.poll())
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert store.client.llen(QUEUE) == 0
    stopping.go_on(consumer(pool))
    assert handed_back == [-signal.SIGKILL], "after the process is dead: it can store nothing any more"
    assert store.client.llen(QUEUE) == 1 and store.client.hlen("unacked") == 0
    assert discarded == [True]
    stopping.go_on(consumer(pool))
    assert state.should_stop == 0, "nothing is left to wait for"


def test_a_job_goes_back_though_its_claim_can_not(
    stopping: Stopping,
    pool: subprocess.Popen[bytes],
    request_in_work: Request,
    store: Store,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away() -> None:
        raise ConnectionError("Redis is away")

    pool.kill()
    pool.wait()  # it died by itself, and is reaped
    stopping.hand_back = away
    monkeypatch.setenv(GRACE, "0.0001")
    signal.raise_signal(signal.SIGTERM)
    with caplog.at_level(logging.WARNING, logger="worker.stopping"):
        wait_for(lambda: time.monotonic() >= stopping._until, what="the grace period is over")
        stopping.go_on(consumer(pool))
    assert "what the job held could not be given back: Redis is away" in caplog.messages
    assert store.client.llen(QUEUE) == 1


def test_a_signal_to_a_pools_process_is_its_parents_matter(
    stopping: Stopping, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: own + 1)  # as after a fork, which keeps the handlers
    signal.raise_signal(signal.SIGTERM)
    assert not stopping.asked


@pytest.mark.parametrize(
    ("grace", "after_s"),
    [("60", 60 + STUCK_S), ("1", KILLED_AFTER_S - 0.5)],
    ids=["after the grace period", "before Kubernetes kills it"],
)
def test_a_worker_that_hangs_ends_itself(
    stopping: Stopping,
    stuck_at: list[float],
    monkeypatch: pytest.MonkeyPatch,
    grace: str,
    after_s: float,
) -> None:
    monkeypatch.setenv(GRACE, grace)
    before_s = time.monotonic()
    signal.raise_signal(signal.SIGTERM)
    wait_for(lambda: stuck_at, what="the watch begins")
    assert before_s + after_s <= stuck_at[0] <= time.monotonic() + after_s
    signal.raise_signal(signal.SIGTERM)
    assert len(stuck_at) == 1, "once"


def test_it_ends_itself_with_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def ended(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", ended)
    begun_s = time.monotonic()
    with caplog.at_level(logging.WARNING, logger="worker.stopping"), pytest.raises(SystemExit) as end:
        module._give_up(begun_s + 0.05)
    assert end.value.code == 1 and time.monotonic() >= begun_s + 0.05
    assert "the worker ends without having stopped: Redis does not answer" in caplog.messages


def test_a_process_that_can_not_be_killed_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "DEATH_S", 0.02)
    monkeypatch.setattr(psutil.Process, "status", lambda _: psutil.STATUS_DISK_SLEEP)
    with subprocess.Popen(["sleep", "60"]) as process:
        begun_s = time.monotonic()
        module._kill([process.pid])
        assert process.wait() == -signal.SIGKILL
        assert 0.02 <= time.monotonic() - begun_s < 10
