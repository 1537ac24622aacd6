"""Threads beside the consumer: they begin, go on after an error, and end when they are told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
import redis

from tests.support.cluster import wait_for
from worker import heartbeat
from worker.heartbeat import Heartbeat


class Sign:
    """Counts how often it was shown; fails as told."""

    def __init__(self) -> None:
        self.shown = 0
        self.withdrawn = 0
        self.error: Exception | None = None

    def show(self) -> None:
        if self.error is not None:
            raise self.error
        self.shown += 1

    def withdraw(self) -> None:
        if self.error is not None:
            raise self.error
        self.withdrawn += 1


@pytest.fixture
def sign(monkeypatch: pytest.MonkeyPatch) -> Sign:
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.01)
    return Sign()


@pytest.fixture
def beating(sign: Sign) -> Iterator[Heartbeat]:
    made = Heartbeat(sign)
    made.start()
    yield made
    sign.error = None
    made.stop()


def test_it_is_shown_until_it_is_withdrawn(beating: Heartbeat, sign: Sign) -> None:
    wait_for(lambda: sign.shown >= 3, what="it beats")
    beating.stop()
    shown = sign.shown
    assert sign.withdrawn == 1
    assert "heartbeat" not in {thread.name for thread in threading.enumerate() if thread.is_alive()}
    assert sign.shown == shown


@pytest.mark.parametrize(
    "error", [redis.ConnectionError("refused"), ZeroDivisionError("refused")], ids=lambda e: type(e).__name__
)
def test_a_beat_that_fails_is_told_and_not_the_last(
    beating: Heartbeat, sign: Sign, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    with caplog.at_level(logging.WARNING, logger="worker.heartbeat"):
        sign.error = error
        wait_for(lambda: "the worker can't tell that it lives: refused" in caplog.messages, what="it is told")
    before, sign.error = sign.shown, None
    wait_for(lambda: sign.shown > before, what="it goes on")


def test_a_worker_ends_also_where_redis_is_away(beating: Heartbeat, sign: Sign) -> None:
    sign.error = redis.ConnectionError("refused")
    beating.stop()
    assert sign.withdrawn == 0, "it expires by itself"
