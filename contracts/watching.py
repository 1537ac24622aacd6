"""Slots and queues as they are now, read for whoever watches: a few round trips, however many there are.

The scan of the keys takes one round trip for each :data:`SCAN` of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar, cast

from pydantic import ValidationError

from contracts.breaker import Breaker
from contracts.queues import slot_queue
from contracts.slots import SlotStatus
from contracts.store import Progress, Store
from contracts.store.keys import aggregator_key, breaker_key, lease_key, slot_key
from contracts.store.queue_lengths import lists_of

_Model = TypeVar("_Model", SlotStatus, Breaker)

SCAN = 10_000
"""Keys that Redis looks at in one round trip: under 10 ms."""


@dataclass(frozen=True)
class SlotNow:
    """One slot."""

    slot: str
    status: SlotStatus | None
    """``None``: its worker gives no sign of life, or is of another version."""
    breaker: Breaker | None
    """``None``: it is closed."""
    lease_s: float | None
    """In how many s the lease expires unless it is renewed; ``None``: no job holds the slot."""
    queued: int
    """Messages that wait for this slot alone."""


def slots_now(store: Store, also: Iterable[str] = ()) -> list[SlotNow]:
    """Return all live slots, and those that are named, by name."""
    client = store.client
    prefix = slot_key("")
    names = sorted(
        {key.removeprefix(prefix) for key in client.scan_iter(f"{prefix}*", count=SCAN)} | set(also)
    )
    if not names:
        return []
    with client.pipeline(transaction=False) as pipe:
        pipe.mget([slot_key(name) for name in names])
        pipe.mget([breaker_key(name) for name in names])
        for name in names:
            pipe.pttl(lease_key(name))
        statuses, breakers, *leases = pipe.execute()
    waiting = lengths(store, [slot_queue(name) for name in names])
    return [
        SlotNow(
            slot=name,
            status=_read(SlotStatus, status),
            breaker=_read(Breaker, breaker),
            lease_s=lease / 1e3 if lease >= 0 else None,
            queued=waiting[slot_queue(name)],
        )
        for name, status, breaker, lease in zip(names, statuses, breakers, leases, strict=True)
    ]


def working_slots(slots: Iterable[SlotNow], pool: str) -> set[str]:
    """Return the names of those of a pool that can measure now: the server answers, and no breaker is open."""
    return {
        one.slot
        for one in slots
        if one.status is not None
        and one.status.pool == pool
        and one.status.problem is None
        and (one.breaker is None or one.breaker.state != "open")
    }


def alive(store: Store, execution: str, progress: Progress) -> Progress:
    """Return the progress with those jobs alone that run: a killed worker's stay in it until they are sent again.

    A worker holds a claim on the job that it runs, which ends some seconds after it; and a slot runs one at a time, so
    that of several the newest is it.
    """
    if not progress.running:
        return progress
    claimed = store.claimed_of(execution, progress.running)
    newest: dict[object, str] = {}
    for job_id in sorted(claimed, key=lambda job_id: _since(progress.running[job_id])):
        newest[progress.running[job_id].get("slot")] = job_id
    return replace(progress, running={job_id: progress.running[job_id] for job_id in newest.values()})


def started_at(line: Mapping[str, object]) -> datetime | None:
    """Return when the job of a line of ``running`` began, UTC; ``None``: it does not say."""
    try:
        return datetime.fromisoformat(str(line["started_at"])).astimezone(UTC)
    except (KeyError, ValueError):
        return None


def _since(line: Mapping[str, object]) -> datetime:
    return started_at(line) or datetime.min.replace(tzinfo=UTC)


def lengths(store: Store, queues: Iterable[str]) -> dict[str, int]:
    """Return how many messages wait in each queue, of all priorities."""
    names = list(dict.fromkeys(queues))
    with store.client.pipeline(transaction=False) as pipe:
        for queue in names:
            for part in lists_of(queue):
                pipe.llen(part)
        found = cast(list[int], pipe.execute())
    parts = len(lists_of(""))
    return {queue: sum(found[at * parts : (at + 1) * parts]) for at, queue in enumerate(names)}


def live_aggregators(store: Store) -> int:
    """Return how many aggregators live."""
    return len(set(store.client.scan_iter(f"{aggregator_key('')}*", count=SCAN)))


def _read(model: type[_Model], text: str | None) -> _Model | None:
    try:
        return None if text is None else model.model_validate_json(text)
    except ValidationError:  # of another version: it tells us nothing
        return None
