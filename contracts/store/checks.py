"""Texts that wait to be checked against the ingested files, and what was found: the aggregator's work while slots measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import redis

from contracts.store.keys import execution_key


class Checks:
    """Part of :class:`contracts.store.Store`."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client

    def take_unchecked(self, execution: str, most: int) -> list[str]:
        """Take ids of jobs whose texts nobody has checked off the list, oldest first.

        One that is taken and not checked is checked when its configuration is summarised.
        """
        found = cast(list[str] | None, self.client.lpop(execution_key(execution, "unchecked"), most))
        return found or []

    def put_checked(self, execution: str, found: Mapping[str, bytes]) -> None:
        """Store by job's id what was found (:func:`analysis.summary.check_run`)."""
        if found:
            self.client.hset(execution_key(execution, "checked"), mapping=cast(dict[Any, Any], found))
