"""SIGTERM as Kubernetes sends it: finish the running job within the grace period, or hand it back.

Celery's own ways: a warm shutdown waits for the job without an end; a soft shutdown sleeps for the whole period, also
where the job ends at once, and lets the messages' visibility lapse meanwhile. Here the worker runs on as usual without
consuming; at the period's end its pool process is ended, which hands the message back
(``task_reject_on_worker_lost``). Only then it stops, with nothing left to wait for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
from celery.worker import state

GRACE = "CHIMERA_GRACE"
"""Environment variable: seconds that the running job has left after SIGTERM."""
DEFAULT_GRACE_S = 25.0
SIGNALS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)
STUCK_S = 4.5
"""So long after the grace period the worker ends whatever it waits for: Redis may be away."""
KILLED_AFTER_S = 30.0
"""Kubernetes' default; a shorter grace period is no reason to end stuck any sooner."""
DEATH_S = 3.0
"""A killed process is waited for so long."""

log = logging.getLogger(__name__)


def grace_s() -> float:
    """Return the grace period of this process, s."""
    return float(os.environ.get(GRACE) or DEFAULT_GRACE_S)


class Stopping:
    """How far the worker is with stopping. The second signal ends the grace period."""

    def __init__(self) -> None:
        self.asked = False
        self.hand_back: Callable[[], object] = lambda: None
        """Drops what the ended pool process held in the store."""
        self._until = 0.0
        self._pid = 0

    def install(self) -> None:
        """Take the signals over from Celery; in the main thread, once the worker is ready."""
        self._pid = os.getpid()
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def go_on(self, consumer: Any) -> None:
        """Stop as far as it goes now; called again and again by the event loop."""
        if state.reserved_requests:
            if state.active_requests and time.monotonic() >= self._until:
                self._end_job(consumer)
        elif not getattr(consumer.task_consumer.channel, "_in_poll", None):
            # No answer to a BRPOP is under way, which could bring a message that would be lost with the connection.
            state.should_stop = 0  # type: ignore[assignment]  # the exit code

    def _on_signal(self, *_: object) -> None:
        if os.getpid() != self._pid:
            return  # a pool process, which inherited this: its parent decides
        now = time.monotonic()
        if self.asked:
            self._until = now
            return
        self.asked, self._until = True, now + grace_s()
        stuck = max(self._until + STUCK_S, now + KILLED_AFTER_S - 0.5)
        threading.Thread(target=_give_up, args=(stuck,), name="stopping", daemon=True).start()

    def _end_job(self, consumer: Any) -> None:
        log.warning("the running job is handed back: the grace period is over")
        requests = tuple(state.active_requests)
        _kill([process.pid for process in consumer.pool._pool._pool])
        try:
            self.hand_back()
        except Exception as error:  # claim and lease expire by themselves
            log.warning("what the job held could not be given back: %s", error)
        for request in requests:
            # As Celery does for a lost process, but at once: it waits 10 s for a result that may be under way.
            request.reject(requeue=True)
            state.task_ready(request)
            result = request._apply_result and request._apply_result()
            if result is not None:
                result.discard()


def _give_up(at: float) -> None:
    while time.monotonic() < at:
        time.sleep(0.1)
    log.warning("the worker ends without having stopped: Redis does not answer")
    os._exit(1)


def _kill(pids: list[int]) -> None:
    """Kill the pool's processes and wait until they are dead; the pool itself reaps them."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + DEATH_S
    while any(_runs(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.005)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
