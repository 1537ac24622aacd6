"""Slots and queues as they are now, read for whoever watches: a few round trips, however many there are.

The scan of the keys takes one round trip for each :data:`SCAN` of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar, cast

from pydantic import ValidationError

from contracts.breaker import Breaker
from contracts.queues import slot_queue
from contracts.slots import SlotStatus
from contracts.store import Store
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
