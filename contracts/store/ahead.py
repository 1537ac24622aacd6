"""What the aggregator makes of outcomes as they come, before their configurations are summarised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import redis

from contracts.store.keys import execution_key


class Ahead:
    """Part of :class:`contracts.store.Store`."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client

    def take_new(self, execution: str, most: int) -> list[str]:
        """Take ids of jobs that have a valid outcome off the list of the new ones, oldest first.

        A valid outcome stays the one that counts. One that is taken, and nothing stored, is dealt with when its
        configuration is summarised.
        """
        found = cast(list[str] | None, self.client.lpop(execution_key(execution, "new"), most))
        return found or []

    def put_ahead(
        self, execution: str, *, prepared: Mapping[str, bytes], checked: Mapping[str, bytes]
    ) -> None:
        """Store by job's id its rows (:mod:`analysis.prepared`) and what was found in its texts (:mod:`analysis.grounded`)."""
        with self.client.pipeline(transaction=False) as pipe:
            for kind, found in (("prepared", prepared), ("checked", checked)):
                if found:
                    pipe.hset(execution_key(execution, kind), mapping=cast(dict[Any, Any], found))
            pipe.execute()
