"""What a worker has in work stays invisible to others: its age is renewed in a real Redis, by kombu's own channel."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kombu.asynchronous.timer import Timer

from contracts.celery_app import make_app, visibility_timeout_s
from contracts.store import Store
from tests.support.embedded_worker import taken
from worker import visibility
from worker.visibility import BEAT_S, VisibilityHeartbeat

QUEUE, INDEX = "chimera.slot.s0", "unacked_index"


@pytest.fixture
def message(redis_url: str) -> Iterator[Any]:
    """One that is in work, and was taken long ago."""
    app = make_app(redis_url, max_deadline_s=60)
    app.send_task("test.job", queue=QUEUE)
    with taken(app, QUEUE) as found:
        yield found


@pytest.fixture
def consumer(message: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(visibility, "BEAT_S", 1e-6)  # kombu's timer does nothing before it is time
    return SimpleNamespace(timer=Timer(), task_consumer=SimpleNamespace(channel=message.channel))


def beat(consumer: Any) -> None:
    """Do what is due in the consumer's timer."""
    (entry,) = [entry for entry in consumer.timer.queue if not entry.entry.canceled]
    consumer.timer.clear()  # the entry puts itself there again
    entry.entry()


def ages(store: Store) -> dict[str, float]:
    found: Any = store.client.zrange(INDEX, 0, -1, withscores=True)
    return {tag: time.time() - score for tag, score in found}


def test_a_beat_comes_well_within_the_shortest_timeout() -> None:
    assert visibility_timeout_s(0) > 3 * BEAT_S


def test_what_is_in_work_is_as_new_with_each_beat(consumer: Any, message: Any, store: Store) -> None:
    VisibilityHeartbeat(consumer).start(consumer)
    (tag,) = ages(store)
    store.client.zadd(INDEX, {tag: 0.0, "another worker's": 0.0})
    beat(consumer)
    found = ages(store)
    assert found[tag] < 60 < found["another worker's"]


def test_what_is_done_is_not_put_back(consumer: Any, message: Any, store: Store) -> None:
    VisibilityHeartbeat(consumer).start(consumer)
    store.client.delete(INDEX)  # another gave it back just now
    beat(consumer)
    assert ages(store) == {}
    message.ack()
    beat(consumer)
    assert ages(store) == {}


def test_a_beat_without_redis_is_not_the_last(
    consumer: Any, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> Any:
        raise ConnectionError("refused")

    VisibilityHeartbeat(consumer).start(consumer)
    (tag,) = ages(store)
    store.client.zadd(INDEX, {tag: 0.0})
    with monkeypatch.context() as patched, caplog.at_level(logging.DEBUG, logger="worker.visibility"):
        patched.setattr(consumer.task_consumer.channel, "conn_or_acquire", away)
        beat(consumer)
    assert "visibility not renewed: refused" in caplog.messages
    beat(consumer)
    assert ages(store)[tag] < 60


def test_a_stopped_one_beats_no_more(consumer: Any) -> None:
    step = VisibilityHeartbeat(consumer)
    step.stop(consumer)  # it never began
    step.start(consumer)
    step.stop(consumer)
    assert all(entry.entry.canceled for entry in consumer.timer.queue)
