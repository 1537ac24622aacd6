"""A slot's sign of life: who it is and what its server can run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import get_args

from contracts.failures import ChimeraError
from contracts.floor import MeasurementFloor
from contracts.redis_client import redacted
from contracts.settings import WorkerSettings
from contracts.slots import FurtherServer, ModelLimits, SlotStatus
from contracts.store import Store
from contracts.sweep import ServerKind, ServerSpec
from worker.heartbeat import BEAT_S, TTL_S
from worker.servers import open_server
from worker.telemetry.host import boot_id, host_identity

PROBE_EVERY_S = 15.0


def probe(url: str) -> tuple[dict[str, tuple[str, ...]], str | None]:
    """Ask the server for its models by every protocol; return them and, where none answers, why."""
    models: dict[str, tuple[str, ...]] = {}
    problems = []
    for kind in get_args(ServerKind):
        try:
            models[kind] = tuple(asyncio.run(_models(kind, url)))
        except ChimeraError as error:
            problems.append(str(error))
    return models, None if models else problems[0]


def probed(url: str) -> FurtherServer:
    """Return what a further server can run."""
    models, problem = probe(url)
    return FurtherServer(server=redacted(url), models=models, problem=problem)


async def limits_of(kind: ServerKind, url: str, names: Iterable[str]) -> dict[str, ModelLimits]:
    """Return what the server says that it can run the models with at most; those it says nothing of are left out."""
    server = open_server(ServerSpec(kind=kind), url)
    try:
        told = {name: await server.limits(name) for name in names}
    finally:
        await server.aclose()
    return {name: limits for name, limits in told.items() if limits != ModelLimits()}


async def _models(kind: ServerKind, url: str) -> list[str]:
    server = open_server(ServerSpec(kind=kind), url)
    try:
        return await server.models()
    finally:
        await server.aclose()


class SlotSign:
    """Shows the slot's status; asks its server every ``PROBE_EVERY_S``, sooner where it fails, never while it is measured."""

    def __init__(self, settings: WorkerSettings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._probed = -PROBE_EVERY_S
        self._models: dict[str, tuple[str, ...]] = {}
        self._limits: dict[str, ModelLimits] = {}
        self._asked: set[str] = set()
        self._problem: str | None = None
        self._further: dict[str, FurtherServer] = {}
        host = host_identity(gpu_indices=[])
        self._here = (host.host, boot_id(), host.chimera, host.python)

    def show(self) -> None:
        now = time.monotonic()
        pause_s = PROBE_EVERY_S if self._problem is None else BEAT_S
        if now - self._probed >= pause_s and not self._store.leased(self._settings.slot):
            self._models, self._problem = probe(self._settings.server)
            self._further = {name: probed(url) for name, url in self._settings.also}
            self._ask_limits()
            self._probed = now
        self._store.put_slot(self._status(), ttl_s=TTL_S)

    def withdraw(self) -> None:
        self._store.drop_slot(self._settings.slot)

    def _floor(self) -> MeasurementFloor | None:
        floor = self._store.floor(self._settings.slot)
        return floor if floor is not None and floor.holds_for(*self._here) else None

    def _ask_limits(self) -> None:
        """Ask for each new model once: they are the model's own."""
        new = [name for name in self._models.get("ollama", ()) if name not in self._asked]
        with contextlib.suppress(ChimeraError):
            self._limits |= asyncio.run(limits_of("ollama", self._settings.server, new)) if new else {}
            self._asked.update(new)

    def _status(self) -> SlotStatus:
        return SlotStatus(
            slot=self._settings.slot,
            pool=self._settings.pool,
            host=platform.node(),
            pid=os.getpid(),
            server=redacted(self._settings.server),
            max_deadline_s=self._settings.max_deadline_s,
            models=self._models,
            limits=self._limits,
            floor=self._floor(),
            problem=self._problem,
            further=self._further,
            seen_at=datetime.now(UTC),
        )


class AggregatorSign:
    """Shows that an aggregator lives."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._name = f"{platform.node()}:{os.getpid()}"

    def show(self) -> None:
        self._store.put_aggregator(self._name, ttl_s=TTL_S)

    def withdraw(self) -> None:
        self._store.drop_aggregator(self._name)
