"""What there is to be watched, read from the store at one moment: executions, slots, queues.

The number of round trips does not depend on the number of jobs, configurations or slots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from analysis.eta import Eta
from contracts.breaker import Breaker
from contracts.manifest import Manifest
from contracts.queues import AGGREGATE_QUEUE, pool_queue
from contracts.store import LIVE, Counts, Progress, Status, Store
from contracts.watching import (
    SlotNow,
    alive,
    lengths,
    live_aggregators,
    slots_now,
    started_at,
    working_slots,
)
from producer.watch_eta import configuration_of, estimate, planned_runs

NOTES = 5
"""Newest notes that are shown."""

SlotState = Literal["measuring", "free", "no server", "open", "half-open", "no sign of life"]


@dataclass(frozen=True)
class ConfigurationRow:
    """How far one configuration is, in jobs."""

    id: str
    name: str
    done: int
    planned: int
    """Of the blocks decided so far."""
    failed: int
    running: int
    job_s: float | None
    """Mean time of its jobs."""


@dataclass(frozen=True)
class JobNow:
    """One job that runs."""

    title: str
    slot: str
    attempt: int | None
    since: datetime | None
    dead: bool = False
    """Its worker is gone: it is sent again."""


@dataclass(frozen=True)
class SlotRow:
    """What one slot does now."""

    slot: str
    pool: str | None
    """``None``: its worker gives no sign of life, so nobody tells."""
    state: SlotState
    why: str | None
    """What is wrong with it."""
    job: JobNow | None
    jobs: int
    """That it has measured for the executions that are shown."""
    queued: int
    """Messages that wait for this slot alone."""
    breaker: Breaker | None


@dataclass(frozen=True)
class ExecutionView:
    """How one execution stands."""

    sweep: str
    execution: str
    pool: str
    status: Status | None
    begun: bool
    """Its jobs are being published: before, its slots are calibrated, say."""
    problem: str | None
    done: int
    planned: int
    failed: int
    running: int
    why: dict[str, int]
    """Outcome word → jobs that failed by it."""
    left: Eta | None
    grows: bool
    """Further blocks may be decided on: neither ``planned`` nor ``left`` knows them."""
    summaries: int
    configurations: tuple[ConfigurationRow, ...]
    notes: tuple[tuple[datetime, str], ...]
    """The newest."""

    @property
    def live(self) -> bool:
        return self.status in LIVE


@dataclass(frozen=True)
class Cluster:
    """Everything that is watched, at one moment."""

    at: datetime
    executions: tuple[ExecutionView, ...]
    slots: tuple[SlotRow, ...]
    queues: dict[str, int]
    """Queue → messages that wait; of the pools and the aggregator."""
    aggregators: int


@dataclass(frozen=True)
class _Read:
    """What the store holds of one execution."""

    manifest: Manifest
    progress: Progress
    """With the jobs alone that run."""
    counts: Counts
    due: dict[str, int]
    jobs: tuple[JobNow, ...]
    """Dead ones too."""


class Watcher:
    """Reads the store again and again; what never changes is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._manifests: dict[str, Manifest] = {}

    def look(self, executions: Iterable[str]) -> Cluster:
        """Return how the executions stand, and the slots and queues of their pools; of all, where there are none."""
        seen = [found for x in executions if (found := self._read(x)) is not None]
        running: dict[str, JobNow] = {}
        for job in sorted((job for one in seen for job in one.jobs), key=_liveliness):
            running[job.slot] = job
        slots = slots_now(self._store, running)
        views = tuple(self._view(one, slots) for one in seen)
        measured: Counter[str] = Counter()
        for one in seen:
            measured.update(one.counts.slot_jobs)
        rows, queues = self._slots({view.pool for view in views if view.live}, slots, running, measured)
        return Cluster(datetime.now(UTC), views, tuple(rows), queues, live_aggregators(self._store))

    def _read(self, execution: str) -> _Read | None:
        manifest = self._manifest(execution)
        if manifest is None:
            return None
        store = self._store
        told = store.progress(execution)
        progress = alive(store, execution, told)
        jobs = tuple(_job(line, job_id not in progress.running) for job_id, line in told.running.items())
        return _Read(manifest, progress, store.counts(execution), store.due(execution), jobs)

    def _view(self, read: _Read, slots: Iterable[SlotNow]) -> ExecutionView:
        store, manifest, progress, counts = self._store, read.manifest, read.progress, read.counts
        execution, pool = manifest.execution, manifest.spec.pool
        running = Counter(configuration_of(job.title, manifest.sweep) for job in read.jobs if not job.dead)
        planned = planned_runs(manifest, counts, read.due)
        rows = tuple(
            ConfigurationRow(
                id=c.id,
                name=c.name,
                done=counts.done.get(c.id, 0),
                planned=planned[c.id],
                failed=counts.failed.get(c.id, 0),
                running=running[c.name],
                job_s=_mean_s(counts.job_ms.get(c.id), counts.done.get(c.id)),
            )
            for c in manifest.configurations
        )
        notes, _ = store.told(execution)
        return ExecutionView(
            sweep=manifest.sweep,
            execution=execution,
            pool=pool,
            status=progress.status,
            begun=bool(store.generation(execution)),
            problem=store.problem(execution),
            done=progress.done,
            planned=sum(planned.values()),
            failed=progress.failed,
            running=len(progress.running),
            why=dict(sorted(counts.why.items(), key=lambda item: (-item[1], item[0]))),
            left=estimate(
                manifest,
                progress,
                counts,
                read.due,
                store.spent_s(execution),
                working_slots(slots, pool),
                alone=store.running_in(pool) == [execution],
            ),
            grows=manifest.spec.until_precise is not None and progress.status in LIVE,
            summaries=progress.summaries,
            configurations=rows,
            notes=tuple(notes[-NOTES:]),
        )

    def _manifest(self, execution: str) -> Manifest | None:
        if execution not in self._manifests:
            manifest = self._store.manifest(execution)
            if manifest is None:
                return None
            self._manifests[execution] = manifest
        return self._manifests[execution]

    def _slots(
        self,
        pools: set[str],
        slots: Iterable[SlotNow],
        running: dict[str, JobNow],
        measured: dict[str, int],
    ) -> tuple[list[SlotRow], dict[str, int]]:
        live = {slot.slot: slot.status.pool for slot in slots if slot.status is not None}
        rows = [
            _row(slot, running.get(slot.slot), measured.get(slot.slot, 0))
            for slot in slots
            if slot.slot in running or not pools or live.get(slot.slot) in pools
        ]
        queues = [*map(pool_queue, sorted(pools or set(live.values()))), AGGREGATE_QUEUE]
        return rows, lengths(self._store, queues)


