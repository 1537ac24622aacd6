"""Which queues a worker consumes, by Celery's real consumer on a real Redis: none while it is out, or while it stops."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from celery.worker import state

from contracts.celery_app import make_app
from contracts.store import Store
from tests.support.cluster import wait_for
from tests.support.embedded_worker import consuming
from worker import consuming as module
from worker.consuming import Consuming
from worker.health import MOST_BEATS, Health
from worker.stopping import Stopping

QUEUE = "chimera.slot.s0"


class Slot:
    """What the worker asks before it takes messages."""

    def __init__(self) -> None:
        self.out = False
        self.error: Exception | None = None

    def closed(self) -> bool:
        if self.error is not None:
            raise self.error
        return self.out


@pytest.fixture
def slot(monkeypatch: pytest.MonkeyPatch) -> Slot:
    """A worker's state of its own, looked at every 20 ms."""
    made = Slot()
    monkeypatch.setattr(module, "stopping", Stopping())
    monkeypatch.setattr(module, "health", Health(lambda: module.stopping.asked))
    monkeypatch.setattr(module, "closed_by", [lambda: module.stopping.asked, made.closed])
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    monkeypatch.setattr(state, "should_stop", None)
    return made


@pytest.fixture
def done() -> list[int]:
    """What the worker's tasks were given."""
    return []


@pytest.fixture
def app(redis_url: str, done: list[int]) -> Celery:
    made = make_app(redis_url, max_deadline_s=60)
    made.steps["consumer"].add(Consuming)

    @made.task(name="test.note", ignore_result=True, shared=False)
    def note(number: int) -> None:
        done.append(number)

    return made


@pytest.fixture
def consumer(app: Celery, slot: Slot) -> Iterator[Any]:
    with consuming(app, QUEUE) as running:
        yield running


def send(app: Celery, number: int) -> None:
    app.send_task("test.note", args=(number,), queue=QUEUE)


def takes(consumer: Any) -> bool:
    return bool(consumer.task_consumer.consuming_from(QUEUE))


def test_a_slot_that_is_out_leaves_its_messages_in_the_queue(
    app: Celery, slot: Slot, consumer: Any, done: list[int], store: Store
) -> None:
    send(app, 1)
    wait_for(lambda: done == [1], what="it works")
    slot.out = True
    wait_for(lambda: not takes(consumer), what="it takes no more")
    # An answer to a BRPOP that was under way may still bring one.
    channel = consumer.task_consumer.channel
    wait_for(lambda: not (channel.active_queues or channel._in_poll), what="nothing is under way")
    send(app, 2)
    assert store.client.llen(QUEUE) == 1 and done == [1]
    slot.out = False
    wait_for(lambda: done == [1, 2], what="it is back")


def test_a_slot_that_was_out_while_the_connection_broke_comes_back(
    app: Celery, slot: Slot, consumer: Any, done: list[int], store: Store
) -> None:
    slot.out = True
    wait_for(lambda: not takes(consumer), what="it takes no more")
    before = consumer.task_consumer
    store.client.client_kill_filter(_type="normal")
    wait_for(lambda: consumer.task_consumer not in (None, before), what="it has connected again")
    slot.out = False
    send(app, 1)
    wait_for(lambda: done == [1], what="it knows its queue still")


def test_a_look_that_fails_is_not_the_last(
    app: Celery, slot: Slot, consumer: Any, done: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="worker.consuming"):
        slot.error = ConnectionError("Redis is away")
        said = "queues not brought into line: Redis is away"
        wait_for(lambda: said in caplog.messages, what="the look fails")
    slot.error, slot.out = None, True
    wait_for(lambda: not takes(consumer), what="it looks again")


def test_a_consumer_that_looks_lives(slot: Slot, consumer: Any) -> None:
    for _ in range(MOST_BEATS):
        module.health.stored()
    wait_for(lambda: module.health.not_live() is None, what="it is told that the loop goes round")


def test_a_worker_that_was_asked_to_stop_ends_with_nothing_in_work(
    app: Celery, slot: Slot, consumer: Any, done: list[int], store: Store
) -> None:
    module.stopping.asked = True
    wait_for(lambda: state.should_stop == 0, what="it stops, with exit code 0")
    send(app, 1)
    assert done == [] and store.client.llen(QUEUE) == 1
    assert "stopping" in (module.health.not_ready() or "")
