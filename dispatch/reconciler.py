"""Compares the plan with the store and sends again what got lost on the way.

What can be lost: a job whose worker died (its message comes back only after the visibility timeout), a message or a
ticket that Redis handed out and nobody noted, a chord's callback, and what comes after the last callback: the decision
on the next block, the publishing of what was decided, or the finaliser.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from contracts.manifest import Manifest
from contracts.queues import pool_queue, slot_queue, ticket_task_id
from contracts.store import Progress, Store
from dispatch.dispatcher import Dispatcher
from dispatch.feeder import Feeder
from dispatch.known_rounds import KnownRounds

EVERY_S = 5.0


class Reconciler:
    """Acts only on what it sees twice in a row, ``EVERY_S`` apart; sending again is always safe."""

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        feeder: Feeder,
        rounds: KnownRounds,
        manifest: Manifest,
        say: Callable[[str], None],
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._feeder = feeder
        self._rounds = rounds
        self._names = {c.id: c.name for c in manifest.configurations}
        self._sweep = manifest.sweep
        self._execution = manifest.execution
        self._pool = manifest.spec.pool
        self._fixed_slots = manifest.fixed_slots
        self._say = say
        self._last = time.monotonic()
        self._suspects: set[str] = set()

    def look(self, progress: Progress) -> None:
        """Look once per ``EVERY_S``; errors of Redis pass through."""
        if time.monotonic() - self._last < EVERY_S:
            return
        self._last = time.monotonic()
        suspects = self._find_jobs(progress)
        if self._store.has_aggregator():  # no use in sending callbacks to nobody
            suspects |= self._find_callbacks(progress)
        self._send_again(suspects & self._suspects)
        self._suspects = suspects - self._suspects

    def _find_jobs(self, progress: Progress) -> set[str]:
        """Return the jobs and tickets that look lost, each as ``kind:id``."""
        store, outstanding = self._store, self._feeder.outstanding
        outstanding.refresh()
        measured = {i for i in progress.running if store.claimed(self._execution, i)}
        dead = {f"dead:{i}" for i in progress.running if i not in measured and i in outstanding}
        units = {*outstanding.units(), *store.taken_units(self._execution)}
        waiting = {unit for unit in units if store.queued(unit)}
        here = {pool_queue(self._pool), *self._slot_queues()}
        task_ids = store.queued_ids({*here, *waiting})
        queued = {task_id.rpartition(".")[2] for task_id in task_ids}
        lost = {f"message:{i}" for i in outstanding if i not in queued and i not in progress.running}
        tickets = {f"ticket:{unit}" for unit in waiting if ticket_task_id(unit) not in task_ids}
        return dead | lost | tickets

    def _slot_queues(self) -> set[str]:
        known = {slot.slot for slot in self._store.slots() if slot.pool == self._pool}
        known |= {slot for slot in self._store.taken_units(self._execution).values() if slot}
        return {slot_queue(slot) for slot in {*known, *self._fixed_slots}}

    def _find_callbacks(self, progress: Progress) -> set[str]:
        """Return the callbacks, and what comes after them, that look lost, each as ``kind:id``."""
        due, done = self._store.due(self._execution), self._store.counts(self._execution).done
        found = {
            f"callback:{configuration_id}"
            for configuration_id, runs in due.items()
            if done.get(configuration_id, 0) >= runs
        }
        if not due and progress.status == "running":
            block = self._rounds.next_block
            found.add("finaliser:" if block is None else f"decision:{block}")
        return found

    def _send_again(self, suspects: set[str]) -> None:
        jobs = self._unpublished(suspects)
        for suspect in sorted(suspects):
            kind, _, key = suspect.partition(":")
            if kind in ("dead", "message"):
                if key not in jobs:
                    self._send_job_again(kind, key)
            elif kind == "callback":
                self._say(f"{self._names[key]}: the chord's callback did not come; sending it again")
                self._dispatcher.aggregate(key)
            elif kind == "ticket":
                self._say(f"jobs in {key} wait for a slot without a ticket; sending it again")
                self._dispatcher.ticket(key, "jobs of a lost ticket")
            elif kind == "decision":
                self._say(f"block {key}: the decision did not come; asking for it again")
                self._dispatcher.decide(int(key))
            elif self._store.may_finalise(self._execution):
                self._say("the finaliser did not come; sending it again")
                self._dispatcher.finalise()

    def _unpublished(self, suspects: set[str]) -> set[str]:
        """Ask again for the newest block's decision where none of its jobs arrived: it was not carried out.

        Return the ids of its jobs.
        """
        newest = self._rounds.rounds[-1] if self._rounds.rounds else None
        jobs = {job.job_id for job in newest.jobs} if newest else set[str]()
        if newest is None or not jobs or not all(f"message:{i}" in suspects for i in jobs):
            return set()
        self._say(f"block {newest.block}: its jobs did not come; asking for it again")
        self._dispatcher.decide(newest.block)
        return jobs

    def _send_job_again(self, kind: str, job_id: str) -> None:
        known_block = self._store.feeding(self._execution).known_block
        for job in self._feeder.outstanding.those([job_id]):
            why = "its worker died" if kind == "dead" else "its message got lost"
            title = f"{self._sweep} / {job.configuration.name} / run {job.run}"
            self._say(f"{title}: {why}; sending the job again")
            self._store.forget_running(self._execution, job_id)
            self._dispatcher.send_again([job], known_block=known_block)
