"""A slot's sign of life: who it is and what its server can run."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from datetime import UTC, datetime
from typing import get_args

from contracts.failures import ChimeraError
from contracts.settings import WorkerSettings
from contracts.slots import SlotStatus
from contracts.store import Store, redacted
from contracts.sweep import ServerKind, ServerSpec
from worker.heartbeat import TTL_S
from worker.servers import open_server

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


async def _models(kind: ServerKind, url: str) -> list[str]:
    server = open_server(ServerSpec(kind=kind), url)
    try:
        return await server.models()
    finally:
        await server.aclose()


class SlotSign:
    """Shows the slot's status; asks its server every ``PROBE_EVERY_S``, and never while it is measured."""

    def __init__(self, settings: WorkerSettings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._probed = -PROBE_EVERY_S
        self._models: dict[str, tuple[str, ...]] = {}
        self._problem: str | None = None

    def show(self) -> None:
        now = time.monotonic()
        if now - self._probed >= PROBE_EVERY_S and not self._store.leased(self._settings.slot):
            self._models, self._problem = probe(self._settings.server)
            self._probed = now
        self._store.put_slot(self._status(), ttl_s=TTL_S)

    def withdraw(self) -> None:
        self._store.drop_slot(self._settings.slot)

    def _status(self) -> SlotStatus:
        return SlotStatus(
            slot=self._settings.slot,
            pool=self._settings.pool,
            host=platform.node(),
            pid=os.getpid(),
            server=redacted(self._settings.server),
            max_deadline_s=self._settings.max_deadline_s,
            models=self._models,
            problem=self._problem,
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
