"""One delivery of a job: take the slot, perform the job once, store the outcome, return the receipt."""

from __future__ import annotations

import logging
from typing import Any

import redis

from contracts.failures import ChimeraError
from contracts.job import JobSpec
from contracts.outcome import JobOutcome
from contracts.settings import WorkerSettings
from contracts.store import Store, claim_key, lease_key
from worker.job import Started, measure, unmeasured
from worker.lease import TTL_S, Lease, LeaseHeld

MAX_ATTEMPTS = 3
"""A job that took its worker with it this often is given up as ``lost``."""

PATIENCE_S = TTL_S + 5
"""How long to wait for a lease: what a dead holder left has expired by then."""

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
    newest = store.generation(spec.execution)
    if newest is None or generation < newest:
        return {"job_id": spec.job_id, "superseded": True}
    try:
        with Lease(beat, claim_key(spec.execution, spec.job_id), patience_s=PATIENCE_S) as claim:
            if store.has_outcome(spec.execution, spec.job_id):
                return {"job_id": spec.job_id, "present": True}
            return _measure_on_slot(spec, claim, settings=settings, store=store, beat=beat)
    except LeaseHeld:
        # Its holder lives, and will store the outcome; should it die, the reconciler sends the job again.
        return {"job_id": spec.job_id, "claimed": True}


def _measure_on_slot(
    spec: JobSpec, claim: Lease, *, settings: WorkerSettings, store: Store, beat: redis.Redis
) -> dict[str, Any]:
    try:
        with Lease(beat, lease_key(settings.slot), patience_s=PATIENCE_S) as slot:
            attempt = store.start_job(spec.execution, spec.job_id, title=spec.title, slot=settings.slot)
            outcome = _perform(spec, Started.now(settings, attempt))
            if slot.lost or claim.lost:
                raise SlotBusy(f"{spec.title}: the lease was lost while it ran; its figures are void")
            store.put_outcome(outcome)
            return outcome.receipt()
    except LeaseHeld:
        raise SlotBusy(f"slot {settings.slot} is held by another process") from None


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
