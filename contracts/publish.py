"""Jobs → messages: one chord per configuration and publishing; the tasks that decide and that finish.

Both sides publish: the producer at the start, the aggregator each block that is decided later.
"""

from __future__ import annotations

from collections import Counter

from celery import Celery
from celery.canvas import Signature
from kombu.exceptions import OperationalError

from contracts.failures import BrokerError, SweepIncomplete
from contracts.job import JobSpec
from contracts.queues import (
    AGGREGATE,
    AGGREGATE_QUEUE,
    DECIDE,
    FINALISE,
    MEASURE,
    aggregate_task_id,
    chord_id,
    decide_task_id,
    finalise_task_id,
    job_task_id,
    pool_queue,
)
from contracts.store import Store

BATCH = 1000
"""Messages per Redis pipeline."""


class Dispatcher:
    """Publishes the tasks of one execution.

    All ids are derived (:mod:`contracts.queues`), so that a message that is sent again, because nobody
    can tell whether it arrived, is the same message. The generation is the store's newest, also where
    another producer has started it meanwhile.
    """

    def __init__(self, app: Celery, store: Store, execution: str) -> None:
        self._app = app
        self._store = store
        self._execution = execution

    def publish(self, jobs: list[JobSpec], *, block: int | None = None) -> None:
        """Set the size of every configuration's chord and publish the jobs, in their order.

        ``block``: the jobs are those of a block that was decided later, in chords of their own.

        Raises:
            BrokerError: Redis went away meanwhile; publishing again is safe.
        """
        generation = self._generation()
        sizes = Counter(job.configuration.id for job in jobs)
        try:
            for configuration_id, runs in sizes.items():
                self._app.backend.set_chord_size(
                    chord_id(self._execution, generation, configuration_id, block), runs
                )
            self._send(jobs, generation, block)
        except OperationalError as error:
            raise BrokerError(f"Redis went away while jobs were published: {error}") from None

    def send_again(self, job: JobSpec, *, block: int | None = None) -> None:
        """Publish one job of the newest generation once more; ``block`` as it was published."""
        self._send([job], self._generation(), block)

    def aggregate(self, job: JobSpec) -> None:
        """Publish the callback of the job's configuration by itself: all outcomes are in, its chord is not."""
        self._callback(job, chord_id(self._execution, self._generation(), job.configuration.id)).apply_async(
            args=([],)
        )

    def decide(self, block: int) -> None:
        """Publish the task that decides what a block holds, and publishes that."""
        self._app.send_task(
            DECIDE,
            args=[self._execution, block],
            task_id=decide_task_id(self._execution, self._generation(), block),
            queue=AGGREGATE_QUEUE,
            shadow=f"{self._execution} / block {block}",
        )

    def finalise(self) -> None:
        """Publish the task that writes the execution's summary and report."""
        self._app.send_task(
            FINALISE,
            args=[self._execution],
            task_id=finalise_task_id(self._execution),
            queue=AGGREGATE_QUEUE,
            shadow=f"{self._execution} / report",
        )

    def _send(self, jobs: list[JobSpec], generation: int, block: int | None) -> None:
        with self._app.producer_pool.acquire(block=True) as producer, producer.batch(BATCH):  # type: ignore[attr-defined]
            for index, job in enumerate(jobs):
                chord = chord_id(self._execution, generation, job.configuration.id, block)
                self._app.send_task(
                    MEASURE,
                    args=[job.model_dump(mode="json"), generation],
                    task_id=job_task_id(self._execution, generation, job.job_id),
                    queue=pool_queue(job.pool),
                    shadow=job.title,
                    argsrepr=f"('{job.job_id}',)",
                    group_id=chord,
                    group_index=index,
                    chord=self._callback(job, chord),  # type: ignore[arg-type]
                    producer=producer,
                )

    def _generation(self) -> int:
        generation = self._store.generation(self._execution)
        if generation is None:
            raise SweepIncomplete(f"the store no longer knows the execution {self._execution}")
        return generation

    def _callback(self, job: JobSpec, chord: str) -> Signature[object]:
        configuration_id = job.configuration.id
        return self._app.signature(
            AGGREGATE,
            args=[self._execution, configuration_id],
            task_id=aggregate_task_id(chord),
            queue=AGGREGATE_QUEUE,
            shadow=f"{job.configuration_title} / summary",
            argsrepr=f"('{configuration_id}',)",
        )
