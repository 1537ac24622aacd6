"""Compares the plan with the store and sends again what got lost on the way.

Three things can be lost: a job whose worker died (its message comes back only after the visibility
timeout), a message that Redis handed out and nobody noted, and a chord's callback.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

import redis

from contracts.job import JobSpec
from contracts.queues import pool_queue
from contracts.store import Progress, Store
from producer.dispatch import Dispatcher

EVERY_S = 5.0
_UNACKED = "unacked"  # kombu's hash of messages that are handed out and not acknowledged


class Reconciler:
    """Acts only on what it sees twice in a row, ``EVERY_S`` apart; sending again is always safe."""

    def __init__(
        self, store: Store, dispatcher: Dispatcher, jobs: list[JobSpec], say: Callable[[str], None]
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._say = say
        self._jobs = {job.job_id: job for job in jobs}
        self._by_configuration: dict[str, list[JobSpec]] = defaultdict(list)
        for job in jobs:
            self._by_configuration[job.configuration.id].append(job)
        self._execution = jobs[0].execution
        self._last = time.monotonic()
        self._suspects: set[str] = set()
        self._without_slots = False

    def look(self, progress: Progress) -> None:
        """Look once per ``EVERY_S``; errors of Redis pass through."""
        if time.monotonic() - self._last < EVERY_S:
            return
        self._last = time.monotonic()
        self._look_for_slots(progress)
        suspects = self._find(progress)
        for suspect in sorted(suspects & self._suspects):
            self._send_again(suspect)
        self._suspects = suspects - self._suspects

    def _look_for_slots(self, progress: Progress) -> None:
        pools = {job.pool for job in self._jobs.values()}
        idle = not progress.running and progress.done < len(self._jobs)
        without = idle and not any(slot.pool in pools for slot in self._store.slots())
        if without and not self._without_slots:
            self._say(f"no slot of pool {', '.join(sorted(pools))} is live; waiting for a worker")
        self._without_slots = without

    def _find(self, progress: Progress) -> set[str]:
        """Return what looks lost, each as ``kind:id``."""
        dead = {f"dead:{i}" for i in progress.running if not self._store.claimed(self._execution, i)}
        if dead or progress.running:
            return dead
        done = self._store.jobs_done(self._execution)
        waiting = self._messages_waiting()
        missing = {f"message:{job_id}" for job_id in self._jobs if job_id not in done and not waiting}
        summarised = self._store.summaries(self._execution)
        callbacks = {
            f"callback:{configuration_id}"
            for configuration_id, jobs in self._by_configuration.items()
            if configuration_id not in summarised and all(job.job_id in done for job in jobs)
        }
        complete = len(summarised) == len(self._by_configuration) and progress.status != "finished"
        return missing | callbacks | ({"finaliser:"} if complete else set())

    def _messages_waiting(self) -> bool:
        pools = {job.pool for job in self._jobs.values()}
        queued = sum(self._store.client.llen(pool_queue(pool)) for pool in pools)
        return bool(queued or self._store.client.hlen(_UNACKED))

    def _send_again(self, suspect: str) -> None:
        kind, _, key = suspect.partition(":")
        if kind == "callback":
            title = f"{self._by_configuration[key][0].sweep} / {self._by_configuration[key][0].configuration.name}"
            self._say(f"{title}: the chord's callback did not come; sending it again")
            self._dispatcher.aggregate(key, title)
        elif kind == "finaliser":
            if self._store.may_finalise(self._execution):
                self._say("the finaliser did not come; sending it again")
                self._dispatcher.finalise()
        else:
            job = self._jobs[key]
            why = "its worker died" if kind == "dead" else "its message got lost"
            self._say(f"{job.title}: {why}; sending the job again")
            self._store.forget_running(self._execution, key)
            self._dispatcher.send([job])


def lost_connection(error: redis.RedisError) -> bool:
    """Return whether the error is an outage that ends, not a mistake that stays."""
    return isinstance(error, redis.ConnectionError | redis.TimeoutError) and not isinstance(
        error, redis.AuthenticationError
    )
