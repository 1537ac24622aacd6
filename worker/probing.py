"""Watches the slot's circuit breaker from the parent process, and asks the server of a slot that is out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import redis

from contracts.breaker import Breaker
from contracts.settings import WorkerSettings
from contracts.store import Store
from worker.background import Background
from worker.breaking import pause_s
from worker.slot import probe

LOOK_S = 1.0

log = logging.getLogger(__name__)

Probe = Callable[[str], str | None]
"""Address → why the server does not answer; ``None``: it does."""


def _ask(url: str) -> str | None:
    return probe(url)[1]


class Prober(Background):
    """A thread that lives as long as the worker. ``is_out``: the slot takes no jobs now."""

    def __init__(self, settings: WorkerSettings, store: Store, ask: Probe = _ask) -> None:
        super().__init__("prober", join_s=LOOK_S)
        self.is_out = False
        self._settings = settings
        self._store = store
        self._ask = ask
        self._probes = 0
        """Since the breaker was last closed."""
        self._next_at = datetime.min.replace(tzinfo=UTC)

    def look(self) -> None:
        """Take over what the store says of the breaker; ask the slot's servers where it is time."""
        breaker = self._store.breaker(self._settings.slot)
        if breaker is None:
            self._probes = 0
        elif breaker.state == "open" and breaker.probe_at < self._next_at:
            # Opened again after a probe that had been answered: the pauses go on growing.
            breaker = breaker.model_copy(update={"probe_at": self._next_at})
            self._store.put_breaker(breaker)
        elif breaker.state == "open" and datetime.now(UTC) >= breaker.probe_at:
            breaker = self._probed(breaker)
            self._store.put_breaker(breaker)
            if breaker.works:
                self._tell(
                    f"slot {breaker.slot}: its server answers; the next job decides whether the slot is back"
                )
        self.is_out = breaker is not None and breaker.state == "open"

    def _probed(self, breaker: Breaker) -> Breaker:
        urls = (self._settings.server, *(url for _, url in self._settings.also))
        problem = next(filter(None, map(self._ask, urls)), None)
        self._probes += 1
        now = datetime.now(UTC)
        self._next_at = now + timedelta(seconds=pause_s(self._probes, answered=problem is None))
        if problem is None:
            return breaker.model_copy(
                update={"state": "half-open", "probe_at": self._next_at, "answered_at": now}
            )
        return breaker.model_copy(update={"reason": problem, "probe_at": self._next_at})

    def _tell(self, line: str) -> None:
        with contextlib.suppress(redis.RedisError):  # a note is no reason to stay out
            for execution in self._store.running_executions():
                self._store.tell(execution, line)

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except redis.RedisError as error:
                log.debug("the slot's breaker can't be read now: %s", error)
            except Exception:
                log.exception("the slot's server can't be probed")
            if self._stop.wait(LOOK_S):
                return
