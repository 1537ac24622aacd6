"""What an execution's counters say about the time left: the estimate of ``chimera run`` and ``chimera status``."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from analysis.eta import Eta, Loads, Work, eta, parallel
from contracts.manifest import Manifest
from contracts.plots import has_plots, loads_of, plot_of
from contracts.store import Counts, Progress, Store
from contracts.watching import alive, slots_now, started_at, working_slots

EVERY_S = 2.0
"""How often the counters are read for the progress bar: those of 1,000 configurations are some 100 KB."""
_STEPS = ((120, 1), (1200, 10), (14_400, 60))
"""Times below so many s are shown in steps of so many."""
LATE_S = 60.0
"""A job that runs so much longer than its deadline has lost its worker: its age says nothing."""


class Estimator:
    """Estimates the time left of one execution from the store, at most every :data:`EVERY_S`."""

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self._store = store
        self._manifest = manifest
        self._read_at = -math.inf
        self._last: Eta | None = None

    def left(self, progress: Progress) -> Eta | None:
        """Return the time left, counted down since it was estimated; ``None``: it can't be told."""
        now = time.monotonic()
        if now - self._read_at >= EVERY_S:
            execution = self._manifest.execution
            store, pool = self._store, self._manifest.spec.pool
            self._last = estimate(
                self._manifest,
                alive(store, execution, progress),
                store.counts(execution),
                store.due(execution),
                store.spent_s(execution),
                working_slots(slots_now(store), pool),
                alone=store.running_in(pool) == [execution],
            )
            self._read_at = now
        return None if self._last is None else _later(self._last, now - self._read_at)


def estimate(
    manifest: Manifest,
    progress: Progress,
    counts: Counts,
    due: Mapping[str, int],
    spent_s: float,
    working: Collection[str],
    *,
    alone: bool,
) -> Eta | None:
    """Return the time left for the jobs that are known; ``None``: nothing is done yet, or nothing can be measured.

    Args:
        progress: With the jobs alone that run (:func:`contracts.watching.alive`).
        working: The slots of the pool that can measure now.
        alone: No other execution runs in the pool.
    """
    if progress.status != "running":
        return None
    spec = manifest.spec
    ages = running_ages(manifest, progress, datetime.now(UTC))
    planned = planned_runs(manifest, counts, due)
    plots = (
        {c.id: plot_of(c) for c in manifest.configurations}
        if has_plots(spec, manifest.configurations)
        else {}
    )
    work = {
        c.id: Work(
            planned[c.id],
            counts.done.get(c.id, 0),
            counts.job_ms.get(c.id, 0.0),
            counts.job_ms2.get(c.id, 0.0),
            plots.get(c.id, ""),
        )
        for c in manifest.configurations
    }
    busy_ms = dict(counts.slot_busy_ms)
    for slot, _, age in ages:
        busy_ms[slot] = busy_ms.get(slot, 0.0) + age
    # Up to the last outcome; whatever began right after it tells how long that is ago.
    wall_ms = spent_s * 1e3 + min((age for *_, age in ages), default=0.0)
    fixed = set(manifest.fixed_slots)
    there = {slot for slot in working if not fixed or slot in fixed} | {slot for slot, *_ in ages}
    return eta(
        work,
        slots=parallel(there, busy_ms, wall_ms, alone=alone),
        average=sum(busy_ms.values()) / wall_ms if wall_ms > 0 else None,
        running=[(name, age) for _, name, age in ages],
        loads=_loads(manifest, work, plots, counts.load_ms),
    )


def planned_runs(manifest: Manifest, counts: Counts, due: Mapping[str, int]) -> dict[str, int]:
    """Return the runs that are known of each configuration, by its id: at first, and what its next summary needs, or it has."""
    least = manifest.spec.first_runs
    return {c.id: max(least, due.get(c.id, 0), counts.done.get(c.id, 0)) for c in manifest.configurations}


def running_ages(manifest: Manifest, progress: Progress, now: datetime) -> list[tuple[str, str, float]]:
    """Return slot, configuration id and age, ms, of each job that runs."""
    ids = {c.name: c.id for c in manifest.configurations}
    ages = []
    for line in progress.running.values():
        began = started_at(line)
        identity = ids.get(configuration_of(str(line.get("title", "")), manifest.sweep))
        if identity is None or began is None:
            continue
        age = max((now - began).total_seconds(), 0.0)  # another machine's clock may be ahead
        if age <= manifest.spec.deadline + LATE_S:
            ages.append((str(line.get("slot")), identity, age * 1e3))
    return ages


def configuration_of(title: str, sweep: str) -> str:
    """Return the configuration's name in a job's title (:attr:`contracts.job.JobSpec.title`)."""
    return title.removeprefix(f"{sweep} / ").rpartition(" / run ")[0]


def in_words(left: Eta) -> str:
    """Return ``ETA 3:20 (2:50 … 4:10)``: the interval is the 95 % one."""
    text = f"ETA {_about(left.seconds)}"
    if left.low is None or left.high is None:
        return f"{text} (interval not known yet)"
    return f"{text} ({_about(left.low)} … {_about(left.high)})"


def clock(seconds: float) -> str:
    """Return ``3:20`` or ``1:03:20``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _about(seconds: float) -> str:
    """Return the time in steps of about a hundredth: more digits would be none."""
    step = next((step for below, step in _STEPS if seconds < below), 600)
    return clock(round(seconds / step) * step)


def _later(left: Eta, seconds: float) -> Eta:
    ends = {name: value for name in ("seconds", "low", "high") if (value := getattr(left, name)) is not None}
    return left.model_copy(update={name: max(value - seconds, 0.0) for name, value in ends.items()})


def _loads(
    manifest: Manifest, work: Mapping[str, Work], plots: Mapping[str, str], load_ms: float | None
) -> Loads | None:
    """Return the loads begun and left; ``None``: the order knows no plots."""
    if not plots:
        return None
    first = manifest.spec.first_runs
    at_start = loads_of(manifest.spec, first)

    def load_of(run: int) -> int:
        return math.ceil(run * at_start / first) if run <= first else at_start + run - first

    done: dict[str, int] = {}
    planned: dict[str, int] = {}
    for name, one in work.items():
        done[plots[name]] = max(done.get(plots[name], 0), load_of(one.done))
        planned[plots[name]] = max(planned.get(plots[name], 0), load_of(one.planned))
    return Loads(
        done, sum(planned.values()) - sum(done.values()), load_ms or 0.0
    )  # else it lies in the jobs' times
