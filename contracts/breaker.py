"""The circuit breaker of a slot: out of its pool while its model server fails."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from contracts.base import SCHEMA_VERSION, Strict

TRIPS_AFTER = 3
"""Jobs that fail in a row by the server's fault before the slot is taken out."""


class Breaker(Strict):
    """Kept in the store while it is not closed; a slot without one is served as usual."""

    schema_version: Literal[1] = SCHEMA_VERSION
    slot: str
    pool: str
    state: Literal["open", "half-open"]
    """``open``: the slot takes no job, its server is probed; ``half-open``: the server answered the probe, the next
    job decides."""
    failures: int
    """Jobs that failed in a row."""
    reason: str
    """The last one's."""
    since: datetime
    """When it opened first."""
    probe_at: datetime
    """When the server is asked next."""
    answered_at: datetime | None = None
    """When it answered a probe last; ``None``: it has not since it failed."""

    @property
    def works(self) -> bool:
        """Whether the slot takes jobs."""
        return self.state == "half-open"
