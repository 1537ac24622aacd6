"""Compares the plan with the store and sends again what got lost on the way.

Three things can be lost: a job whose worker died (its message comes back only after the visibility
timeout), a message that Redis handed out and nobody noted, and a chord's callback.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

import redis
from kombu.exceptions import OperationalError

from contracts.job import JobSpec
from contracts.queues import pool_queue
from contracts.store import Progress, Store
from producer.dispatch import Dispatcher

EVERY_S = 5.0


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
        self._absent: set[str] = set()

    def look(self, progress: Progress) -> None:
        """Look once per ``EVERY_S``; errors of Redis pass through."""
        if time.monotonic() - self._last < EVERY_S:
            return
        self._last = time.monotonic()
        self._look_for_helpers(progress)
        suspects = self._find(progress)
        for suspect in sorted(suspects & self._suspects):
            self._send_again(suspect)
        self._suspects = suspects - self._suspects

    def _look_for_helpers(self, progress: Progress) -> None:
        """Say, once per absence, that nobody is there to do what is left to do."""
        pools = {job.pool for job in self._jobs.values()}
        absent = set()
        if progress.done < len(self._jobs) and not any(s.pool in pools for s in self._store.slots()):
            pool = ", ".join(sorted(pools))
            absent.add(f"no slot of pool {pool} is live; waiting for one: chimera worker … --pool {pool}")
        if not self._store.has_aggregator():
            absent.add("no aggregator is live; waiting for one: chimera aggregator")
        for line in sorted(absent - self._absent):
            self._say(line)
        self._absent = absent

    def _find(self, progress: Progress) -> set[str]:
        """Return what looks lost, each as ``kind:id``."""
        dead = {f"dead:{i}" for i in progress.running if not self._store.claimed(self._execution, i)}
        done = self._store.jobs_done(self._execution)
        missing = set()
        if not progress.running and not self._messages_queued():
            # What is missing was handed out to a worker that is gone.
            missing = {f"message:{job_id}" for job_id in self._jobs if job_id not in done}
        if "aggregator" in str(self._absent):
            return dead | missing  # no use in sending callbacks to nobody
        summarised = self._store.summaries(self._execution)
        callbacks = {
            f"callback:{configuration_id}"
            for configuration_id, jobs in self._by_configuration.items()
            if configuration_id not in summarised and all(job.job_id in done for job in jobs)
        }
        complete = len(summarised) == len(self._by_configuration) and progress.status == "running"
        return dead | missing | callbacks | ({"finaliser:"} if complete else set())

    def _messages_queued(self) -> bool:
        pools = {job.pool for job in self._jobs.values()}
        return any(self._store.client.llen(pool_queue(pool)) for pool in pools)

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
            self._dispatcher.send_again(job)


def lost_connection(error: redis.RedisError | OperationalError) -> bool:
    """Return whether the error is an outage that ends, not a mistake that stays."""
    outage = isinstance(error, redis.ConnectionError | redis.TimeoutError | OperationalError)
    return outage and not isinstance(error, redis.AuthenticationError)
