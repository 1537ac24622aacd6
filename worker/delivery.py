"""One delivery of a job: take the slot, perform the job once, store the outcome, return the receipt."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from typing import Any

import redis

from contracts.failures import ChimeraError
from contracts.job import JobSpec
from contracts.outcome import JobOutcome
from contracts.settings import WorkerSettings
from contracts.store import Store
from worker.breaking import breaker_of
from worker.claiming import Claiming, Taken, claiming_of, new_token
from worker.job import Started, measure, unmeasured
from worker.lease import POLL_S, TTL_S, beat_of
from worker.watched import watched

MAX_ATTEMPTS = 3
"""A job that took its worker with it this often is given up as ``lost``."""

PATIENCE_S = TTL_S + 5
"""How long to wait for a lease: what a dead holder left has expired by then."""

OUT_S = 1.0
"""A slot that is out holds a message for so long before it gives it back: until then its worker stops consuming."""

log = logging.getLogger(__name__)


class SlotBusy(Exception):
    """Another process holds the slot, or took it while the job ran: the message belongs back into the queue."""


def deliver(
    spec: JobSpec, generation: int, *, settings: WorkerSettings, store: Store, beat: redis.Redis
) -> dict[str, Any]:
    """Perform the job unless it has its outcome, or another worker measures it; return its receipt.

    ``store`` waits for Redis as long as it takes; ``beat`` is a client of its own for the heartbeats.

    Raises:
        SlotBusy: see there.
    """
    breaker = breaker_of(settings, store)
    if breaker.is_open():
        time.sleep(OUT_S)
        raise SlotBusy(f"slot {settings.slot} is out: its server fails")
    claiming, token = claiming_of(store), new_token(spec)
    taken = _take(claiming, spec, generation, settings.slot, token)
    if taken.verdict == "busy":
        raise SlotBusy(f"slot {settings.slot} is held by another process")
    if taken.verdict != "taken":
        # Claimed: its holder lives, and will store the outcome; should it die, the job is sent again.
        return {"job_id": spec.job_id, taken.verdict: True}
    assert taken.claim is not None and taken.lease is not None
    held = (taken.claim, taken.lease)
    beat_of(beat).hold(*held)
    with watched(spec, taken.attempt) as tell:
        stored, storing_s = False, math.inf
        try:
            outcome = _perform(spec, Started.now(settings, taken.attempt))
            storing_s = time.monotonic()
            stored = not any(one.lost for one in held) and claiming.store(outcome, token)
        finally:
            beat_of(beat).drop(*held)
            # A beat that came just after the outcome was stored has taken again what was given back with it.
            if not stored or any(one.renewed_s >= storing_s for one in held):
                with contextlib.suppress(redis.RedisError):  # they expire by themselves
                    claiming.release(taken)
        if not stored:
            raise SlotBusy(f"{spec.title}: the lease was lost while it ran; its figures are void")
        breaker.note(outcome)
        tell(outcome)
    return outcome.receipt()


def _take(claiming: Claiming, spec: JobSpec, generation: int, slot: str, token: str) -> Taken:
    """Take the job, as soon as whoever holds it or the slot lets go, within ``PATIENCE_S``."""
    until = time.monotonic() + PATIENCE_S
    while True:
        taken = claiming.take(spec, generation, slot, token)
        if taken.verdict not in ("claimed", "busy") or time.monotonic() > until:
            return taken
        time.sleep(POLL_S)


def _perform(spec: JobSpec, started: Started) -> JobOutcome:
    if started.attempt > MAX_ATTEMPTS:
        return unmeasured(spec, started, f"given up: its worker died {MAX_ATTEMPTS} times while it ran")
    if spec.deadline_s > started.settings.max_deadline_s:
        longest = started.settings.max_deadline_s
        return unmeasured(spec, started, f"the deadline is longer than this worker accepts ({longest:g} s)")
    try:
        return measure(spec, started)
    except ChimeraError as error:
        return unmeasured(spec, started, str(error))
    except Exception as error:  # a failed measurement is data, whatever the cause
        log.exception("%s failed", spec.title)
        return unmeasured(spec, started, f"internal error: {type(error).__name__}: {error}")
