"""The aggregator's work while slots measure: outcomes that have come are made ready for their configurations' summaries.

All configurations of a sweep in blocks get their last run within the last block. Of all that their summaries take, this
alone can be done run by run, and it is most of it: to parse an outcome, to make its rows, to check its texts.
"""

from __future__ import annotations

import logging

import redis

from analysis.prepared import pack_rows
from analysis.rows import row_of
from analysis.summary import check_run
from contracts.outcome import JobOutcome
from contracts.records import records_of
from contracts.store import Store
from worker.aggregation import grounder_of, plan_of, runs_by_now
from worker.background import Background

LOOK_FOR_NEW_S = 0.5
AT_ONCE = 10
"""Jobs that are taken at once: those that a killed aggregator took are dealt with by the summaries."""

log = logging.getLogger(__name__)


class WorkAhead(Background):
    """A thread in the aggregator's parent process, from :meth:`start` to :meth:`stop`."""

    def __init__(self, store: Store) -> None:
        super().__init__("ahead", join_s=LOOK_FOR_NEW_S)
        self._store = store

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
        made = {outcome.job_id: made_of(store, outcome) for outcome in store.outcomes(execution, job_ids)}
        store.put_ahead(
            execution,
            prepared={job_id: prepared for job_id, (prepared, _) in made.items()},
            checked={job_id: checked for job_id, (_, checked) in made.items() if checked is not None},
        )
    return len(job_ids)


def made_of(store: Store, outcome: JobOutcome) -> tuple[bytes, bytes | None]:
    """Return the outcome's rows, packed, and what is found in its texts; ``None``: the files are not known."""
    records = list(records_of(outcome))
    rows = list(map(row_of, records))
    grounder = grounder_of(store, outcome.execution)
    if grounder is None:
        return pack_rows(rows), None
    if outcome.agents or not any(row.has_text for row in rows):  # of several agents, with the summary
        return pack_rows(rows), None
    manifest, _ = plan_of(store, outcome.execution)
    return pack_rows(rows), check_run(
        rows,
        records,
        parameters=outcome.configuration.parameters.given(),
        runs=runs_by_now(manifest, outcome.configuration.name),
        grounder=grounder,
    )
