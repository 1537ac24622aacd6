"""Compares the plan with the store and sends again what got lost on the way.

Four things can be lost: a job whose worker died (its message comes back only after the visibility
timeout), a message that Redis handed out and nobody noted, a chord's callback, and what comes after the last
callback: the decision on the next block, the publishing of what was decided, or the finaliser.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

import redis
from kombu.exceptions import OperationalError

from contracts.job import JobSpec
from contracts.publish import Dispatcher
from contracts.queues import pool_queue
from contracts.store import Progress, Store
from producer.published import Published

EVERY_S = 5.0


class Reconciler:
    """Acts only on what it sees twice in a row, ``EVERY_S`` apart; sending again is always safe."""

    def __init__(
        self, store: Store, dispatcher: Dispatcher, published: Published, say: Callable[[str], None]
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._published = published
        self._say = say
        self._jobs: dict[str, JobSpec] = {}
        self._by_configuration: dict[str, list[JobSpec]] = defaultdict(list)
        self._take_in()
        self._execution = published.jobs[0].execution
        self._pool = published.jobs[0].pool
        self._last = time.monotonic()
        self._suspects: set[str] = set()
        self._absent: set[str] = set()

    def _take_in(self) -> None:
        """Take in the jobs that were decided on since."""
        for job in self._published.jobs[len(self._jobs) :]:
            self._jobs[job.job_id] = job
            self._by_configuration[job.configuration.id].append(job)

    def look(self, progress: Progress) -> None:
        """Look once per ``EVERY_S``; errors of Redis pass through."""
        if time.monotonic() - self._last < EVERY_S:
            return
        self._last = time.monotonic()
        self._take_in()
        has_aggregator = self._store.has_aggregator()
        self._say_who_is_absent(progress, has_aggregator)
        suspects = self._find_jobs(progress)
        if has_aggregator:  # no use in sending callbacks to nobody
            suspects |= self._find_callbacks(progress)
        for suspect in sorted(suspects & self._suspects):
            self._send_again(suspect)
        self._suspects = suspects - self._suspects

    def _say_who_is_absent(self, progress: Progress, has_aggregator: bool) -> None:
        """Say, once per absence, that nobody is there to do what is left to do."""
        absent = set()
        if progress.done < len(self._jobs) and not any(s.pool == self._pool for s in self._store.slots()):
            absent.add(
                f"no slot of pool {self._pool} is live; waiting for one: chimera worker … --pool {self._pool}"
            )
        if not has_aggregator:
            absent.add("no aggregator is live; waiting for one: chimera aggregator")
        for line in sorted(absent - self._absent):
            self._say(line)
        self._absent = absent

    def _find_jobs(self, progress: Progress) -> set[str]:
        """Return the jobs that look lost, each as ``kind:id``."""
        dead = {f"dead:{i}" for i in progress.running if not self._store.claimed(self._execution, i)}
        if progress.running or self._store.client.llen(pool_queue(self._pool)):
            return dead
        # Nothing runs and nothing is queued: what is missing was handed out to a worker that is gone.
        done = self._store.jobs_done(self._execution)
        missing = [job_id for job_id in self._jobs if job_id not in done]
        block = self._never_published(missing)
        return dead | ({f"block:{block}"} if block else {f"message:{job_id}" for job_id in missing})

    def _never_published(self, missing: list[str]) -> int | None:
        """Return the block of which no job was done, if just those are missing: its decision was not carried out."""
        newest = [job.job_id for job in self._published.newest]
        return self._published.later.get(newest[0]) if newest and set(newest) == set(missing) else None

    def _find_callbacks(self, progress: Progress) -> set[str]:
        """Return the callbacks, and what comes after them, that look lost, each as ``kind:id``."""
        done = self._store.jobs_done(self._execution)
        due = self._store.due(self._execution)
        found = {
            f"callback:{configuration_id}"
            for configuration_id, runs in due.items()
            if len(jobs := self._by_configuration[configuration_id]) == runs
            and all(job.job_id in done for job in jobs)
        }
        if not due and progress.status == "running":
            block = self._published.next_block
            found.add("finaliser:" if block is None else f"decision:{block}")
        return found

    def _send_again(self, suspect: str) -> None:
        kind, _, key = suspect.partition(":")
        if kind == "callback":
            job = self._by_configuration[key][0]
            self._say(f"{job.configuration_title}: the chord's callback did not come; sending it again")
            self._dispatcher.aggregate(job)
        elif kind in ("block", "decision"):
            what = "its jobs did not come" if kind == "block" else "the decision did not come"
            self._say(f"block {key}: {what}; asking for it again")
            self._dispatcher.decide(int(key))
        elif kind == "finaliser":
            if self._store.may_finalise(self._execution):
                self._say("the finaliser did not come; sending it again")
                self._dispatcher.finalise()
        else:
            job = self._jobs[key]
            why = "its worker died" if kind == "dead" else "its message got lost"
            self._say(f"{job.title}: {why}; sending the job again")
            self._store.forget_running(self._execution, key)
            self._dispatcher.send_again(job, block=self._published.later.get(key))


def lost_connection(error: redis.RedisError | OperationalError) -> bool:
    """Return whether the error is an outage that ends, not a mistake that stays."""
    outage = isinstance(error, redis.ConnectionError | redis.TimeoutError | OperationalError)
    return outage and not isinstance(error, redis.AuthenticationError)
