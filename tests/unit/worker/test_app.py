"""Celery's entry point: what a slot's worker, and an aggregator, begin and end with, by Celery's own signals."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from celery import signals
from celery.worker import state

from contracts.breaker import Breaker
from contracts.celery_app import visibility_timeout_s
from contracts.queues import AGGREGATE, CALIBRATE, DECIDE, FINALISE, MEASURE, TAKE_PLOT
from contracts.settings import BROKER, WorkerSettings
from contracts.store import Store, lease_key
from tests.support.cluster import wait_for
from tests.support.present import present
from worker import claiming, consuming, probing
from worker.health import Health
from worker.stopping import SIGNALS, Stopping
from worker.visibility import VisibilityHeartbeat

SETTINGS = WorkerSettings("s0", "p", "http://127.0.0.1:1", None, 90.0)
USED: tuple[Any, ...] = (
    signals.task_received,
    signals.worker_ready,
    signals.worker_shutdown,
    signals.worker_process_init,
    signals.setup_logging,
)

Import = Callable[[WorkerSettings | None], ModuleType]


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Iterator[Import]:
    """Import the application as its process does; all that it changes in this one is put back."""
    for name in SETTINGS.environment():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(BROKER, redis_url)
    monkeypatch.delitem(sys.modules, "worker.app", raising=False)
    monkeypatch.setattr(consuming, "stopping", Stopping())
    monkeypatch.setattr(consuming, "health", Health(lambda: consuming.stopping.asked))
    monkeypatch.setattr(consuming, "closed_by", [])
    monkeypatch.setattr(state, "total_count", Counter())
    connected = [(used, list(used.receivers)) for used in USED]
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    level = logging.getLogger("httpx").level

    def do(settings: WorkerSettings | None) -> ModuleType:
        for name, value in ({} if settings is None else settings.environment()).items():
            monkeypatch.setenv(name, value)
        return importlib.import_module("worker.app")

    yield do
    signals.worker_shutdown.send(sender=None)
    sys.modules.pop("worker.app", None)
    logging.getLogger("httpx").setLevel(level)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for used, receivers in connected:
        used.receivers = receivers
        used.sender_receivers_cache.clear()


def test_an_aggregator_shows_that_it_lives_until_it_ends(imported: Import, store: Store) -> None:
    app = imported(None).app
    assert {MEASURE, TAKE_PLOT, CALIBRATE, AGGREGATE, DECIDE, FINALISE} <= set(app.tasks)
    assert {VisibilityHeartbeat, consuming.Consuming} <= set(app.steps["consumer"])
    assert not store.has_aggregator()
    signals.worker_ready.send(sender=None)
    wait_for(store.has_aggregator, what="it shows itself")
    wait_for(lambda: consuming.health.not_ready() is None, what="its probes are told")
    signals.worker_shutdown.send(sender=None)
    assert not store.has_aggregator()


def test_a_slot_shows_itself_and_takes_the_signals(imported: Import, store: Store) -> None:
    app = imported(SETTINGS).app
    options = app.conf.broker_transport_options
    assert options["visibility_timeout"] == visibility_timeout_s(SETTINGS.max_deadline_s)
    signals.worker_ready.send(sender=None)
    shown = wait_for(lambda: store.slot("s0"), what="it shows itself")
    assert (shown.pool, shown.max_deadline_s, shown.pid) == ("p", 90.0, os.getpid())
    assert signal.getsignal(signal.SIGTERM) == consuming.stopping._on_signal
    assert not store.has_aggregator()
    signals.worker_shutdown.send(sender=None)
    assert store.slot("s0") is None


def test_a_slot_whose_server_fails_consumes_nothing(
    imported: Import, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "LOOK_S", 0.01)
    now = datetime.now(UTC)
    breaker = Breaker(
        slot="s0", pool="p", state="open", failures=3, reason="refused", since=now, probe_at=now
    )
    imported(SETTINGS)
    signals.worker_ready.send(sender=None)
    assert not any(closed() for closed in consuming.closed_by)
    store.put_breaker(breaker)
    wait_for(lambda: any(closed() for closed in consuming.closed_by), what="it is out")


def test_what_a_killed_process_held_is_given_back(imported: Import, store: Store) -> None:
    imported(SETTINGS)
    signals.worker_ready.send(sender=None)
    store.client.set(lease_key("s0"), f"{claiming.WORKER}|x|j|token")
    assert consuming.stopping.hand_back() == ("x", "j")
    assert not store.leased("s0")


def test_jobs_are_counted_by_their_kind(imported: Import) -> None:
    imported(SETTINGS)
    state.total_count.update({"sweep / c1 / run 1": 1, "sweep / c1 / run 2": 2, FINALISE: 1})
    signals.task_received.send(sender=None)
    assert state.total_count == {"jobs": 3, FINALISE: 1}


def test_a_process_of_the_pool_dies_with_its_worker(
    imported: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    tied: list[int] = []
    module = imported(SETTINGS)
    monkeypatch.setattr(module, "die_with_parent", tied.append)
    try:
        signals.worker_process_init.send(sender=None)
        assert tied == [os.getpid()]
        assert gc.get_freeze_count() > 0, "what is there now is not collected between jobs"
    finally:
        gc.unfreeze()


def test_a_slot_without_its_server_says_so(imported: Import, store: Store) -> None:
    imported(SETTINGS)
    signals.worker_ready.send(sender=None)
    shown = wait_for(lambda: store.slot("s0"), what="it shows itself")
    assert "127.0.0.1:1" in present(shown.problem)
