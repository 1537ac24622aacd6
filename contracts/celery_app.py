"""The Celery application of both sides: serializer, acknowledgement, visibility, routing.

Each setting that differs from Celery's default is there for a failure that was seen; DESIGN's table
and ARCHITECTURE.md name them.
"""

from __future__ import annotations

from celery import Celery
from kombu import Queue

from contracts import own_queue_first, refusals, transport
from contracts.queues import AGGREGATE, AGGREGATE_QUEUE, DECIDE, FINALISE, PRIORITY_STEPS, SEPARATOR
from contracts.signing import serializer
from contracts.tls import address

RESULT_EXPIRES_S = 7 * 86_400


def visibility_timeout_s(max_deadline_s: float) -> int:
    """Seconds after which Redis hands an unacknowledged job out again.

    Derived from the longest job: its deadline, half of it for the store, a minute for slow machines.
    A live worker renews what it works on (:mod:`worker.visibility`), because the shortest timeout of
    all consumers on a broker is the one that counts.
    """
    return int(max_deadline_s * 1.5) + 60


def make_app(broker: str, *, max_deadline_s: float) -> Celery:
    """Return the application on ``broker``, a ``redis://`` or ``rediss://`` URL.

    It accepts one serializer, for tasks, results and remote control: msgpack, or signed msgpack where this process
    has a key. Never pickle.

    Raises:
        SetupError: the URL or the signing keys can't be used.
    """
    where = address(broker)
    form = serializer()
    transport.install()
    refusals.shorten()
    options = {
        "visibility_timeout": visibility_timeout_s(max_deadline_s),
        # One look every 5 s; the defaults make it every 100 s.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "health_check_interval": 10,
        "priority_steps": list(PRIORITY_STEPS),
        "sep": SEPARATOR,
        "queue_order_strategy": own_queue_first.PATH,
        "socket_keepalive": True,
    }
    backend = f"contracts.chord_backend:PersistentChordBackend+{where.url}"
    app = Celery("chimera", broker=where.url, backend=backend)
    if where.tls is not None:
        app.conf.broker_use_ssl = app.conf.redis_backend_use_ssl = where.tls
    app.conf.update(
        task_serializer=form,
        result_serializer=form,
        accept_content=[form],
        result_accept_content=[form],
        # After the outcome is in the store, not when the message arrives.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options=options,
        result_backend_transport_options=options,
        result_backend_always_retry=True,
        result_expires=RESULT_EXPIRES_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_proc_alive_timeout=60,
        task_queues=[Queue(AGGREGATE_QUEUE)],
        task_default_queue=AGGREGATE_QUEUE,
        # Queues of pools and slots exist by their names; no declaration is needed on either side.
        task_create_missing_queues=True,
        task_routes={task: {"queue": AGGREGATE_QUEUE} for task in (AGGREGATE, DECIDE, FINALISE)},
    )
    return app
