"""The aggregator's care for executions that nobody follows: a thread in its parent process."""

from __future__ import annotations

import logging
import threading

import redis
from celery import Celery

from contracts.failures import ChimeraError
from contracts.store import Store
from dispatch.steward import Steward
from dispatch.window import LOOK_S

LOOK_FOR_NEW_S = 2.0

log = logging.getLogger(__name__)


class Stewards:
    """One steward for each live execution; only where no other process holds its stewardship does it do anything."""

    def __init__(self, app: Celery, store: Store) -> None:
        self._app = app
        self._store = store
        self._stewards: dict[str, Steward] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stewards", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=LOOK_FOR_NEW_S)

    def _run(self) -> None:
        held = False
        while not self._stop.wait(LOOK_S if held else LOOK_FOR_NEW_S):
            try:
                held = self._look()
            except (redis.RedisError, ChimeraError) as error:
                log.warning("executions can't be looked after now: %s", error)
            except Exception:
                log.exception("a steward failed")

    def _look(self) -> bool:
        """Look after every live execution; return whether any is in our care."""
        live = self._store.running_executions()
        self._stewards = {x: steward for x, steward in self._stewards.items() if x in live}
        for execution in live:
            if execution not in self._stewards and self._store.manifest(execution) is not None:
                self._stewards[execution] = Steward(self._store, self._app, execution)
        held = [steward.look() for steward in self._stewards.values()]
        return any(held)
