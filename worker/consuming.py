"""Whether this worker takes messages: not while its slot is out, and not while it stops."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import bootsteps

from worker.health import Health
from worker.stopping import Stopping

LOOK_S = 1.0
STOPPING_LOOK_S = 0.05

log = logging.getLogger(__name__)

stopping = Stopping()
"""Of this process."""
health = Health(lambda: stopping.asked)
"""Of this process."""
closed_by: list[Callable[[], bool]] = [lambda: stopping.asked]
"""While any of them says so, nothing is consumed."""


class Consuming(bootsteps.StartStopStep):
    """Celery consumer step: brings the consumed queues into line with ``closed_by``, once a second."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **_: Any) -> None:
        self._queues: tuple[str, ...] = ()
        self._timers: list[Any] = []

    def start(self, consumer: Any) -> None:
        if not self._queues:  # a cancelled queue is no longer among them after a reconnect
            self._queues = tuple(consumer.app.amqp.queues.consume_from)
        self._timers = [consumer.timer.call_repeatedly(LOOK_S, self._look, (consumer,))]
        self._look(consumer)

    def stop(self, consumer: Any) -> None:
        while self._timers:
            self._timers.pop().cancel()

    def _look(self, consumer: Any) -> None:
        health.turned()
        try:
            self._line_up(consumer, open_=not any(closed() for closed in closed_by))
        except (
            Exception
        ) as error:  # Redis is away, or the channel is being made anew: the next look tries again
            log.debug("queues not brought into line: %s", error)
        if not stopping.asked:
            return
        if len(self._timers) == 1:
            self._timers.append(consumer.timer.call_repeatedly(STOPPING_LOOK_S, self._look, (consumer,)))
        stopping.go_on(consumer)

    def _line_up(self, consumer: Any, *, open_: bool) -> None:
        for queue in self._queues:
            if open_ and not consumer.task_consumer.consuming_from(queue):
                consumer.add_task_queue(queue)
            elif not open_ and consumer.task_consumer.consuming_from(queue):
                consumer.cancel_task_queue(queue)
