"""Jobs that wait for a slot that does not come, or for one that is slower than the others: they go to other slots."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from contracts.breaker import Breaker
from contracts.jobs import JobMaker
from contracts.manifest import Manifest
from contracts.plots import Planned
from contracts.queues import pool_queue, rescue_queue, slot_queue
from contracts.slots import SlotStatus
from contracts.store import Store
from dispatch.dispatcher import Dispatcher
from dispatch.feeder import Feeder
from dispatch.stealing import choose_split

EVERY_S = 2.0
FIXED_PATIENCE_S = 60.0
"""How long jobs with a slot of their own wait for it: its worker may just be started again."""
GONE_PATIENCE_S = 10.0
"""How long a unit's jobs wait for the slot that took it: after an outage of Redis all signs of life have expired, and the
workers need some seconds to show them again."""
GIVE_UP_S = float(os.environ.get("CHIMERA_GIVE_UP_S", "600"))
"""How long an execution waits when the model servers of all its pool's live slots fail."""


class Rescuer:
    """Moves messages between queues; whatever it moves is carried out once, wherever it arrives."""

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        feeder: Feeder,
        maker: JobMaker,
        manifest: Manifest,
        say: Callable[[str], None],
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._feeder = feeder
        self._maker = maker
        self._execution = manifest.execution
        self._pool = manifest.spec.pool
        self._fixed_slots = manifest.fixed_slots
        self._say = say
        self._last = self._began = time.monotonic()
        self._missing_since: dict[str, float] = {}
        self._told: set[str] = set()

    def look(self) -> None:
        """Look once per ``EVERY_S``; errors of Redis pass through."""
        now = time.monotonic()
        if now - self._last < EVERY_S:
            return
        self._last = now
        self._send_voided()
        live = {slot.slot: slot for slot in self._store.slots() if slot.pool == self._pool}
        breakers = self._store.breakers(live)
        out = {slot: breaker for slot, breaker in breakers.items() if not breaker.works}
        working = live.keys() - out.keys()
        self._say_who_is_absent(live)
        if out and not working and now - self._began > GIVE_UP_S:
            self._give_up_in_time(out)
        self._empty_dead_queues(working, out, now)
        if self._feeder.finished and not self._fixed_slots:
            self._split(working)

    def _send_voided(self) -> None:
        """Send the jobs again whose outcome was taken back."""
        voided = self._store.voided(self._execution)
        if not voided:
            return
        left, found = set(voided), list[Planned]()
        for name, unit in self._dispatcher.named(self._maker.units(self._store.rounds(self._execution))):
            for job in unit.jobs:
                if (job_id := self._maker.job_id(job)) in left:
                    self._feeder.outstanding.add(job_id, job, name)
                    found.append(job)
                    left.remove(job_id)
            if not left:
                break
        known_block = self._store.feeding(self._execution).known_block
        self._dispatcher.send_again(found, known_block=known_block, elsewhere=True)
        self._store.set_sent_again(self._execution, voided)

    def _say_who_is_absent(self, live: dict[str, SlotStatus]) -> None:
        """Say, once per absence, that nobody is there to do what is left to do."""
        absent = set()
        if not live:
            absent.add(
                f"no slot of pool {self._pool} is live; waiting for one: chimera worker … --pool {self._pool}"
            )
        if not self._store.has_aggregator():
            absent.add("no aggregator is live; waiting for one: chimera aggregator")
        for line in sorted(absent - self._told):
            self._say(line)
        self._told = absent

    def _give_up_in_time(self, out: dict[str, Breaker]) -> None:
        """Cancel where no live slot's server has answered for ``GIVE_UP_S``: a sweep comes to an end.

        One that answers its probes, and fails the jobs, is no reason: that may be the jobs, and the others are still due.
        """
        newest = max(out.values(), key=_last_sign)
        if (datetime.now(UTC) - _last_sign(newest)).total_seconds() > GIVE_UP_S:
            why = (
                f"given up: no slot of pool {self._pool} has had a working model server for {GIVE_UP_S:g} s "
                f"({newest.slot}: {newest.reason})"
            )
            self._say(why)
            self._store.cancel(self._execution, why)

    def _empty_dead_queues(self, working: set[str], out: Collection[str], now: float) -> None:
        """Hand on what waits in the queues of slots that are gone, or whose server fails."""
        taken = self._store.taken_units(self._execution)
        for slot in {*taken.values(), *self._fixed_slots} - {""}:
            if slot in working:
                self._missing_since.pop(slot, None)
                continue
            since = self._missing_since.setdefault(slot, now)
            patience = FIXED_PATIENCE_S if self._fixed_slots else 0.0 if slot in out else GONE_PATIENCE_S
            if now - since >= patience and self._store.queued(slot_queue(slot)):
                moved = self._hand_on(slot)
                if moved:
                    self._say(f"slot {slot} does not measure: its {moved} waiting job(s) go to other slots")

    def _split(self, working: set[str]) -> None:
        """Share what waits for a slow slot with one that has nothing left to do."""
        if self._store.queued(pool_queue(self._pool)):
            return
        queued = self._store.queued_in(slot_queue(slot) for slot in working)
        waiting = {slot: queued[slot_queue(slot)] for slot in working}
        idle = {slot for slot, jobs in waiting.items() if not jobs} - self._store.leased_of(working)
        if not idle or not any(waiting.values()):
            return
        counts = self._store.counts(self._execution)
        job_s = {slot: counts.slot_busy_ms[slot] / jobs / 1e3 for slot, jobs in counts.slot_jobs.items()}
        load_s = None if counts.load_ms is None else counts.load_ms / 1e3
        while idle and (split := choose_split(waiting, idle, job_s, load_s)) is not None:
            moved = self._hand_on(split.slot, split.jobs)
            self._say(f"{moved} of the jobs that wait for slot {split.slot} go to a slot that is free")
            waiting[split.slot] -= split.jobs
            idle.pop()

    def _hand_on(self, slot: str, jobs: int | None = None) -> int:
        """Make the newest jobs of a slot's queue, or all of them, a unit of their own; return how many."""
        generation = self._store.generation(self._execution)
        assert generation is not None
        unit = rescue_queue(self._execution, generation, uuid.uuid4().hex[:8])
        self._store.put_unit(self._execution, unit)  # before its jobs are there: so that they are found
        most = {} if jobs is None else {"most": jobs}
        moved = self._store.move(slot_queue(slot), unit, first="newest", **most)
        if moved:
            self._dispatcher.ticket(unit, f"{moved} job(s) of slot {slot}")
        return moved


def _last_sign(breaker: Breaker) -> datetime:
    """Return when the slot's server was last known to answer."""
    return breaker.since if breaker.answered_at is None else max(breaker.since, breaker.answered_at)
