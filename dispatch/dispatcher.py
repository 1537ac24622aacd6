"""Jobs → messages: one chord per configuration and publishing; the tasks that decide and that finish.

Both sides publish: the producer, and the aggregator each block that is decided later and what a dead producer left.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import redis
from celery import Celery
from celery.canvas import Signature
from kombu.exceptions import KombuError

from contracts.failures import BrokerError, SweepIncomplete
from contracts.jobs import JobMaker
from contracts.plots import Planned, Unit, plot_of
from contracts.queues import (
    AGGREGATE,
    AGGREGATE_QUEUE,
    DECIDE,
    FINALISE,
    MEASURE,
    TAKE_PLOT,
    aggregate_task_id,
    chord_id,
    decide_task_id,
    finalise_task_id,
    job_task_id,
    message_priority,
    pool_queue,
    slot_queue,
    ticket_task_id,
    unit_queue,
)
from contracts.store import Store

BATCH = 1000
"""Messages per Redis pipeline."""

NamedUnit = tuple[str, Unit]
"""A unit with its name: that of its queue, where it has one."""

_ORIGIN = socket.gethostname()


class Dispatcher:
    """Publishes the tasks of one execution.

    All ids are derived (:mod:`contracts.queues`), so that a message that is sent again, because nobody
    can tell whether it arrived, is the same message. The generation is the store's newest, also where
    another producer has started it meanwhile.

    Raises:
        BrokerError: from every method, where Redis went away meanwhile; doing it again is safe.
    """

    def __init__(self, app: Celery, store: Store, maker: JobMaker) -> None:
        self._app = app
        self._store = store
        self._maker = maker
        self._execution = maker.execution
        self._fixed_slots = maker.fixed_slots
        self._priority = message_priority(maker.spec.priority)
        self._places = {c.id: place for place, c in enumerate(maker.configurations)}
        plots = dict.fromkeys(plot_of(c) for c in maker.configurations)
        self._plot_places = {plot: place for place, plot in enumerate(plots)}
        self._callback = lru_cache(maxsize=10_000)(self._make_callback)

    # --- jobs -------------------------------------------------------------------------------

    def expect(self, sizes: Mapping[str, int], *, block: int | None = None) -> None:
        """Set the size of the configurations' chords: configuration id → jobs that will be published.

        ``block``: of the jobs of a block that was decided later, which are in chords of their own.
        """
        generation = self._generation()
        with _redis_is_there():
            for configuration_id, jobs in sizes.items():
                chord = chord_id(self._execution, generation, configuration_id, block)
                self._app.backend.set_chord_size(chord, jobs)

    def publish(self, units: Iterable[NamedUnit], *, block: int | None = None) -> None:
        """Publish units.

        A job by itself goes into the pool's queue. A unit of several goes into a queue of its own, and a ticket for
        it into the pool's: the slot that takes the ticket takes them all. With fixed slots each job goes to its slot.

        ``block``: they are of a block that was decided later, which has chords of its own.
        """
        generation = self._generation()
        with self._batch() as producer:
            for name, unit in units:
                if not unit.jobs:
                    continue
                queue = self._queue_of(name, unit)
                for job in unit.jobs:
                    self._send_job(producer, job, queue, generation, block)
                if queue == name:
                    self._send_ticket(producer, name, unit.plot, generation)

    def named(self, units: Iterable[Unit], *, block: int | None = None) -> Iterator[NamedUnit]:
        """Yield units with their names, which are those of their queues; ``block`` as in :meth:`publish`."""
        generation = self._generation()
        for number, unit in enumerate(units):
            yield unit_queue(self._execution, generation, number, block), unit

    def publish_block(self, block: int, units: list[Unit]) -> None:
        """Publish the units of a block that was decided later, with chords of their own."""
        self.expect(Counter(job.configuration.id for unit in units for job in unit.jobs), block=block)
        self.publish(self.named(units, block=block), block=block)

    def send_again(self, jobs: Iterable[Planned], *, known_block: int, elsewhere: bool = False) -> None:
        """Publish jobs of the newest generation once more, each by itself, into the pool's queue.

        ``known_block``: jobs of later blocks are in the chords of their blocks. ``elsewhere``: jobs with a fixed slot
        go to the pool as well.
        """
        generation = self._generation()
        with self._batch() as producer:
            for job in jobs:
                fixed = self._fixed_slots and not elsewhere
                queue = slot_queue(self._fixed_slot(job)) if fixed else pool_queue(self._maker.spec.pool)
                block = job.block if job.block > known_block else None
                self._send_job(producer, job, queue, generation, block)

    def ticket(self, unit: str, title: str) -> None:
        """Publish a ticket for the jobs that are in a unit's queue."""
        with self._batch() as producer:
            self._send_ticket(producer, unit, title, self._generation())

    # --- what comes after jobs --------------------------------------------------------------

    def aggregate(self, configuration_id: str) -> None:
        """Publish a configuration's callback by itself: all outcomes are in, its chord is not."""
        chord = chord_id(self._execution, self._generation(), configuration_id)
        with _redis_is_there():
            self._callback(chord, configuration_id).apply_async(args=([],))

    def decide(self, block: int) -> None:
        """Publish the task that decides what a block holds, and publishes that."""
        with _redis_is_there():
            self._app.send_task(
                DECIDE,
                args=["decide", self._execution, block],
                task_id=decide_task_id(self._execution, self._generation(), block),
                queue=AGGREGATE_QUEUE,
                shadow=f"{self._execution} / block {block}",
            )

    def finalise(self) -> None:
        """Publish the task that writes the execution's summary and report."""
        with _redis_is_there():
            self._app.send_task(
                FINALISE,
                args=["finalise", self._execution],
                task_id=finalise_task_id(self._execution),
                queue=AGGREGATE_QUEUE,
                shadow=f"{self._execution} / report",
            )

    # --- messages ---------------------------------------------------------------------------

    def _queue_of(self, name: str, unit: Unit) -> str:
        if self._fixed_slots:
            return slot_queue(self._fixed_slot(unit.jobs[0]))
        if len(unit.jobs) == 1:
            return pool_queue(self._maker.spec.pool)
        return name

    def _fixed_slot(self, job: Planned) -> str:
        """Return the job's slot: with each run a configuration moves on by one, with each load a plot."""
        if job.load is None:
            turn = self._places[job.configuration.id] + job.run
        else:
            turn = self._plot_places[plot_of(job.configuration)] + job.load
        return self._fixed_slots[turn % len(self._fixed_slots)]

    def _send_job(self, producer: Any, job: Planned, queue: str, generation: int, block: int | None) -> None:
        configuration, job_id = job.configuration, self._maker.job_id(job)
        chord = chord_id(self._execution, generation, configuration.id, block)
        arguments = [
            *("measure", self._execution, generation),
            *(configuration.id, job.run, job.block, job.load, job_id),
        ]
        self._send(
            producer,
            MEASURE,
            arguments,
            queue,
            task_id=job_task_id(self._execution, generation, job_id),
            shadow=f"{self._maker.spec.name} / {configuration.name} / run {job.run}",
            argsrepr=f"('{job_id}',)",
            ignore_result=True,
            group_id=chord,
            group_index=job.run,
            chord=self._callback(chord, configuration.id),
        )

    def _send_ticket(self, producer: Any, unit: str, title: str | None, generation: int) -> None:
        self._send(
            producer,
            TAKE_PLOT,
            ["take_plot", self._execution, generation, unit],
            pool_queue(self._maker.spec.pool),
            task_id=ticket_task_id(unit),
            shadow=f"{self._maker.spec.name} / {title or 'jobs of another slot'}",
            argsrepr=f"('{unit}',)",
            ignore_result=True,
        )

    def _send(self, producer: Any, task: str, arguments: list[Any], queue: str, **options: Any) -> None:
        # As Celery's send_task does, without what that does besides for each task: an event that it was sent, a
        # subscription to its result, a declaration of the queue. These take several times as long.
        task_id = options.pop("task_id")
        headers, properties, body, _ = self._app.amqp.as_task_v2(
            task_id, task, args=tuple(arguments), kwargs={}, root_id=task_id, origin=_ORIGIN, **options
        )
        producer.publish(
            body,
            exchange="",
            routing_key=queue,
            serializer=self._app.conf.task_serializer,
            headers=headers,
            priority=self._priority,
            delivery_mode=2,
            retry=False,
            **properties,
        )

    @contextmanager
    def _batch(self) -> Iterator[Any]:
        with (
            _redis_is_there(),
            self._app.producer_pool.acquire(block=True) as producer,
            producer.batch(BATCH),  # type: ignore[attr-defined]
        ):
            yield producer

    def _generation(self) -> int:
        generation = self._store.generation(self._execution)
        if generation is None:
            raise SweepIncomplete(f"the store no longer knows the execution {self._execution}")
        return generation

    def _make_callback(self, chord: str, configuration_id: str) -> Signature[object]:
        configuration = self._maker.configuration(configuration_id)
        name = configuration_id if configuration is None else configuration.name
        return self._app.signature(
            AGGREGATE,
            args=["aggregate", self._execution, configuration_id],
            task_id=aggregate_task_id(chord),
            queue=AGGREGATE_QUEUE,
            shadow=f"{self._maker.spec.name} / {name} / summary",
            argsrepr=f"('{configuration_id}',)",
        )


@contextmanager
def _redis_is_there() -> Iterator[None]:
    try:
        yield
    except (KombuError, redis.ConnectionError, redis.TimeoutError) as error:
        raise BrokerError(f"Redis went away while messages were published: {error}") from None
