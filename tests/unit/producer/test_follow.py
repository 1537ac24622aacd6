"""Following an execution: what ends it, what is waited out, and what is shown of the store's notes and rounds."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu.exceptions import OperationalError
from rich.console import Console

from contracts.celery_app import make_app
from contracts.failures import BrokerError, SweepIncomplete
from contracts.store import Progress, Store
from contracts.store.keys import execution_key
from dispatch.steward import Steward
from producer import follow as module
from producer.follow import follow
from producer.progress import ProgressView
from producer.watch_eta import Estimator
from tests.support.rounds import LOUD, QUIET, Execution, Sweep


class Follower:
    """Follows an execution to its end."""

    def __init__(self, begun: Execution, url: str) -> None:
        self.begun, self.store, self.x = begun, begun.store, begun.execution
        self._url, self._stream = url, io.StringIO()

    def follow(self, watch: Callable[[], None] = lambda: None) -> Progress:
        steward = Steward(self.store, make_app(self._url, max_deadline_s=60), self.x)
        console = Console(file=self._stream, width=200)
        estimates = Estimator(self.store, self.begun.manifest)
        with ProgressView(console, 6, 0, grows=False, estimates=estimates) as view:
            return follow(self.store, steward, view, watch)

    @property
    def said(self) -> str:
        return self._stream.getvalue()


@pytest.fixture
def follower(
    tmp_path: Path, corpus: Path, store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Follower:
    monkeypatch.setattr(module, "POLL_S", 0.005)
    return Follower(Execution(tmp_path, store, runs=3), redis_url)


def test_notes_are_shown_and_the_end_is_the_end(follower: Follower) -> None:
    follower.store.tell(follower.x, "a slot was taken out of its pool")
    follower.store.set_finished(follower.x)
    assert follower.follow().status == "finished"
    assert "a slot was taken out of its pool" in follower.said


def test_blocks_that_were_decided_on_are_counted_and_explained(
    tmp_path: Path, corpus: Path, store: Store, redis_url: str
) -> None:
    sweep = Sweep(tmp_path, store)
    follower = Follower(sweep, redis_url)

    def watch() -> None:
        if store.rounds(sweep.execution):
            store.set_finished(sweep.execution)
            return
        sweep.to_the_first_decision(QUIET, LOUD)
        sweep.decide(4)

    follower.follow(watch)
    (decided,) = store.rounds(sweep.execution)
    assert decided.why in follower.said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda store, x: store.client.delete(execution_key(x, "state")), "keeps no append-only file"),
        (lambda store, x: store.abandon(x), "another 'chimera run --fresh' has taken the place"),
        (
            lambda store, x: store.set_problem(x, "no outcome can be read"),
            "no outcome can be read; the outcomes",
        ),
    ],
    ids=["lost", "begun anew", "no summary"],
)
def test_what_can_not_end_well_ends(
    follower: Follower, change: Callable[[Store, str], None], said: str
) -> None:
    change(follower.store, follower.x)
    with pytest.raises(SweepIncomplete, match=said):
        follower.follow()


def failing(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
    """Have the next readings of the progress fail."""
    real, left = Store.progress, list(errors)

    def progress(store: Store, execution: str) -> Any:
        if left:
            raise left.pop(0)
        return real(store, execution)

    monkeypatch.setattr(Store, "progress", progress)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (redis.ConnectionError("refused"), "Redis is away; waiting for it"),
        (redis.TimeoutError("late"), "Redis is away; waiting for it"),
        (OperationalError("refused"), "Redis is away; waiting for it"),
        (BrokerError("refused"), "Redis is away; waiting for it"),
        (redis.OutOfMemoryError("OOM"), "Redis has no memory left (maxmemory); waiting for it"),
    ],
    ids=["connection", "timeout", "kombu", "broker", "memory"],
)
def test_an_outage_is_said_once_and_waited_out(
    follower: Follower, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    failing(monkeypatch, error, error)
    rounds: list[int] = []

    def watch() -> None:
        rounds.append(1)
        if len(rounds) == 4:  # after one round in which all was well
            follower.store.set_finished(follower.x)

    assert follower.follow(watch).status == "finished"
    assert (follower.said.count(said), follower.said.count("Redis is back")) == (1, 1)


@pytest.mark.parametrize(
    "error", [redis.AuthenticationError("wrong password"), redis.ResponseError("unknown command")], ids=str
)
def test_a_mistake_that_stays_is_not_waited_for(
    follower: Follower, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failing(monkeypatch, error)
    with pytest.raises(type(error)):
        follower.follow()
