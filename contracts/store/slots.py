"""Slots and aggregators in the store: who lives, what was found out about them, what is broken."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeVar, cast

import redis
from pydantic import BaseModel, ValidationError

from contracts.breaker import Breaker
from contracts.floor import MeasurementFloor
from contracts.slots import SlotStatus
from contracts.store.keys import (
    AGGREGATORS,
    SLOTS,
    aggregator_key,
    answer_key,
    breaker_key,
    floor_key,
    lease_key,
    slot_key,
)

Model = TypeVar("Model", bound=BaseModel)


class Slots:
    """Part of :class:`contracts.store.Store`."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client

    def put_slot(self, status: SlotStatus, *, ttl_s: int) -> None:
        with self.client.pipeline(transaction=True) as pipe:
            pipe.set(slot_key(status.slot), status.model_dump_json(), ex=ttl_s)
            pipe.sadd(SLOTS, status.slot)
            pipe.execute()

    def drop_slot(self, slot: str) -> None:
        self.client.delete(slot_key(slot))

    def slot(self, slot: str) -> SlotStatus | None:
        text = self.client.get(slot_key(slot))
        return None if text is None else SlotStatus.model_validate_json(str(text))

    def slots(self) -> list[SlotStatus]:
        """Return all live slots, by name."""
        names = sorted(cast(set[str], self.client.smembers(SLOTS)))
        texts = cast(list[str | None], self.client.mget([slot_key(name) for name in names])) if names else []
        gone = [name for name, text in zip(names, texts, strict=True) if text is None]
        if gone:
            self.client.srem(SLOTS, *gone)  # one that lives comes back with its next beat
        return [read for text in texts if text is not None and (read := _read(SlotStatus, text)) is not None]

    def put_floor(self, slot: str, floor: MeasurementFloor) -> None:
        self.client.set(floor_key(slot), floor.model_dump_json())

    def put_answer(self, task_id: str, answer: dict[str, Any], *, ttl_s: int = 300) -> None:
        self.client.set(answer_key(task_id), json.dumps(answer), ex=ttl_s)

    def floor(self, slot: str) -> MeasurementFloor | None:
        """Return what the slot's last calibration found, on whichever machine the slot was then."""
        text = self.client.get(floor_key(slot))
        return None if text is None else _read(MeasurementFloor, str(text))

    def put_aggregator(self, name: str, *, ttl_s: int) -> None:
        with self.client.pipeline(transaction=True) as pipe:
            pipe.set(aggregator_key(name), "live", ex=ttl_s)
            pipe.sadd(AGGREGATORS, name)
            pipe.execute()

    def drop_aggregator(self, name: str) -> None:
        self.client.delete(aggregator_key(name))

    def has_aggregator(self) -> bool:
        """Return whether an aggregator is live."""
        names = cast(set[str], self.client.smembers(AGGREGATORS))
        gone = [name for name in names if not self.client.exists(aggregator_key(name))]
        if gone:
            self.client.srem(AGGREGATORS, *gone)
        return len(gone) < len(names)

    def leased(self, slot: str) -> bool:
        """Return whether a job measures on the slot now."""
        return bool(self.client.exists(lease_key(slot)))

    def leased_of(self, slots: Iterable[str]) -> set[str]:
        """Return those of the slots that a job measures on now."""
        names = list(slots)
        with self.client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.exists(lease_key(name))
            found = pipe.execute()
        return {name for name, there in zip(names, found, strict=True) if there}

    # --- circuit breakers -------------------------------------------------------------------

    def breaker(self, slot: str) -> Breaker | None:
        """Return the slot's circuit breaker; ``None``: it is closed."""
        text = self.client.get(breaker_key(slot))
        return None if text is None else _read(Breaker, str(text))

    def breakers(self, slots: Iterable[str]) -> dict[str, Breaker]:
        """Return the circuit breakers of those of the slots where they are not closed."""
        names = list(slots)
        texts = cast(list[str | None], self.client.mget([breaker_key(n) for n in names])) if names else []
        return {
            name: read
            for name, text in zip(names, texts, strict=True)
            if text is not None and (read := _read(Breaker, text)) is not None
        }

    def put_breaker(self, breaker: Breaker) -> None:
        self.client.set(breaker_key(breaker.slot), breaker.model_dump_json())

    def drop_breaker(self, slot: str) -> None:
        """Close the slot's circuit breaker."""
        self.client.delete(breaker_key(slot))


def _read(model: type[Model], text: str) -> Model | None:
    """Return what is stored; ``None``: it is of another version, as good as none, and no reason to do nothing at all."""
    try:
        return model.model_validate_json(text)
    except ValidationError:
        return None
