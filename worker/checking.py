"""The aggregator's work while slots measure: it checks the texts of outcomes that have come.

Of all that a summary takes, this alone can be done run by run, and it is most of it. All configurations of a sweep in
blocks get their last run within the last block: without this, their texts would all be checked after the last outcome.
"""

from __future__ import annotations

import logging
import threading

import redis

from analysis.summary import check_run
from contracts.outcome import JobOutcome
from contracts.records import records_of
from contracts.store import Store
from worker.aggregation import grounder_of, plan_of, runs_by_now

LOOK_FOR_NEW_S = 0.5
AT_ONCE = 10
"""Jobs that are taken from the list at once: what a killed aggregator took is checked later."""

log = logging.getLogger(__name__)


class Checking:
    """A thread in the aggregator's parent process, from :meth:`start` to :meth:`stop`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checking", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=LOOK_FOR_NEW_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                found = sum(check(self._store, x, AT_ONCE) for x in self._store.running_executions())
            except redis.RedisError as error:
                log.warning("texts can't be checked now: %s", error)
                found = 0
            except Exception:
                log.exception("texts that can't be checked now are checked with their summaries")
                found = 0
            if not found:
                self._stop.wait(LOOK_FOR_NEW_S)


def check(store: Store, execution: str, most: int) -> int:
    """Check the texts of up to so many jobs that wait for it; return how many there were."""
    job_ids = store.take_unchecked(execution, most)
    found = {}
    for outcome in store.outcomes(execution, job_ids):
        packed = checked(store, outcome)
        if packed is not None:
            found[outcome.job_id] = packed
    store.put_checked(execution, found)
    return len(job_ids)


def checked(store: Store, outcome: JobOutcome) -> bytes | None:
    """Return what is found in the outcome's texts; ``None``: the files are not known."""
    grounder = grounder_of(store, outcome.execution)
    if grounder is None:
        return None
    manifest, _ = plan_of(store, outcome.execution)
    return check_run(
        list(records_of(outcome)),
        parameters=outcome.configuration.parameters.given(),
        runs=runs_by_now(manifest, outcome.configuration.name),
        grounder=grounder,
    )
