"""Celery's worker in a thread of the test's process: its real consumer, on a real Redis, without a pool of processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.signals import setup_logging
from kombu import Queue


@contextmanager
def consuming(app: Celery, queue: str) -> Iterator[Any]:
    """Run a worker that consumes ``queue``; return its consumer."""
    setup_logging.connect(_leave, weak=False)
    try:
        with start_worker(app, pool="solo", perform_ping_check=False, queues=[queue]) as worker:
            yield vars(worker)["consumer"]
    finally:
        setup_logging.disconnect(_leave)


@contextmanager
def taken(app: Celery, queue: str) -> Iterator[Any]:
    """Take the next message of ``queue`` and give the connection, with the message in work, to whoever needs its channel."""
    with app.connection_for_read() as connection:
        message = Queue(queue, channel=connection.default_channel).get(accept=app.conf.accept_content)
        assert message is not None
        yield message


def _leave(**_: Any) -> None:
    """Set up no logging: pytest did."""
