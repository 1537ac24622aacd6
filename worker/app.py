"""Celery's entry point: ``celery -A worker.app worker``. Start it by ``chimera worker``."""

from __future__ import annotations

import os
from typing import Any

from celery.signals import worker_process_init, worker_ready, worker_shutdown

from contracts.celery_app import make_app
from contracts.processes import die_with_parent
from contracts.settings import DEFAULT_MAX_DEADLINE_S, broker_url, worker_settings
from contracts.store import Store, connect
from worker.slot import Registration
from worker.tasks import register

_settings = worker_settings()
_worker_pid = os.getpid()  # the pool's processes are forked later and inherit it
app = make_app(broker_url(), max_deadline_s=_settings.max_deadline_s if _settings else DEFAULT_MAX_DEADLINE_S)
register(app)

_registration: list[Registration] = []


@worker_ready.connect
def _announce(**_: Any) -> None:
    if _settings is not None:
        registration = Registration(_settings, Store(connect(broker_url())))
        registration.start()
        _registration.append(registration)


@worker_shutdown.connect
def _withdraw(**_: Any) -> None:
    while _registration:
        _registration.pop().stop()


@worker_process_init.connect
def _die_with_the_worker(**_: Any) -> None:
    # A pool process that outlived a killed worker would go on measuring beside the job's next delivery.
    die_with_parent(_worker_pid)
