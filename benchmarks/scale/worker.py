"""A worker or aggregator as it is, but for the measuring: that returns at once. It notes what it does, and when.

``python -m benchmarks.scale.worker`` takes the arguments of ``python -m worker``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

import worker.delivery
from benchmarks.scale.events import note
from benchmarks.scale.names import AFTER, PLAIN
from benchmarks.scale.work import outcome_of
from contracts.job import JobSpec
from contracts.outcome import JobOutcome
from contracts.queues import AGGREGATE, AGGREGATE_QUEUE, FINALISE
from contracts.store.summaries import Summaries
from worker.job import Started


def main() -> None:
    """Be the worker."""
    worker.delivery.measure = _measure  # type: ignore[attr-defined]
    _register_plain()
    _note_tasks()
    _note_callback_sizes()
    _note_documents()
    from worker.__main__ import main as be_worker

    be_worker(sys.argv[1:])


def _measure(spec: JobSpec, started: Started, *_: Any, **__: Any) -> JobOutcome:
    begin = time.perf_counter_ns()
    outcome = outcome_of(spec, started)
    note("job", slot=started.settings.slot, begin=begin, end=time.perf_counter_ns())
    return outcome


def _register_plain() -> None:
    from celery import shared_task

    from contracts.settings import worker_settings

    @shared_task(name=PLAIN)
    def plain(number: int) -> dict[str, Any]:
        settings, now = worker_settings(), time.perf_counter_ns()
        note("job", slot=settings.slot if settings else "", begin=now, end=now)
        return {"job_id": f"{number:016x}", "failed": False}

    @shared_task(name=AFTER)
    def after(receipts: list[Any]) -> int:
        return len(receipts)


def _note_tasks() -> None:
    from celery.signals import task_postrun, task_prerun

    begun: dict[str, int] = {}

    def prerun(task_id: str, task: Any, **_: Any) -> None:
        begun[task_id] = time.perf_counter_ns()

    def postrun(task_id: str, task: Any, **_: Any) -> None:
        begin = begun.pop(task_id)
        if task.name in (AGGREGATE, FINALISE, AFTER):
            note("task", name=task.name, begin=begin, end=time.perf_counter_ns())

    task_prerun.connect(prerun, weak=False)
    task_postrun.connect(postrun, weak=False)


def _note_callback_sizes() -> None:
    """Note the size of each message that goes to the aggregator, as Redis gets it, bytes."""
    from kombu.transport.redis import Channel
    from kombu.utils.json import dumps

    put = Channel._put

    def noting(self: Any, queue: str, message: Any, **options: Any) -> Any:
        if queue == AGGREGATE_QUEUE:
            note("callback", bytes=len(dumps(message)))
        return put(self, queue, message, **options)

    Channel._put = noting  # type: ignore[method-assign]


def _note_documents() -> None:
    put = Summaries.put_document

    def noting(self: Summaries, execution: str, name: str, parts: Iterable[str]) -> None:
        put(self, execution, name, parts)
        note("document", name=name, end=time.perf_counter_ns())

    Summaries.put_document = noting  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
