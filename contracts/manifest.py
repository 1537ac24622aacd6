"""``manifest.json``: what was asked, in which order, by which code, on which machines."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from contracts.base import SCHEMA_VERSION, Strict
from contracts.configuration import Configuration
from contracts.floor import MeasurementFloor
from contracts.outcome import HostIdentity, ServerIdentity
from contracts.sweep import SweepSpec


class OrderedJob(Strict):
    """One line of the order in which the jobs were published."""

    job_id: str
    configuration: str
    run: int
    block: int


class SlotIdentity(Strict):
    """One slot that measured, with its machine and its server."""

    slot: str
    pool: str
    host: HostIdentity | None = None
    server: ServerIdentity | None = None
    floor: MeasurementFloor | None = None
    """``None``: the slot was never calibrated."""


class Manifest(Strict):
    """One execution of one sweep."""

    schema_version: Literal[1] = SCHEMA_VERSION
    sweep: str
    execution: str
    """``<UTC timestamp>-<first 8 digits of the sweep's id>``: also the results folder's name."""
    sweep_id: str
    """Content hash of spec and corpus."""
    corpus_digest: str
    created_at: datetime
    finished_at: datetime | None = None
    spec: SweepSpec
    configurations: tuple[Configuration, ...]
    order_seed: int
    order: tuple[OrderedJob, ...]
    versions: dict[str, str]
    git_commit: str | None = None
    slots: tuple[SlotIdentity, ...] = ()
    resumed: int = 0
    """How often the execution was taken up again."""
