"""Read by Flower itself (``--conf``): closes what Flower leaves open beside a password, and shows what it misses.

With basic authentication Flower asks for it on every page but ``/metrics``, which names sweeps, models and slots.
``/healthcheck`` stays open: it says ``OK`` and nothing else.

Flower asks workers for their queues when it starts, or when a worker's page is opened: here also whenever queues are
shown, so that a reload shows those of workers that came later.

The list of workers has no place for more than Flower knows, but a text in the column of the load average is shown
as it is (escaped): there stands, while a slot's circuit breaker is not closed, that it is out, and why.
"""

from typing import Any

import redis
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
_as_dict = WorkersView._as_dict
_known_queues = BaseHandler.get_active_queue_names


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


BaseHandler.get_active_queue_names = _queues
WorkersView._as_dict = staticmethod(_with_breaker)
