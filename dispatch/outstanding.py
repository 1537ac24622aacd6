"""The jobs that are published and have no outcome yet: some thousand at most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.plots import Planned
from contracts.store import Store


class Outstanding:
    """Job id → its place in the plan, with the unit that it was published in."""

    def __init__(self, store: Store, execution: str) -> None:
        self._store = store
        self._execution = execution
        self._jobs: dict[str, tuple[Planned, str]] = {}

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._jobs

    def __iter__(self) -> Iterator[str]:
        return iter(self._jobs)

    def add(self, job_id: str, job: Planned, unit: str) -> None:
        """``unit``: name of its unit; of one with several jobs, its queue."""
        self._jobs[job_id] = (job, unit)

    def refresh(self) -> None:
        """Forget the jobs that have an outcome by now."""
        left = self._store.without_outcome(self._execution, self._jobs)
        self._jobs = {job_id: self._jobs[job_id] for job_id in left}

    def units(self) -> set[str]:
        """Return the units that the jobs are in."""
        return {unit for _, unit in self._jobs.values()}

    def queues(self) -> set[str]:
        """Return the queues of the units that several jobs may be in: those of plots."""
        return {unit for job, unit in self._jobs.values() if job.load is not None}

    def those(self, job_ids: Iterable[str]) -> list[Planned]:
        """Return the jobs of these ids, as far as they are outstanding."""
        return [self._jobs[job_id][0] for job_id in job_ids if job_id in self._jobs]
