"""How a worker's processes are watched: logs, health, and metrics of a slot or, from the aggregator, of the cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery.signals import setup_logging, worker_process_init

from contracts import logs
from contracts.job import JobSpec
from contracts.metrics import MetricsServer, serve_store
from contracts.outcome import JobOutcome
from contracts.settings import WorkerSettings, broker_url
from worker.consuming import health
from worker.metrics import SlotMetrics, Told

log = logging.getLogger(__name__)

_told: Told | None = None


def log_by(settings: WorkerSettings | None) -> None:
    """Have Celery's processes log in the form that the environment asks for, their own lines and ours."""

    def set_up(loglevel: int | None = None, **_: Any) -> None:
        known: dict[str, Any] = {} if settings is None else {"slot": settings.slot, "pool": settings.pool}
        logs.setup(logs.form_given(), loglevel or "warning", url=broker_url(), **known)
        if settings is not None:
            logs.hide(settings.server)

    # weak=False: the signal would forget a function that nobody else holds.
    setup_logging.connect(set_up, weak=False, dispatch_uid="chimera.logs")


def serve(settings: WorkerSettings | None, port: int, address: str) -> MetricsServer:
    """Serve metrics and health from this process; call it before the pool's processes are forked, which then tell theirs.

    Args:
        settings: Of the slot; ``None``: the aggregator's, which are the cluster's.
        port: 0: any free one.
        address: To listen on.

    Raises:
        SetupError: The port can't be listened on.
    """
    global _told
    if settings is None:
        return serve_store(broker_url(), port, address, health.checks())
    metrics = SlotMetrics(settings)
    server = MetricsServer([metrics], port, address, health.checks())
    _told = Told()
    metrics.follow(_told)
    worker_process_init.connect(_nothing_runs, weak=False, dispatch_uid="chimera.metrics")
    return server


@contextmanager
def watched(spec: JobSpec, attempt: int) -> Iterator[Callable[[JobOutcome], None]]:
    """Say what is logged within is about this job, and that it holds the slot; call what is given when it is stored."""
    stored: list[JobOutcome] = []
    about = {
        "sweep": spec.sweep,
        "execution": spec.execution,
        "job_id": spec.job_id,
        "configuration": spec.configuration.name,
    }
    if _told is not None:
        _told.began()
    try:
        with logs.context(**about, attempt=attempt):
            log.info("begins: %s", spec.title)
            yield stored.append
            if stored:
                log.info("stored: %s", stored[0].why or "ok")
    finally:
        if _told is not None:
            _told.ended(stored[0] if stored else None)


def _nothing_runs(**_: Any) -> None:
    """A pool's process is new: the job of the one before died with it."""
    if _told is not None:
        _told.ended(None)
