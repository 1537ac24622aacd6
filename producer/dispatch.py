"""Jobs → messages: one chord per configuration over its runs, published in the plan's order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from celery import Celery
from celery.canvas import Signature
from kombu.exceptions import OperationalError

from contracts.failures import BrokerError
from contracts.job import JobSpec
from contracts.queues import (
    AGGREGATE,
    AGGREGATE_QUEUE,
    FINALISE,
    MEASURE,
    aggregate_task_id,
    chord_id,
    finalise_task_id,
    job_task_id,
    pool_queue,
)

BATCH = 1000
"""Messages per Redis pipeline."""


class Dispatcher:
    """Publishes the jobs of one generation of one execution.

    All ids are derived (:mod:`contracts.queues`), so that a message that is sent again, because nobody
    can tell whether it arrived, is the same message.
    """

    def __init__(self, app: Celery, execution: str, generation: int) -> None:
        self._app = app
        self._execution = execution
        self._generation = generation

    def publish(self, jobs: list[JobSpec]) -> None:
        """Set the size of every configuration's chord and publish its jobs.

        Raises:
            BrokerError: Redis went away meanwhile; publishing again is safe.
        """
        sizes = Counter(job.configuration.id for job in jobs)
        try:
            for configuration_id, runs in sizes.items():
                gid = chord_id(self._execution, self._generation, configuration_id)
                self._app.backend.set_chord_size(gid, runs)
            self.send(jobs)
        except OperationalError as error:
            raise BrokerError(f"Redis went away while jobs were published: {error}") from None

    def send(self, jobs: Iterable[JobSpec]) -> None:
        """Publish jobs whose chords have their sizes."""
        with self._app.producer_pool.acquire(block=True) as producer, producer.batch(BATCH):  # type: ignore[attr-defined]
            for index, job in enumerate(jobs):
                self._app.send_task(
                    MEASURE,
                    args=[job.model_dump(mode="json"), self._generation],
                    task_id=job_task_id(self._execution, self._generation, job.job_id),
                    queue=pool_queue(job.pool),
                    shadow=job.title,
                    argsrepr=f"('{job.job_id}',)",
                    group_id=chord_id(self._execution, self._generation, job.configuration.id),
                    group_index=index,
                    chord=self._callback(  # type: ignore[arg-type]
                        job.configuration.id, f"{job.sweep} / {job.configuration.name}"
                    ),
                    producer=producer,
                )

    def aggregate(self, configuration_id: str, title: str) -> None:
        """Publish a configuration's callback by itself: all its outcomes are in, its chord is not."""
        self._callback(configuration_id, title).apply_async(args=([],))

    def finalise(self) -> None:
        """Publish the finaliser."""
        self._app.send_task(
            FINALISE,
            args=[self._execution],
            task_id=finalise_task_id(self._execution),
            queue=AGGREGATE_QUEUE,
            shadow=f"{self._execution} / report",
        )

    def _callback(self, configuration_id: str, title: str) -> Signature[object]:
        return self._app.signature(
            AGGREGATE,
            args=[self._execution, configuration_id],
            task_id=aggregate_task_id(self._execution, self._generation, configuration_id),
            queue=AGGREGATE_QUEUE,
            shadow=f"{title} / summary",
            argsrepr=f"('{configuration_id}',)",
        )
