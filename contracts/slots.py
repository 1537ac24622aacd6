"""What a slot's worker tells about itself, for as long as it lives."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from contracts.base import SCHEMA_VERSION, Strict


class SlotStatus(Strict):
    """One live slot, as its worker last saw it. Kept in the store with a time to live."""

    schema_version: Literal[1] = SCHEMA_VERSION
    slot: str
    pool: str
    host: str
    pid: int
    server: str
    """URL without user and password."""
    max_deadline_s: float
    models: dict[str, tuple[str, ...]]
    """Server kind → models that it can run; a kind that the server does not speak is absent."""
    problem: str | None = None
    """Why the server could not be asked."""
    seen_at: datetime
