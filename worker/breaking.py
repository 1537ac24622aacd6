"""The circuit breaker of this slot, as its jobs see it: it opens after failures in a row, a good job closes it.

The pool's process notes the jobs (this module); the parent process stops consuming and asks the server
(:mod:`worker.probing`). What they tell each other is in the store, so that a restarted worker goes on with it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from contracts.breaker import TRIPS_AFTER, Breaker
from contracts.call import CallResult, Outcome
from contracts.outcome import JobOutcome
from contracts.settings import WorkerSettings
from contracts.store import Store

PAUSE_SCALE = "CHIMERA_PROBE_SCALE"
"""Environment variable: the pauses between two probes are multiplied by it."""
PAUSES_S = (5.0, 10.0, 20.0, 40.0, 60.0)
"""Between two probes of a server that is out; the last one from then on."""
ANSWERED = 2
"""Pauses after which they grow no more where the server answers its probes: it may be the jobs that fail on any server."""

_BY_THE_SERVER = frozenset({Outcome.CONNECTION, Outcome.SERVER_ERROR, Outcome.TIMEOUT})
_STILL_THE_SERVER = frozenset({408, 429})
"""Of the 4xx: request timeout, too many requests."""


def pause_s(probes: int, *, answered: bool = False) -> float:
    """Return how long to wait after that many probes, s; ``answered``: the server answered the last one."""
    most = ANSWERED if answered else len(PAUSES_S)
    return PAUSES_S[min(probes, most - 1)] * float(os.environ.get(PAUSE_SCALE) or 1)


def fault_of(outcome: JobOutcome) -> str | None:
    """Return by what the server failed the job; ``None``: it did not. Some requests of a load may fail: that is what it is to show."""
    if any(stage.asked is not None for stage in outcome.stages) and not outcome.failed:
        return None
    calls = [stage.call for stage in outcome.stages if stage.call is not None]
    return next((call.reason or call.outcome.value for call in calls if _is_fault(call)), None)


def _is_fault(call: CallResult) -> bool:
    if call.outcome not in _BY_THE_SERVER:
        return False
    if call.outcome is Outcome.SERVER_ERROR and call.http_status is None:
        return False  # it was never sent: the server takes no such request
    status = call.http_status or 0
    return not 400 <= status < 500 or status in _STILL_THE_SERVER


def says_something(outcome: JobOutcome) -> bool:
    """Return whether the server was asked at all."""
    return any(stage.call is not None for stage in outcome.stages)


class SlotBreaker:
    """Counts the failures in a row on one slot; one for each pool process."""

    def __init__(self, settings: WorkerSettings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._row: list[JobOutcome] = []
        self._breaker = store.breaker(settings.slot)

    def is_open(self) -> bool:
        """Return whether the slot takes no jobs now; asks the store only while it is not closed."""
        if self._breaker is not None:
            self._breaker = self._store.breaker(self._settings.slot)
        return self._breaker is not None and self._breaker.state == "open"

    def note(self, outcome: JobOutcome) -> None:
        """Count a job whose outcome is stored."""
        if not says_something(outcome):
            return
        fault = fault_of(outcome)
        if fault is None:
            self._good(outcome)
            return
        self._row.append(outcome)
        if self._breaker is not None or len(self._row) >= TRIPS_AFTER:
            self._open(fault)

    def _good(self, outcome: JobOutcome) -> None:
        self._row = []
        if self._breaker is not None:
            self._breaker = None
            self._store.drop_breaker(self._settings.slot)
            self._store.tell(outcome.execution, f"slot {outcome.slot} is back: its server answers again")

    def _open(self, fault: str) -> None:
        now, old, row = datetime.now(UTC), self._breaker, self._row
        self._breaker = Breaker(
            slot=self._settings.slot,
            pool=self._settings.pool,
            state="open",
            failures=len(row) + (old.failures if old else 0),
            reason=fault,
            since=old.since if old else now,
            probe_at=now + timedelta(seconds=pause_s(0)),
            answered_at=old.answered_at if old else None,
        )
        self._store.put_breaker(self._breaker)
        self._row = []
        for execution in dict.fromkeys(outcome.execution for outcome in row):
            jobs = {o.job_id: o.configuration.id for o in row if o.execution == execution}
            taken_back = len(self._store.void(execution, jobs, slot=self._settings.slot, why=fault))
            self._store.tell(execution, self._line(fault, self._breaker.failures, taken_back))

    def _line(self, fault: str, failures: int, taken_back: int) -> str:
        return (
            f"slot {self._settings.slot} is taken out: {failures} jobs in a row failed by its server ({fault}); "
            f"{taken_back} of them will be measured again"
        )


@lru_cache(maxsize=2)
def breaker_of(settings: WorkerSettings, store: Store) -> SlotBreaker:
    """Return this process's breaker of the slot."""
    return SlotBreaker(settings, store)
