"""What there is to be watched, read from the store at one moment: executions, slots, queues.

The number of round trips does not depend on the number of jobs, configurations or slots, but for the scan of the
keys, which takes one for each :data:`SCAN` of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

from analysis.eta import Eta
from contracts.breaker import Breaker
from contracts.manifest import Manifest
from contracts.queues import AGGREGATE_QUEUE, pool_queue, slot_queue
from contracts.slots import SlotStatus
from contracts.store import LIVE, Status, Store
from contracts.store.keys import aggregator_key, breaker_key, lease_key, slot_key
from contracts.store.queue_lengths import lists_of
from producer.watch_eta import configuration_of, estimate, planned_runs, started_at

SCAN = 10_000
"""Keys that Redis looks at in one round trip: under 10 ms."""
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


class Watcher:
    """Reads the store again and again; what never changes is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._manifests: dict[str, Manifest] = {}

    def look(self, executions: Iterable[str]) -> Cluster:
        """Return how the executions stand, and the slots and queues of their pools; of all, where there are none."""
        seen = [found for x in executions if (found := self._execution(x)) is not None]
        views = tuple(view for view, _, _ in seen)
        pools = {view.pool for view in views if view.live}
        running = {job.slot: job for _, jobs, _ in seen for job in jobs}
        measured: Counter[str] = Counter()
        for _, _, slots in seen:
            measured.update(slots)
        rows, queues = self._slots(pools, running, measured)
        aggregators = len(self._scan(aggregator_key("")))
        return Cluster(datetime.now(UTC), views, tuple(rows), queues, aggregators)

    def _execution(self, execution: str) -> tuple[ExecutionView, list[JobNow], dict[str, int]] | None:
        manifest = self._manifest(execution)
        if manifest is None:
            return None
        store = self._store
        progress, counts, due = store.progress(execution), store.counts(execution), store.due(execution)
        jobs = [_job(line) for line in progress.running.values()]
        running = Counter(configuration_of(job.title, manifest.sweep) for job in jobs)
        planned = planned_runs(manifest, counts, due)
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
        view = ExecutionView(
            sweep=manifest.sweep,
            execution=execution,
            pool=manifest.spec.pool,
            status=progress.status,
            problem=store.problem(execution),
            done=progress.done,
            planned=sum(planned.values()),
            failed=progress.failed,
            running=len(jobs),
            why=dict(sorted(counts.why.items(), key=lambda item: (-item[1], item[0]))),
            left=estimate(manifest, progress, counts, due, store.spent_s(execution)),
            grows=manifest.spec.until_precise is not None and progress.status in LIVE,
            summaries=progress.summaries,
            configurations=rows,
            notes=tuple(notes[-NOTES:]),
        )
        return view, jobs, counts.slot_jobs

    def _manifest(self, execution: str) -> Manifest | None:
        if execution not in self._manifests:
            manifest = self._store.manifest(execution)
            if manifest is None:
                return None
            self._manifests[execution] = manifest
        return self._manifests[execution]

    def _slots(
        self, pools: set[str], running: dict[str, JobNow], measured: dict[str, int]
    ) -> tuple[list[SlotRow], dict[str, int]]:
        client = self._store.client
        keys = sorted({slot_key(name) for name in running} | self._scan(slot_key("")))
        names = [key.removeprefix(slot_key("")) for key in keys]
        texts = cast(list[str | None], client.mget(keys)) if keys else []
        live = {
            n: SlotStatus.model_validate_json(t) for n, t in zip(names, texts, strict=True) if t is not None
        }
        names = [n for n in names if n in running or not pools or live[n].pool in pools]
        pools = pools or {status.pool for status in live.values()}
        queues = [*(pool_queue(pool) for pool in sorted(pools)), AGGREGATE_QUEUE]
        with client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.get(breaker_key(name))
                pipe.exists(lease_key(name))
            for queue in [*queues, *(slot_queue(name) for name in names)]:
                for part in lists_of(queue):
                    pipe.llen(part)
            replies = pipe.execute()
        own, lengths = replies[: 2 * len(names)], replies[2 * len(names) :]
        steps = len(lists_of(""))
        waiting = [sum(lengths[at : at + steps]) for at in range(0, len(lengths), steps)]
        rows = [
            _row(
                name,
                live.get(name),
                None if own[2 * at] is None else Breaker.model_validate_json(own[2 * at]),
                bool(own[2 * at + 1]),
                running.get(name),
                measured.get(name, 0),
                waiting[len(queues) + at],
            )
            for at, name in enumerate(names)
        ]
        return rows, dict(zip(queues, waiting, strict=False))

    def _scan(self, prefix: str) -> set[str]:
        return set(self._store.client.scan_iter(f"{prefix}*", count=SCAN))


def _row(
    name: str,
    status: SlotStatus | None,
    breaker: Breaker | None,
    leased: bool,
    job: JobNow | None,
    jobs: int,
    queued: int,
) -> SlotRow:
    state: SlotState
    why = None
    if breaker is not None:
        state, why = breaker.state, f"{breaker.failures} jobs in a row failed: {breaker.reason}"
    elif status is None and not leased:
        state, why = "no sign of life", "its worker is gone; the job is sent again"
    elif leased:
        state = "measuring"
    elif status is not None and status.problem is not None:
        state, why = "no server", status.problem
    else:
        state = "free"
    shown = job if leased or state == "no sign of life" else None
    return SlotRow(name, status.pool if status else None, state, why, shown, jobs, queued, breaker)


def _job(line: dict[str, object]) -> JobNow:
    attempt = line.get("attempt")
    return JobNow(
        title=str(line.get("title", "")),
        slot=str(line.get("slot", "")),
        attempt=attempt if isinstance(attempt, int) else None,
        since=started_at(line),
    )


def _mean_s(ms: float | None, jobs: int | None) -> float | None:
    return ms / jobs / 1e3 if ms and jobs else None
