"""Read by Flower itself (``--conf``): closes what Flower leaves open beside a password, and shows what it misses.

With basic authentication Flower asks for it on every page but ``/metrics``, which names sweeps, models and slots.
``/healthcheck`` stays open: it says ``OK`` and nothing else.

Flower asks workers for their queues when it starts, or when a worker's page is opened: here also whenever queues are
shown, so that a reload shows those of workers that came later.

The list of workers has no place for more than Flower knows, but a text in the column of the load average is shown
as it is (escaped): there stands, while a slot's circuit breaker is not closed, that it is out, and why.

To Celery a failed measurement is a success, and a job that a worker gave back to its queue goes on. Flower is told
of a failure and of a retry, so that its counters, filters and states are those of jobs.

Flower makes time series of each name of a task. Here each job has a name of its own, so the label is the kind of task.

What Flower keeps in a file is for its user alone.

Where Redis is gone, as the embedded one after its sweep, Flower ends all the same when it is told to.
"""

import os
from ast import literal_eval
from contextlib import suppress
from typing import Any

import redis
from flower.app import Flower  # type: ignore[import-untyped]
from flower.events import EventsState, PrometheusMetrics  # type: ignore[import-untyped]
from flower.views import BaseHandler  # type: ignore[import-untyped]
from flower.views.monitor import Metrics  # type: ignore[import-untyped]
from flower.views.workers import WorkersView  # type: ignore[import-untyped]
from tornado.web import authenticated

from contracts.redis_client import connect
from contracts.settings import broker_url
from contracts.store import Store

Metrics.get = authenticated(Metrics.get)

ANSWER_S = 0.5
"""Flower's pages wait no longer for the store."""
MAX_REASON = 80

_client = connect(broker_url(), retries=0)
_client.connection_pool.connection_kwargs |= {"socket_timeout": ANSWER_S, "socket_connect_timeout": ANSWER_S}
_store = Store(_client)
_start = Flower.start
_as_dict = WorkersView._as_dict
_known_queues = BaseHandler.get_active_queue_names
_event = EventsState.event
_observe_task = PrometheusMetrics.observe_task

_KINDS = {"run": "job", "summary": "summary", "block": "decision", "report": "report"}
"""First word of the last part of a task's name → kind."""


def _with_breaker(worker: Any) -> dict[str, Any]:
    shown: dict[str, Any] = _as_dict(worker)
    try:
        breaker = _store.breaker(worker.hostname.partition("@")[0])
    except (redis.RedisError, ValueError):  # away, or of another version
        return shown
    if breaker is not None:
        state = "on trial" if breaker.state == "half-open" else "taken out"
        shown["loadavg"] = f"{state}: {breaker.reason[:MAX_REASON]}"
    return shown


def _queues(handler: Any) -> list[str]:
    handler.application.update_workers()  # in the background; one at a time
    known: list[str] = _known_queues(handler)
    return known


def _outcome(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event as it is for a job."""
    if event["type"] == "task-rejected":
        return {**event, "type": "task-retried", "exception": "given back to its queue"}
    if event["type"] == "task-succeeded" and (why := _why_failed(event.get("result"))) is not None:
        return {**event, "type": "task-failed", "exception": f"the measurement failed: {why}"}
    return event


def _why_failed(receipt: Any) -> str | None:
    """Return the outcome that the job failed by; ``None`` where it did not, or this is no job's receipt."""
    try:
        told = literal_eval(receipt)
    except (ValueError, SyntaxError, TypeError):  # cut, or of something else
        return None
    return str(told.get("why", "lost")) if isinstance(told, dict) and told.get("failed") is True else None


def _kind(name: str) -> str:
    """Return what the label ``task`` says of a task with this name: one of a handful of words."""
    sweep, slash, rest = name.partition(" / ")
    if not slash:
        return sweep  # Celery's own name; empty where it is not known
    return _KINDS.get(rest.rpartition(" / ")[2].partition(" ")[0], "ticket")


def _observed(metrics: Any, worker: str, event: dict[str, Any], task: Any) -> None:
    kind = _kind(event.get("name") or task.name or "")
    _observe_task(metrics, worker, {**event, "name": kind or "unknown"}, task)


def _until_stopped(flower: Any) -> None:
    """Keep the state and end: Python would wait for threads that ask for a Redis that is away, without end."""
    with suppress(KeyboardInterrupt, SystemExit):
        _start(flower)
    flower.stop()
    os._exit(0)


os.umask(0o077)
Flower.start = _until_stopped
EventsState.event = lambda state, event: _event(state, _outcome(event))
PrometheusMetrics.observe_task = _observed
BaseHandler.get_active_queue_names = _queues
WorkersView._as_dict = staticmethod(_with_breaker)
