"""The slot's registration: its worker tells the store that it lives and what its server can run.

Runs in the worker's parent process, never in the one that measures.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import threading
import time
from datetime import UTC, datetime
from typing import get_args

import redis

from contracts.failures import ChimeraError
from contracts.settings import WorkerSettings
from contracts.slots import SlotStatus
from contracts.store import Store, redacted
from contracts.sweep import ServerKind, ServerSpec
from worker.servers import open_server

BEAT_S = 3.0
TTL_S = 15
PROBE_EVERY_S = 15.0

log = logging.getLogger(__name__)


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


class Registration:
    """Keeps the slot's status alive in the store, from :meth:`start` to :meth:`stop`."""

    def __init__(self, settings: WorkerSettings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="slot registration", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=BEAT_S)
        with contextlib.suppress(redis.RedisError):  # it expires by itself
            self._store.drop_slot(self._settings.slot)

    def _beat(self) -> None:
        probed = -PROBE_EVERY_S
        models: dict[str, tuple[str, ...]] = {}
        problem: str | None = None
        while True:
            try:
                now = time.monotonic()
                # A request beside a running measurement could change it: ask between jobs only.
                if now - probed >= PROBE_EVERY_S and not self._store.leased(self._settings.slot):
                    models, problem = probe(self._settings.server)
                    probed = now
                self._store.put_slot(self._status(models, problem), ttl_s=TTL_S)
            except redis.RedisError as error:
                log.warning("slot %s can't tell Redis that it lives: %s", self._settings.slot, error)
            if self._stop.wait(BEAT_S):
                return

    def _status(self, models: dict[str, tuple[str, ...]], problem: str | None) -> SlotStatus:
        return SlotStatus(
            slot=self._settings.slot,
            pool=self._settings.pool,
            host=platform.node(),
            pid=os.getpid(),
            server=redacted(self._settings.server),
            max_deadline_s=self._settings.max_deadline_s,
            models=models,
            problem=problem,
            seen_at=datetime.now(UTC),
        )
