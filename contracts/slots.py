"""What a slot's worker tells about itself, for as long as it lives."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from contracts.base import SCHEMA_VERSION, Strict
from contracts.floor import MeasurementFloor


class ModelLimits(Strict):
    """What a server says that a model can be run with at most; ``None``: it does not say."""

    layers: int | None = None
    """Its blocks; see :mod:`contracts.applied` for what they mean for ``num_gpu``."""
    context: int | None = None
    """``num_ctx`` beyond it is clamped."""


class FurtherServer(Strict):
    """A model server that a slot has beside its own, for agents that name it."""

    server: str
    """URL without user and password."""
    models: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """As in :class:`SlotStatus`, as is ``problem``."""
    problem: str | None = None


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
    limits: dict[str, ModelLimits] = Field(default_factory=dict)
    """By model, where the server tells any."""
    floor: MeasurementFloor | None = None
    """What its calibration found; ``None``: not calibrated since its machine was started, or by another version."""
    problem: str | None = None
    """Why the server could not be asked."""
    further: dict[str, FurtherServer] = Field(default_factory=dict)
    """By name."""
    seen_at: datetime
