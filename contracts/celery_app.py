"""The Celery application of both sides: serializer, acknowledgement, visibility, routing.

Each setting that differs from Celery's default is there for a failure that was seen; DESIGN's table
and ARCHITECTURE.md name them.
"""

from __future__ import annotations

import ssl

from celery import Celery
from kombu import Queue
from kombu.transport.redis import Transport
from redis.exceptions import OutOfMemoryError

from contracts.queues import AGGREGATE, AGGREGATE_QUEUE, DECIDE, FINALISE, PRIORITY_STEPS, SEPARATOR

# A Redis without memory refuses a consumer's notes. Its worker then connects again and waits, in place of ending.
Transport.connection_errors = (*Transport.connection_errors, OutOfMemoryError)

SERIALIZER = "msgpack"
RESULT_EXPIRES_S = 7 * 86_400


def visibility_timeout_s(max_deadline_s: float) -> int:
    """Seconds after which Redis hands an unacknowledged job out again.

    Derived from the longest job: its deadline, half of it for the store, a minute for slow machines.
    A live worker renews what it works on (:mod:`worker.visibility`), because the shortest timeout of
    all consumers on a broker is the one that counts.
    """
    return int(max_deadline_s * 1.5) + 60


def make_app(broker: str, *, max_deadline_s: float) -> Celery:
    """Return the application on ``broker``, a ``redis://`` or ``rediss://`` URL."""
    transport = {
        "visibility_timeout": visibility_timeout_s(max_deadline_s),
        # One look every 5 s; the defaults make it every 100 s.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "health_check_interval": 10,
        "priority_steps": list(PRIORITY_STEPS),
        "sep": SEPARATOR,
        "socket_keepalive": True,
    }
    app = Celery("chimera", broker=broker, backend=f"contracts.chord_backend:PersistentChordBackend+{broker}")
    if broker.startswith("rediss://") and "ssl_cert_reqs" not in broker:
        # Celery has no default here; redis-py's own, used by the store, is the same.
        app.conf.broker_use_ssl = app.conf.redis_backend_use_ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    app.conf.update(
        task_serializer=SERIALIZER,
        result_serializer=SERIALIZER,
        accept_content=[SERIALIZER],
        result_accept_content=[SERIALIZER],
        # After the outcome is in the store, not when the message arrives.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options=transport,
        result_backend_transport_options=transport,
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
