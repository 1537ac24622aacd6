"""What lies in a queue and is no message, read by kombu from a real Redis: refused in a line, and the next one is read."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Connection, Consumer, Exchange, Queue
from kombu.exceptions import DecodeError

from contracts.celery_app import make_app
from contracts.store import Store
from tests.support.cluster import wait_for

QUEUE = "chimera.slot.s0"
BROADCAST = Exchange("broadcast", type="fanout")


class Reader:
    """Reads a queue, and a broadcast as remote control has it; fails as told at each message."""

    def __init__(self, app: Celery, connection: Connection) -> None:
        self.bodies: list[Any] = []
        self.refused: list[BaseException] = []
        self.error: Exception | None = None
        self.channel: Any = connection.default_channel
        self._connection = connection
        queues = [Queue(QUEUE), Queue("of-this-worker", BROADCAST, auto_delete=True)]
        self._consumer = Consumer(
            self.channel,
            queues,
            accept=app.conf.accept_content,
            callbacks=[self._take],
            on_decode_error=self._no,
        )
        self._consumer.consume()

    def _take(self, body: Any, message: Any) -> None:
        if self.error is not None:
            raise self.error
        self.bodies.append(body)
        message.ack()

    def _no(self, message: Any, error: BaseException) -> None:
        self.refused.append(error)
        message.ack()

    def until(self, count: int) -> None:
        """Read until so many messages came."""
        while len(self.bodies) + len(self.refused) < count:
            self._connection.drain_events(timeout=10)

    def look(self) -> bool:
        """Read what is there; return that it was looked."""
        with contextlib.suppress(TimeoutError):
            self._connection.drain_events(timeout=0.05)
        return True

    def next(self) -> None:
        self._connection.drain_events(timeout=10)


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url, max_deadline_s=60)


@pytest.fixture
def reader(app: Celery) -> Iterator[Reader]:
    with app.connection_for_read() as connection:
        yield Reader(app, connection)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.ERROR, logger="contracts.transport"):
        yield caplog


@pytest.fixture
def message(app: Celery, store: Store) -> dict[str, Any]:
    """A task's message as it lies in the queue."""
    app.send_task("test.job", args=(1,), queue=QUEUE)
    (text,) = store.client.lrange(QUEUE, 0, -1)
    store.client.delete(QUEUE)
    made: dict[str, Any] = json.loads(text)
    return made


def put(store: Store, *items: str | bytes) -> None:
    store.client.lpush(QUEUE, *items)  # the oldest is read first


@pytest.mark.parametrize(
    ("garbage", "why"),
    [
        ("no json", "a message was refused: no JSON"),
        (b"\xff\xfe", "a message was refused: no JSON"),
        ("[" * 100_000, "a message was refused: no JSON"),
        ("[]", "a message was refused: not an object"),
        ('{"body": "x"}', "a message was refused: no delivery tag"),
    ],
    ids=["text", "bytes", "deep", "list", "object"],
)
def test_garbage_is_dropped_and_the_next_message_is_read(
    app: Celery, reader: Reader, store: Store, log: pytest.LogCaptureFixture, garbage: str | bytes, why: str
) -> None:
    put(store, garbage)
    app.send_task("test.job", args=(1,), queue=QUEUE)
    reader.until(1)
    assert reader.bodies[0][0] == [1] and log.messages == [why]
    assert store.client.llen(QUEUE) == store.client.hlen("unacked") == 0


def test_a_task_without_the_form_of_one_is_refused_before_it_is_looked_at(
    reader: Reader, store: Store, message: dict[str, Any]
) -> None:
    """kombu hands this content type over as it is, though nothing accepts it."""
    plain = {"body": "cm0gLXJm", "content-type": "application/data", "content-encoding": "binary"}
    put(store, json.dumps(message | plain))
    reader.until(1)
    (error,) = reader.refused
    assert isinstance(error, DecodeError) and "has not the form of a task's" in str(error)


def test_an_answer_needs_no_form_of_a_task(reader: Reader, store: Store, message: dict[str, Any]) -> None:
    plain = {"body": "eA==", "content-type": "application/data", "content-encoding": "binary"}
    put(store, json.dumps(message | plain | {"headers": {}}))
    reader.until(1)
    assert reader.bodies == [b"x"]


def test_garbage_in_a_broadcast_is_dropped(
    app: Celery, reader: Reader, store: Store, log: pytest.LogCaptureFixture
) -> None:
    app.send_task("test.job", args=(1,), queue=QUEUE)
    reader.until(1)  # it listens
    topic = reader.channel._get_publish_topic("broadcast", "")
    assert store.client.publish(topic, "[" * 100_000) == 1
    wait_for(lambda: reader.look() and log.messages, what="it is read")
    app.send_task("test.job", args=(2,), queue=QUEUE)
    reader.until(2)
    assert reader.bodies[1][0] == [2] and log.messages == ["a message was refused: no JSON"]


def test_what_a_broadcast_makes_the_worker_fail_with_is_no_refusal(app: Celery, reader: Reader) -> None:
    app.send_task("test.job", args=(1,), queue=QUEUE)
    reader.until(1)  # it listens
    with app.connection_for_write() as connection:
        producer = connection.Producer(exchange=BROADCAST, serializer=app.conf.task_serializer)
        producer.publish([[2], {}, {}])
    reader.error = ValueError("a defect")
    with pytest.raises(ValueError, match="a defect"):
        reader.next()


def test_a_message_that_ends_the_worker_ends_no_other(app: Celery, reader: Reader, store: Store) -> None:
    app.send_task("test.job", queue=QUEUE)
    reader.error = ValueError("a defect, and none of the message's parsing")
    with pytest.raises(ValueError, match="a defect"):
        reader.next()
    assert store.client.llen(QUEUE) == store.client.hlen("unacked") == 0


def test_an_outage_of_redis_leaves_the_message_to_be_read_again(
    app: Celery, reader: Reader, store: Store
) -> None:
    app.send_task("test.job", queue=QUEUE)
    reader.error = redis.OutOfMemoryError("maxmemory")
    with pytest.raises(redis.OutOfMemoryError):
        reader.next()
    assert store.client.hlen("unacked") == 1
