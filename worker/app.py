"""Celery's entry point: ``celery -A worker.app worker``. Start it by ``chimera worker``."""

from __future__ import annotations

import gc
import logging
import os
from typing import Any

from celery.signals import task_received, worker_process_init, worker_ready, worker_shutdown
from celery.worker import state

from contracts.celery_app import make_app
from contracts.processes import die_with_parent
from contracts.redis_client import connect
from contracts.settings import DEFAULT_MAX_DEADLINE_S, broker_url, worker_settings
from contracts.store import Store
from worker.background import Background
from worker.claiming import claiming_of
from worker.consuming import Consuming, closed_by, health, stopping
from worker.health import Noted
from worker.heartbeat import Heartbeat
from worker.probing import Prober
from worker.slot import AggregatorSign, SlotSign
from worker.stewards import Stewards
from worker.tasks import register
from worker.visibility import VisibilityHeartbeat
from worker.watched import log_by

_settings = worker_settings()
_worker_pid = os.getpid()  # the pool's processes are forked later and inherit it
app = make_app(broker_url(), max_deadline_s=_settings.max_deadline_s if _settings else DEFAULT_MAX_DEADLINE_S)
register(app)
log_by(_settings)

if _settings is None:
    # Before the pool's processes are forked, which share it: the first summary would wait a second for it. No slot needs it.
    import analysis.statistics.intervals  # noqa: F401
    import worker.aggregation  # noqa: F401

app.steps["consumer"].add(VisibilityHeartbeat)
app.steps["consumer"].add(Consuming)
logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request drowns the rest
_beside: list[Background] = []


@task_received.connect
def _count_by_kind(**_: Any) -> None:
    """Jobs have names of their own, and Celery counts tasks by name: for ever, and Flower asks for all counts."""
    for name in [name for name in state.total_count if " / " in name]:
        state.total_count["jobs"] += state.total_count.pop(name)


@worker_ready.connect
def _announce(**_: Any) -> None:
    store = Store(connect(broker_url()))
    sign = AggregatorSign(store) if _settings is None else SlotSign(_settings, store)
    _beside.append(Heartbeat(Noted(sign, health)))
    if _settings is None:
        _beside.append(Stewards(app, Store(connect(broker_url()))))
        from worker.ahead import WorkAhead

        _beside.append(WorkAhead(Store(connect(broker_url()))))
    else:
        prober, slot = Prober(_settings, Store(connect(broker_url()))), _settings.slot
        closed_by.append(lambda: prober.is_out)
        _beside.append(prober)
        # Once more over some tenths of a second, and no longer: the grace period is over then.
        quick = Store(connect(broker_url(), retries=2))
        stopping.hand_back = lambda: claiming_of(quick).hand_back(slot)
    stopping.install()
    for thread in _beside:
        thread.start()


@worker_shutdown.connect
def _withdraw(**_: Any) -> None:
    while _beside:
        _beside.pop().stop()


@worker_process_init.connect
def _die_with_the_worker(**_: Any) -> None:
    # A pool process that outlived a killed worker would go on measuring beside the job's next delivery.
    die_with_parent(_worker_pid)
    # What is there now stays: the collector needs not look at it between two jobs, which takes some 10 ms.
    gc.collect()
    gc.freeze()
