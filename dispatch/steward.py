"""The care of an execution: one process at a time feeds it, reconciles it, and ends it.

The producer that follows an execution cares for it; when it dies, an aggregator takes over.
"""

from __future__ import annotations

import time
import uuid

from celery import Celery

from contracts.failures import ChimeraError
from contracts.jobs import JobMaker
from contracts.store import Progress, Store
from dispatch.dispatcher import Dispatcher
from dispatch.feeder import Feeder
from dispatch.known_rounds import KnownRounds
from dispatch.reconciler import Reconciler, queued_callbacks
from dispatch.rescue import Rescuer
from dispatch.window import LOOK_S

TTL_S = 10.0
"""Another one takes over so long after the death of the steward."""
SLOTS_EVERY_S = 2.0
WIND_UP_S = 5.0
"""How often the callbacks of a cancelled execution are sent."""


class Steward:
    """Cares for one execution for as long as it can hold its stewardship."""

    def __init__(self, store: Store, app: Celery, execution: str) -> None:
        manifest = store.manifest(execution)
        if manifest is None:
            raise ChimeraError(f"the store knows no execution {execution}")
        self._store = store
        self._execution = execution
        self._pool = manifest.spec.pool
        self._token = uuid.uuid4().hex
        self._held = False
        self._generation: int | None = None
        self.execution = execution
        self._last = self._slots_at = self._wound_up_at = -TTL_S
        self._slots, self._sweeps = 0, 1
        maker = JobMaker.of(manifest, store.base_dir(execution))
        self.manifest = manifest
        self.dispatcher = Dispatcher(app, store, maker)
        self._rounds = KnownRounds(store, manifest)
        self._feeder = Feeder(store, self.dispatcher, maker, self._rounds)
        self._reconciler = Reconciler(store, self.dispatcher, self._feeder, self._rounds, manifest, self._say)
        self._rescuer = Rescuer(store, self.dispatcher, self._feeder, maker, manifest, self._say)

    @property
    def next_block(self) -> int | None:
        """The block that is to be decided on next; ``None``: the execution has all its jobs."""
        return self._rounds.next_block

    def hold(self) -> bool:
        """Take or renew the stewardship; return whether it is ours."""
        held = self._store.hold_stewardship(self._execution, self._token, ttl_s=TTL_S)
        if held and not self._held:
            self._feeder.reset()
        self._held = held
        return held

    def release(self) -> None:
        """Leave the execution to others."""
        self._store.drop_stewardship(self._execution, self._token)
        self._held = False

    def look(self, progress: Progress | None = None) -> bool:
        """Do what is to be done now, at most every ``LOOK_S``; return whether the execution is in our care.

        Raises:
            redis.RedisError, BrokerError: Redis is away; the next look goes on.
        """
        if time.monotonic() - self._last < LOOK_S:
            return self._held
        self._last = time.monotonic()
        if not self._store.generation(self._execution):
            return False  # its producer still prepares it: calibrates slots, say
        if not self.hold():
            return False
        seen = progress or self._store.progress(self._execution)
        if seen.status == "running":
            self._carry_on(seen)
        elif seen.status == "cancelled":
            self._wind_up(seen)
        return True

    def _carry_on(self, progress: Progress) -> None:
        generation = self._store.generation(self._execution)
        if generation != self._generation:
            self._generation = generation
            self._feeder.reset()
        self._look_around()
        self._feeder.look(progress.done, self._slots, self._sweeps)
        for one in self._rounds.news():
            self._feeder.take_in(one.block)
        self._reconciler.look(progress)
        self._rescuer.look()

    def _look_around(self) -> None:
        """Count the pool's live slots, and the sweeps that share them."""
        now = time.monotonic()
        if now - self._slots_at > SLOTS_EVERY_S:
            self._slots = sum(slot.pool == self._pool for slot in self._store.slots())
            self._sweeps = max(1, len(self._store.running_in(self._pool)))
            self._slots_at = now

    def _wind_up(self, progress: Progress) -> None:
        """Have what is measured summarised, once the jobs that run have ended."""
        now = time.monotonic()
        measured = self._store.claimed_of(self._execution, progress.running)
        if measured or now - self._wound_up_at < WIND_UP_S:
            return
        self._wound_up_at = now
        due = self._store.due(self._execution)
        queued = queued_callbacks(self._store, self._execution)
        for configuration_id in due:
            if f"callback:{configuration_id}" not in queued:
                self.dispatcher.aggregate(configuration_id)
        if not due and "finaliser:" not in queued and self._store.may_finalise(self._execution, expires_s=10):
            self.dispatcher.finalise()

    def _say(self, line: str) -> None:
        self._store.tell(self._execution, line)
