"""Keeps the messages that this worker works on invisible to others for as long as it lives.

Redis hands a message out again when it is older than the visibility timeout of *any* consumer on the
broker, so a timeout that fits one pool's jobs could repeat another's. This renews the age of what is
in work here, well within the shortest timeout there can be.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import bootsteps

BEAT_S = 10.0
"""A sixth of :func:`contracts.celery_app.visibility_timeout_s`'s minimum."""

log = logging.getLogger(__name__)


class VisibilityHeartbeat(bootsteps.StartStopStep):
    """Celery consumer step: ``ZADD XX`` of the delivered tags every ``BEAT_S``."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **_: Any) -> None:
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        self._timer = consumer.timer.call_repeatedly(BEAT_S, _renew, (consumer,))

    def stop(self, consumer: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _renew(consumer: Any) -> None:
    try:
        channel = consumer.task_consumer.channel
        tags = list(channel.qos._delivered)
        if tags:
            now = time.time()
            with channel.conn_or_acquire() as client:
                client.zadd(channel.unacked_index_key, dict.fromkeys(tags, now), xx=True)
    except Exception as error:  # Redis is away, or the channel is being made anew: the next beat tries again
        log.debug("visibility not renewed: %s", error)
