"""The aggregator's care for executions that nobody follows: a thread in its parent process."""

from __future__ import annotations

import logging

import redis
from celery import Celery

from contracts.failures import ChimeraError
from contracts.store import Store
from dispatch.steward import Steward
from dispatch.window import LOOK_S
from worker.background import Background

LOOK_FOR_NEW_S = 2.0

log = logging.getLogger(__name__)


class Stewards(Background):
    """One steward for each live execution; only where no other process holds its stewardship does it do anything."""

    def __init__(self, app: Celery, store: Store) -> None:
        super().__init__("stewards", join_s=LOOK_FOR_NEW_S)
        self._app = app
        self._store = store
        self._stewards: dict[str, Steward] = {}

    def _run(self) -> None:
        held = False
        while not self._stop.wait(LOOK_S if held else LOOK_FOR_NEW_S):
            try:
                live = self._store.running_executions()
                self._stewards = {x: steward for x, steward in self._stewards.items() if x in live}
                looked = [self._look(execution) for execution in live]
                held = any(looked)
            except redis.RedisError as error:
                log.warning("executions can't be looked after now: %s", error)

    def _look(self, execution: str) -> bool:
        """Look after one execution; return whether it is in our care. What is wrong with it is no other's matter."""
        try:
            if execution not in self._stewards:
                self._stewards[execution] = Steward(self._store, self._app, execution)
            return self._stewards[execution].look()
        except (redis.RedisError, ChimeraError) as error:
            log.warning("%s can't be looked after now: %s", execution, error)
        except Exception:
            log.exception("the steward of %s failed", execution)
        return False
