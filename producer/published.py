"""The jobs of an execution as they become known: those of the start, and of each block that is decided later."""

from __future__ import annotations

from contracts.blocks import JobMaker
from contracts.job import JobSpec
from contracts.manifest import Manifest, Round
from contracts.store import Store


class Published:
    """What was published; :meth:`news` asks the store for what was decided since."""

    def __init__(self, store: Store, manifest: Manifest, maker: JobMaker) -> None:
        self._store = store
        self._maker = maker
        self._execution = manifest.execution
        self._adaptive = manifest.spec.until_precise is not None
        self._next = manifest.spec.first_runs + 1
        self._ended = not self._adaptive
        rounds = store.rounds(manifest.execution) if self._adaptive else []
        self.jobs: list[JobSpec] = maker.jobs(manifest.with_rounds(rounds).order)
        """In the order of their publishing."""
        self.later: dict[str, int] = {}
        """Job id → block, of those that were decided on since: they are in chords of their own."""
        self._count(rounds)

    @property
    def next_block(self) -> int | None:
        """The block that is to be decided on next; ``None``: the execution has all its jobs."""
        return None if self._ended else self._next

    @property
    def newest(self) -> list[JobSpec]:
        """The jobs of the newest block that was decided on later."""
        return [job for job in self.jobs if job.block == self._next - 1] if self._adaptive else []

    def news(self) -> list[Round]:
        """Return the decisions since the last call, their jobs added."""
        found = []
        while not self._ended and (one := self._store.round(self._execution, self._next)) is not None:
            self.jobs += self._maker.jobs(one.jobs)
            self.later |= {job.job_id: one.block for job in one.jobs}
            self._count([one])
            found.append(one)
        return found

    def _count(self, rounds: list[Round]) -> None:
        for one in rounds:
            self._next = one.block + 1
            self._ended = not one.jobs
