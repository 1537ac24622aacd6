"""Simulated slots that pull units from a pool's queue; what is published and split is decided by ``dispatch/``."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from contracts.plots import Planned, Unit, plot_of
from dispatch.stealing import choose_split
from dispatch.window import first_window, next_window, room

LOOK_S = 1.0
"""How often the feeder looks and slots are compared, s: more seldom than the real feeder, and so not better."""

JobTime = Callable[[Planned], float]


@dataclass
class Slot:
    """One slot; ``slowness`` multiplies the time of its jobs and reloads."""

    name: str
    slowness: float = 1.0
    waiting: deque[Planned] = field(default_factory=deque)
    loaded: str | None = None
    busy: bool = False


@dataclass
class Known:
    """Of jobs that are done: how many, and their time, as the result store counts both."""

    jobs: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one job."""
        self.jobs += 1
        self.seconds += seconds

    @property
    def mean(self) -> float | None:
        """Mean time of a job, s; ``None``: none is done."""
        return self.seconds / self.jobs if self.jobs else None


@dataclass(frozen=True)
class Result:
    """What one simulated sweep took."""

    makespan: float
    reloads: int
    splits: int


class Cluster:
    """A pool's queue, fed by the window, and slots that serve their own queues before it."""

    def __init__(self, slots: Sequence[Slot], job_time: JobTime, reload_s: float, *, splits: bool) -> None:
        self._slots, self._job_time, self._reload_s, self._may_split = slots, job_time, reload_s, splits
        self._pool: deque[Sequence[Planned]] = deque()
        self._running: list[tuple[float, int, float]] = []
        """Heap of (end, slot's number, the job's time)."""
        self._done: defaultdict[str, Known] = defaultdict(Known)
        self._reloads = self._splits = 0

    def run(self, units: Iterator[Unit], *, plots: bool = False) -> Result:
        """Publish the units and serve them, and what already waits at the slots, until all is done."""
        now = end = 0.0
        slots, window, more = len(self._slots), first_window(len(self._slots), plots=plots), True
        while True:
            free = room(window, outstanding=self._outstanding(), slots=slots, plots=plots)
            published = [unit.jobs for unit in islice(units, free)]
            more = more and len(published) == free
            self._pool.extend(published)
            self._serve(now)
            while self._may_split and not more and not self._pool and self._split():
                self._serve(now)
            now += LOOK_S
            while self._running and self._running[0][0] <= now:
                end = self._finish()
                self._serve(end)
            if not (self._running or self._pool or more):
                return Result(end, self._reloads, self._splits)
            window = next_window(
                window, outstanding=self._outstanding(), queued=len(self._pool), slots=slots, plots=plots
            )

    def _outstanding(self) -> int:
        return len(self._pool) + sum(slot.busy for slot in self._slots)

    def _serve(self, now: float) -> None:
        for number, slot in enumerate(self._slots):
            if slot.busy:
                continue
            if not slot.waiting and self._pool:
                slot.waiting.extend(self._pool.popleft())
            if slot.waiting:
                self._start(number, slot, now)

    def _start(self, number: int, slot: Slot, now: float) -> None:
        job = slot.waiting.popleft()
        plot = plot_of(job.configuration)
        reload_s = self._reload_s if plot != slot.loaded else 0.0
        self._reloads += plot != slot.loaded
        slot.loaded, slot.busy = plot, True
        seconds = self._job_time(job) * slot.slowness
        ends = now + reload_s * slot.slowness + seconds
        heapq.heappush(self._running, (ends, number, seconds))

    def _finish(self) -> float:
        end, number, seconds = heapq.heappop(self._running)
        slot = self._slots[number]
        slot.busy = False
        self._done[slot.name].add(seconds)
        return end

    def _split(self) -> bool:
        idle = [slot.name for slot in self._slots if not slot.busy and not slot.waiting]
        waiting = {slot.name: len(slot.waiting) for slot in self._slots}
        split = choose_split(waiting, idle, self._mean_times(), self._reload_s)
        if split is None:
            return False
        slot = next(slot for slot in self._slots if slot.name == split.slot)
        self._pool.append([slot.waiting.pop() for _ in range(split.jobs)][::-1])
        self._splits += 1
        return True

    def _mean_times(self) -> dict[str, float]:
        """Return each slot's mean time of the jobs that it has done, s."""
        return {slot: known.mean for slot, known in self._done.items() if known.mean is not None}