def _row(slot: SlotNow, job: JobNow | None, jobs: int) -> SlotRow:
    state: SlotState
    why = None
    leased = slot.lease_s is not None
    if slot.breaker is not None:
        state, why = (
            slot.breaker.state,
            f"{slot.breaker.failures} jobs in a row failed: {slot.breaker.reason}",
        )
    elif slot.status is None and not leased:
        state, why = (
            "no sign of life",
            "its worker is gone; the job is sent again" if job else "its worker is gone",
        )
    elif leased:
        state = "measuring"
    elif slot.status is not None and slot.status.problem is not None:
        state, why = "no server", slot.status.problem
    else:
        state = "free"
    return SlotRow(
        slot=slot.slot,
        pool=slot.status.pool if slot.status else None,
        state=state,
        why=why,
        job=job if job and ((leased and not job.dead) or state == "no sign of life") else None,
        jobs=jobs,
        queued=slot.queued,
        breaker=slot.breaker,
    )


def _liveliness(job: JobNow) -> tuple[bool, datetime]:
    """By it the job that a slot's row names comes last: one that runs, else the newest."""
    return not job.dead, job.since or datetime.min.replace(tzinfo=UTC)


def _job(line: dict[str, object], dead: bool) -> JobNow:
    attempt = line.get("attempt")
    return JobNow(
        title=str(line.get("title", "")),
        slot=str(line.get("slot", "")),
        attempt=attempt if isinstance(attempt, int) else None,
        since=started_at(line),
        dead=dead,
    )


def _mean_s(ms: float | None, jobs: int | None) -> float | None:
    return ms / jobs / 1e3 if ms and jobs else None
