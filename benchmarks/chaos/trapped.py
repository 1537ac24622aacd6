"""``python -m benchmarks.chaos.trapped FOLDER PACKAGE ARGUMENTS…``: a part of Chimera that dies at a given point of its way.

A point is armed by a file of its name in FOLDER. Who takes the file away kills itself with SIGKILL: with the worker
above it where the file says ``worker``, else alone. A job is struck once: the file ``struck`` names those that were.
The files ``deliveries`` and ``attempts`` name the job of every delivery, and of every measurement that began.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery.signals import task_postrun, task_prerun
from redis.connection import AbstractConnection

from contracts.job import JobSpec
from contracts.outcome import JobOutcome
from contracts.queues import AGGREGATE, MEASURE
from contracts.store import Store

if TYPE_CHECKING:
    from worker.claiming import Taken

MEASURE_POINTS = ("delivered", "started", "measured", "stored", "returned")
"""A job on its way: before anything, counted as an attempt, measured, in the store, counted into its chord."""
AGGREGATE_POINTS = ("called-back", "summarised", "counted", "finishing", "finished")
"""The aggregator: before a configuration's callback, before and after its summary is stored, before and after the
execution is marked as finished."""
PUBLISH_POINT = "publishing"
"""The producer: half of the bytes of a pipeline that publishes jobs are written."""

POISON = "poison"
"""The job that is measured next kills its process each time; its id is then in the file ``poisoned``."""

DELIVERIES, ATTEMPTS = "deliveries", "attempts"
"""Files of job ids: of every delivery, and of every measurement that began."""
VISIBILITY = "CHIMERA_CHAOS_VISIBILITY_S"
"""Environment variable: a visibility timeout, s, in place of the one that is derived from the longest job."""


def main() -> None:
    """Set the traps, then be what was asked for."""
    folder, package, *arguments = sys.argv[1:]
    traps = Traps(Path(folder))
    if package == "worker":
        _trap_worker(traps)
        _shorten_visibility()
        from worker.__main__ import main as worker

        worker(arguments)
    else:
        _trap_publishing(traps)
        from producer.cli import main as producer

        sys.argv[1:] = arguments
        producer()


class Traps:
    """The armed points of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def armed(self, point: str) -> bool:
        return (self._folder / point).exists()

    def strike(self, point: str, victim: str | None = None) -> None:
        """Die here if the point is armed and ``victim``, a job's id, was not struck before."""
        if not self.armed(point) or (victim is not None and victim in self._struck()):
            return
        whole = (self._folder / point).read_text().strip() == "worker"
        try:
            (self._folder / point).unlink()
        except FileNotFoundError:
            return  # another process took it
        if victim is not None:
            with (self._folder / "struck").open("a") as file:
                file.write(victim + "\n")
        if whole:
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def poison(self, job_id: str) -> None:
        """Die here if the job is poison; the first one after the trap was set becomes it."""
        poisoned = self._folder / "poisoned"
        with contextlib.suppress(FileNotFoundError):
            (self._folder / POISON).unlink()
            with poisoned.open("a") as file:
                file.write(job_id + "\n")
        if poisoned.exists() and job_id in poisoned.read_text().split():
            os.kill(os.getpid(), signal.SIGKILL)

    def note(self, what: str, job_id: str) -> None:
        """Add the job to one of the two files."""
        with (self._folder / what).open("a") as file:
            file.write(job_id + "\n")

    def _struck(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / "struck").read_text().split()
        return []


def _trap_worker(traps: Traps) -> None:
    @task_prerun.connect(weak=False)
    def _before(task_id: str, task: Any, **_: Any) -> None:
        if task.name == MEASURE:
            job_id = task_id.rpartition(".")[2]
            traps.note(DELIVERIES, job_id)
            traps.strike("delivered", job_id)
        elif task.name == AGGREGATE:
            traps.strike("called-back")

    @task_postrun.connect(weak=False)
    def _after(task_id: str, task: Any, **_: Any) -> None:
        if task.name == MEASURE:
            traps.strike("returned", task_id.rpartition(".")[2])

    def started(taken: Taken, spec: JobSpec, *_: Any) -> None:
        if taken.verdict == "taken":
            traps.strike("started", spec.job_id)

    delivery: Any = importlib.import_module("worker.delivery")
    measure = delivery.measure

    def poisonous(spec: JobSpec, started: Any) -> JobOutcome:
        traps.note(ATTEMPTS, spec.job_id)
        traps.poison(spec.job_id)
        outcome: JobOutcome = measure(spec, started)
        return outcome

    delivery.measure = poisonous
    from worker.claiming import Claiming

    _wrap(Claiming, "take", after=started)
    _wrap(
        Claiming,
        "store",
        before=lambda outcome, *_: traps.strike("measured", outcome.job_id),
        after=lambda _, outcome, *__: traps.strike("stored", outcome.job_id),
    )
    _wrap(
        Store,
        "put_summary",
        before=lambda *_, **__: traps.strike("summarised"),
        after=lambda *_, **__: traps.strike("counted"),
    )
    _wrap(
        Store,
        "set_finished",
        before=lambda *_: traps.strike("finishing"),
        after=lambda *_: traps.strike("finished"),
    )


def _wrap(
    owner: Any,
    name: str,
    *,
    before: Callable[..., None] | None = None,
    after: Callable[..., None] | None = None,
) -> None:
    """Have ``before`` called with the method's arguments, and ``after`` with what it returned and with them."""
    original = getattr(owner, name)

    def wrapped(self: Any, *arguments: Any, **keywords: Any) -> Any:
        if before is not None:
            before(*arguments, **keywords)
        value = original(self, *arguments, **keywords)
        if after is not None:
            after(value, *arguments, **keywords)
        return value

    setattr(owner, name, wrapped)


def _trap_publishing(traps: Traps) -> None:
    connection: Any = AbstractConnection
    original = connection.send_packed_command

    def torn(self: Any, command: Any, check_health: bool = True) -> None:
        chunks = [command] if isinstance(command, bytes | str) else list(command)
        whole = b"".join(chunk.encode() if isinstance(chunk, str) else chunk for chunk in chunks)
        if traps.armed(PUBLISH_POINT) and b"LPUSH" in whole and b"chimera." in whole:
            original(self, [whole[: len(whole) // 2]], check_health)
            traps.strike(PUBLISH_POINT)
        original(self, chunks, check_health)

    connection.send_packed_command = torn


def _shorten_visibility() -> None:
    seconds = os.environ.get(VISIBILITY)
    if seconds:
        from contracts import celery_app

        celery_app.visibility_timeout_s = lambda max_deadline_s: int(seconds)


if __name__ == "__main__":
    main()
