"""Compares the plan with the store and sends again what got lost on the way.

What can be lost: a job whose worker died (its message comes back only after the visibility timeout), a message or a
ticket that Redis handed out and nobody noted, a chord's callback, and what comes after the last callback: the decision
on the next block, the publishing of what was decided, or the finaliser.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from contracts.manifest import Manifest
from contracts.queues import AGGREGATE_QUEUE, pool_queue, slot_queue, ticket_task_id
from contracts.store import Progress, Store
from dispatch.dispatcher import Dispatcher
from dispatch.feeder import Feeder
from dispatch.known_rounds import KnownRounds

EVERY_S = 5.0
MOST_NAMED = 5
"""Jobs that are named when they are sent again; of more, their number is said."""


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
        suspects = self._find_jobs()
        if self._store.has_aggregator():  # no use in sending callbacks to nobody
            suspects |= self._find_callbacks(progress)
        self._send_again(suspects & self._suspects)
        self._suspects = suspects - self._suspects

    def _find_jobs(self) -> set[str]:
        """Return the jobs and tickets that look lost, each as ``kind:id``."""
        store, outstanding = self._store, self._feeder.outstanding
        units = {*outstanding.queues(), *store.taken_units(self._execution)}
        waiting = {unit for unit, jobs in store.queued_in(units).items() if jobs}
        # A job goes from a queue to those that run to those that are done: asked in this order, none is overlooked.
        task_ids = store.queued_ids({pool_queue(self._pool), *self._slot_queues(), *waiting})
        running = store.progress(self._execution).running
        outstanding.refresh()
        queued = {task_id.rpartition(".")[2] for task_id in task_ids}
        absent = [i for i in outstanding if i not in queued]
        measured = store.claimed_of(self._execution, running)
        dead = {f"dead:{i}" for i in absent if i in running and i not in measured}
        lost = {f"message:{i}" for i in absent if i not in running}
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
        return found - queued_callbacks(self._store, self._execution) if found else found

    def _send_again(self, suspects: set[str]) -> None:
        unpublished = self._unpublished(suspects)
        jobs: dict[str, str] = {}
        for suspect in sorted(suspects):
            kind, _, key = suspect.partition(":")
            if kind in ("dead", "message"):
                if key not in unpublished:
                    jobs[key] = kind
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
        if jobs:
            self._send_jobs_again(jobs)

    def _unpublished(self, suspects: set[str]) -> set[str]:
        """Ask again for the newest block's decision where none of its jobs arrived: it was not carried out.

        Return the ids of its jobs.
        """
        newest = self._rounds.rounds[-1] if self._rounds.rounds else None
        jobs = {job.job_id for job in newest.jobs} if newest else set[str]()
        if newest is None or not jobs or not all(f"message:{i}" in suspects for i in jobs):
            return set()
        if newest.block <= self._store.feeding(self._execution).known_block:
            return set()  # the feeder has published it, with all that was missing
        self._say(f"block {newest.block}: its jobs did not come; asking for it again")
        self._dispatcher.decide(newest.block)
        return jobs

    def _send_jobs_again(self, kinds: dict[str, str]) -> None:
        """``kinds``: job id → whether its worker is ``dead`` or its ``message`` lost."""
        found = [(i, job) for i in kinds for job in self._feeder.outstanding.those([i])]
        for job_id, job in found[:MOST_NAMED]:
            why = "its worker died" if kinds[job_id] == "dead" else "its message got lost"
            title = f"{self._sweep} / {job.configuration.name} / run {job.run}"
            self._say(f"{title}: {why}; sending the job again")
        if len(found) > MOST_NAMED:
            self._say(f"… and {len(found) - MOST_NAMED} more jobs of dead workers or lost messages")
        for job_id, _ in found:
            if kinds[job_id] == "dead":
                self._store.forget_running(self._execution, job_id)
        known_block = self._store.feeding(self._execution).known_block
        self._dispatcher.send_again([job for _, job in found], known_block=known_block)


def queued_callbacks(store: Store, execution: str) -> set[str]:
    """Return what waits for an aggregator, as ``callback:<configuration id>``, ``decision:<block>`` or ``finaliser:``."""
    prefix, found = f"{execution}.", set[str]()
    for task_id in store.queued_ids([AGGREGATE_QUEUE]):
        if task_id.startswith(prefix):
            parts = task_id.removeprefix(prefix).split(".")
            if parts == ["finalise"]:
                found.add("finaliser:")
            elif parts[1] == "decide":
                found.add(f"decision:{parts[2]}")
            elif parts[-1] == "summary":
                found.add(f"callback:{parts[1]}")
    return found
