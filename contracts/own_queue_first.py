"""The order in which a worker's queues are looked at: its slot's before its pool's.

kombu takes this class by its import path (transport option ``queue_order_strategy``); the protocol is that of
:mod:`kombu.utils.scheduling`. Redis looks at the queues in the order given, at all of one priority first.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.queues import slot_queue

PATH = "contracts.own_queue_first:own_queue_first"
"""Value of ``queue_order_strategy``."""


class own_queue_first:
    """Queues of slots, then all others; each by name, because kombu gives them as a set."""

    def __init__(self, it: Iterable[str] | None = None) -> None:
        self.items: list[str] = []
        self.update(it or ())

    def update(self, it: Iterable[str]) -> None:
        """Take these queues in place of those before."""
        self.items = sorted(it, key=lambda queue: (not queue.startswith(slot_queue("")), queue))

    def consume(self, n: int) -> list[str]:
        """Return the first ``n`` queues."""
        return self.items[:n]

    def rotate(self, last_used: str) -> str:
        """Keep the order, whichever queue gave the last message."""
        return last_used
