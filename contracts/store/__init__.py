"""The result store: what both sides keep in Redis, and the operations on it."""

from __future__ import annotations

import redis

from contracts.store.ahead import Ahead
from contracts.store.counts import Counts
from contracts.store.executions import KEPT_S, LIVE, Executions, Feeding, Status
from contracts.store.jobs import CHUNK, Jobs, Progress
from contracts.store.keys import answer_key, claim_key, lease_key
from contracts.store.queue_lengths import Queues
from contracts.store.slots import Slots
from contracts.store.summaries import Summaries

__all__ = [
    "CHUNK",
    "KEPT_S",
    "LIVE",
    "Counts",
    "Feeding",
    "Progress",
    "Status",
    "Store",
    "answer_key",
    "claim_key",
    "lease_key",
]


class Store(Executions, Jobs, Ahead, Summaries, Slots, Queues):
    """Operations on the keys of :mod:`contracts.store.keys`. Errors of Redis pass through as ``redis.RedisError``."""

    def __init__(self, client: redis.Redis) -> None:
        for part in (Executions, Jobs, Ahead, Summaries, Slots, Queues):
            part.__init__(self, client)
