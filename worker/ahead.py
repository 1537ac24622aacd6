"""The aggregator's work while slots measure: outcomes that have come are made ready for their configurations' summaries.

All configurations of a sweep in blocks get their last run within the last block. Of all that their summaries take, this
alone can be done run by run, and it is most of it: to parse an outcome, to make its rows, to check its texts.
"""

from __future__ import annotations

import logging
import threading

import redis

from analysis.prepared import prepare
from analysis.summary import check_run
from contracts.outcome import JobOutcome
from contracts.records import records_of
from contracts.store import Store
from worker.aggregation import grounder_of, plan_of, runs_by_now

LOOK_FOR_NEW_S = 0.5
AT_ONCE = 10
"""Jobs that are taken at once: those that a killed aggregator took are dealt with by the summaries."""

log = logging.getLogger(__name__)


class WorkAhead:
    """A thread in the aggregator's parent process, from :meth:`start` to :meth:`stop`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ahead", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=LOOK_FOR_NEW_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            found = 0
            try:
                found = sum(work_ahead(self._store, x, AT_ONCE) for x in self._store.running_executions())
            except redis.RedisError as error:
                log.warning("outcomes can't be prepared now: %s", error)
            except Exception:
                log.exception("outcomes that can't be prepared now are prepared with their summaries")
            if not found:
                self._stop.wait(LOOK_FOR_NEW_S)


def work_ahead(store: Store, execution: str, most: int) -> int:
    """Prepare up to so many new outcomes and check their texts; return how many there were."""
    job_ids = store.take_new(execution, most)
    if job_ids:
        made = list(store.outcomes(execution, job_ids))
        found = {
            outcome.job_id: packed for outcome in made if (packed := checked(store, outcome)) is not None
        }
        prepared = {outcome.job_id: prepare(outcome) for outcome in made}
        store.put_ahead(execution, prepared=prepared, checked=found)
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
