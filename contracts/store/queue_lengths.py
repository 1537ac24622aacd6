"""Celery's queues as Redis keeps them: their lengths, their messages, and moving these from one to another.

A queue is a list for each priority; kombu pushes at its left end and takes from its right. What is here relies on
kombu's names only (``<queue>\\x06\\x16<step>``) and never changes a message.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Literal, cast

import redis

from contracts.queues import PRIORITY_STEPS, SEPARATOR, slot_queue, unit_prefix
from contracts.store.keys import execution_key
from contracts.store.scripts import MOVE

_ID = re.compile(r'"id": "([^"]+)"')


class Queues:
    """Part of :class:`contracts.store.Store`."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self._move = client.register_script(MOVE)

    def queued(self, queue: str) -> int:
        """Return how many messages wait in a queue, of all priorities."""
        return self.queued_in([queue])[queue]

    def queued_in(self, queues: Iterable[str]) -> dict[str, int]:
        """Return the same of several queues."""
        names = list(queues)
        with self.client.pipeline(transaction=False) as pipe:
            for queue in names:
                for part in lists_of(queue):
                    pipe.llen(part)
            lengths = cast(list[int], pipe.execute())
        step = len(PRIORITY_STEPS)
        return {queue: sum(lengths[i * step : (i + 1) * step]) for i, queue in enumerate(names)}

    def queued_ids(self, queues: Iterable[str]) -> set[str]:
        """Return the task ids of all messages that wait in the queues."""
        found: set[str] = set()
        for queue in queues:
            with self.client.pipeline(transaction=False) as pipe:
                for name in lists_of(queue):
                    pipe.lrange(name, 0, -1)
                messages = itertools.chain.from_iterable(cast(list[list[str]], pipe.execute()))
            found.update(match[1] for message in messages if (match := _ID.search(message)))
        return found

    def move(
        self,
        source: str,
        target: str,
        *,
        most: int = 1_000_000,
        first: Literal["oldest", "newest"] = "oldest",
    ) -> int:
        """Move messages to another queue, in their order; return how many. At once, for each priority.

        The oldest go behind what waits there, those of the highest priority first; the newest go before it, those of
        the lowest priority first: they would have been served last.
        """
        moved = 0
        pairs = list(zip(lists_of(source), lists_of(target), strict=True))
        for origin, end in pairs if first == "oldest" else reversed(pairs):
            moved += int(cast(int, self._move(keys=[origin, end], args=[most - moved, first])))
        return moved

    def take_unit(self, execution: str, unit: str, slot: str) -> int:
        """Move a unit's jobs into a slot's own queue; return how many: 0 where it was taken before."""
        if not self.queued(unit):
            return 0  # nor is noted who took it then
        self.client.hset(execution_key(execution, "taken"), unit, slot)
        return self.move(unit, slot_queue(slot))

    def put_unit(self, execution: str, unit: str) -> None:
        """Note a unit's queue before its jobs are moved there."""
        self.client.hset(execution_key(execution, "taken"), unit, "")

    def taken_units(self, execution: str) -> dict[str, str]:
        """Return the queues of the units that were taken → the slot that took them; empty: it waits."""
        return cast(dict[str, str], self.client.hgetall(execution_key(execution, "taken")))


def drop_units(client: redis.Redis, execution: str) -> None:
    """Delete the queues of an execution's units: nobody takes them any more."""
    for key in client.scan_iter(match=f"{unit_prefix(execution)}*", count=1000):
        client.delete(key)


def lists_of(queue: str) -> list[str]:
    """Return the names of a queue's lists, by priority."""
    return [queue if step == 0 else f"{queue}{SEPARATOR}{step}" for step in PRIORITY_STEPS]
