"""Simulated sweeps, to see how good their estimates of the time left are. ``python -m tests.support.simulated_sweep``.

Times of jobs differ between configurations by a factor, log-uniform; slots have speeds; each free slot takes the next
job, or the next plot's unit, in random order; a slot that finds none takes half of the longest rest of another one.
Slots may leave (what waits for them goes back) or join while it runs.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import defaultdict
from dataclasses import dataclass, replace

from analysis.eta import Eta, Loads, Work, eta, parallel

GAP_MS = 10.0
"""Between two jobs of a slot."""


@dataclass(frozen=True)
class Sweep:
    """What is simulated."""

    configurations: int
    runs: int
    slots: int = 8
    job_ms: float = 5000.0
    """Of the shortest configuration."""
    factor: float = 10.0
    """Of the longest to the shortest."""
    noise: float = 0.1
    """SD of the log of a job's time."""
    speeds: tuple[float, float] = (0.7, 1.3)
    failing: float = 0.0
    """Share of configurations half of whose jobs fail after a twentieth of their time."""
    plots: int = 0
    """Whole plots; 0: blocks."""
    plot_factor: float = 1.0
    """By which plots differ, beside their configurations."""
    loads: int = 3
    load_ms: float = 0.0
    changes: tuple[float, int] | None = None
    """After which share of the jobs there are how many slots."""


@dataclass(frozen=True)
class Seen:
    """The estimate at one moment, and the truth."""

    eta: Eta | None
    left_s: float

    @property
    def error(self) -> float:
        """Of the estimate, relative to the time that was left."""
        assert self.eta is not None
        return self.eta.seconds / self.left_s - 1

    @property
    def covered(self) -> bool:
        """Whether the interval holds the time that was left."""
        assert self.eta is not None and self.eta.low is not None and self.eta.high is not None
        return self.eta.low <= self.left_s <= self.eta.high


@dataclass(frozen=True)
class _Ran:
    begin: float
    end: float
    configuration: int
    slot: int


def simulate(sweep: Sweep, seed: int, at: float = 0.1) -> Seen:
    """Carry a sweep out and estimate when the share ``at`` of its jobs is done, in the middle of the next ones."""
    rng = random.Random(seed)
    plot_of = {c: c % sweep.plots if sweep.plots else 0 for c in range(sweep.configurations)}
    plots = [_spread(rng, sweep.plot_factor) for _ in range(max(sweep.plots, 1))]
    usual = {c: sweep.job_ms * _spread(rng, sweep.factor) * plots[plot_of[c]] for c in plot_of}
    log = _carry_out(sweep, rng, usual, plot_of)
    ends = sorted(one.end for one in log)
    now = ends[max(1, math.ceil(len(log) * at)) - 1] + GAP_MS + 1
    return Seen(_estimate(sweep, log, plot_of, now), (ends[-1] - now) / 1e3)


def _spread(rng: random.Random, factor: float) -> float:
    return math.exp(rng.uniform(0, math.log(factor)))


def _carry_out(
    sweep: Sweep, rng: random.Random, usual: dict[int, float], plot_of: dict[int, int]
) -> list[_Ran]:
    share, then = sweep.changes or (1.0, sweep.slots)
    after = math.ceil(share * sweep.configurations * sweep.runs)
    speeds = [rng.uniform(*sweep.speeds) for _ in range(max(sweep.slots, then))]
    failing = {c: rng.random() < sweep.failing for c in usual}
    waiting = _units(sweep, rng, plot_of)[::-1]
    own: list[list[int]] = [[] for _ in speeds]
    free = [(0.0, slot, 0) for slot in range(sweep.slots)]
    log, done = [], 0
    while free:
        now, slot, finished = heapq.heappop(free)
        done += finished
        if finished and done == after:
            for joins in range(sweep.slots, then):
                heapq.heappush(free, (now, joins, 0))
        if done >= after and slot >= then:
            waiting += [own[slot][::-1]] if own[slot] else []
            own[slot] = []
            continue
        load_ms = 0.0
        if not own[slot]:
            own[slot] = waiting.pop()[::-1] if waiting else _half_of_the_longest(own)
            load_ms = sweep.load_ms
        if not own[slot]:
            continue
        c = own[slot].pop()
        ms = usual[c] * math.exp(rng.gauss(0, sweep.noise)) / speeds[slot]
        if failing[c] and rng.random() < 0.5:
            ms /= 20
        begin = now + GAP_MS
        log.append(_Ran(begin, begin + load_ms + ms, c, slot))
        heapq.heappush(free, (log[-1].end, slot, 1))
    return log


def _units(sweep: Sweep, rng: random.Random, plot_of: dict[int, int]) -> list[list[int]]:
    def shuffled(items: list[int]) -> list[int]:
        return rng.sample(items, len(items))

    if not sweep.plots:
        return [[c] for _ in range(sweep.runs) for c in shuffled(list(plot_of))]
    units = []
    for load in range(sweep.loads):
        runs = (load + 1) * sweep.runs // sweep.loads - load * sweep.runs // sweep.loads
        for plot in shuffled(list(range(sweep.plots))):
            members = [c for c in plot_of if plot_of[c] == plot]
            units.append([c for _ in range(runs) for c in shuffled(members)])
    return units


def _half_of_the_longest(own: list[list[int]]) -> list[int]:
    longest = max(own, key=len)
    half = len(longest) // 2
    taken, longest[:half] = longest[:half], []
    return taken


def _estimate(sweep: Sweep, log: list[_Ran], plot_of: dict[int, int], now: float) -> Eta | None:
    done: dict[int, list[float]] = defaultdict(list)
    busy: dict[str, float] = defaultdict(float)
    running = []
    for one in log:
        if one.end <= now:
            done[one.configuration].append(one.end - one.begin)
        elif one.begin <= now:
            running.append((str(one.configuration), now - one.begin))
        busy[str(one.slot)] += max(min(one.end, now) - one.begin, 0.0)
    work = {
        str(c): Work(sweep.runs, len(done[c]), sum(done[c]), sum(ms**2 for ms in done[c]), str(plot))
        for c, plot in plot_of.items()
    }
    loads = None
    if sweep.plots:
        begun: dict[str, int] = {}
        for one_ in work.values():
            begun[one_.plot] = max(begun.get(one_.plot, 0), math.ceil(one_.done * sweep.loads / sweep.runs))
        loads = Loads(begun, sweep.plots * sweep.loads - sum(begun.values()), sweep.load_ms)
    share, then = sweep.changes or (1.0, sweep.slots)
    changed = sum(map(len, done.values())) >= math.ceil(share * sweep.configurations * sweep.runs)
    working = list(map(str, range(then if changed else sweep.slots)))
    average = sum(busy.values()) / now
    return eta(work, slots=parallel(working, busy, now), average=average, running=running, loads=loads)


BLOCKS = Sweep(100, 10)
PLOTS = Sweep(100, 9, plots=10, plot_factor=3.0, load_ms=60_000)
SCENARIOS = {
    "100 configurations × 10 runs": BLOCKS,
    "100 × 10, jobs of 20 to 200 ms": replace(BLOCKS, job_ms=20.0),
    "100 × 10, a job's time varies by 50 %": replace(BLOCKS, noise=0.5),
    "100 × 10, 30 % of the configurations fail": replace(BLOCKS, failing=0.3),
    "1,000 × 3": Sweep(1000, 3, slots=16),
    "100 × 3": Sweep(100, 3),
    "20 × 10": Sweep(20, 10),
    "30 × 5": Sweep(30, 5),
    "30 × 5 on 2 slots": Sweep(30, 5, slots=2),
    "10 plots of 10 configurations × 9, load 60 s": PLOTS,
    "the same without loads": replace(PLOTS, load_ms=0.0),
    "50 plots of 1 × 20, load 60 s": Sweep(50, 20, plots=50, load_ms=60_000),
    "30 plots of 4 × 9, plots differ 10×, load 60 s": Sweep(
        120, 9, plots=30, factor=2.0, plot_factor=10.0, load_ms=60_000
    ),
    "100 × 10, 2 of 8 slots leave after 5 %": replace(BLOCKS, changes=(0.05, 6)),
    "the same, jobs of 20 to 200 ms": replace(BLOCKS, job_ms=20.0, changes=(0.05, 6)),
    "100 × 10, 6 of 8 slots leave after 8 %": replace(BLOCKS, changes=(0.08, 2)),
    "100 × 10, 2 slots become 8 after 5 %": replace(BLOCKS, slots=2, changes=(0.05, 8)),
    "the same, after 9.5 %": replace(BLOCKS, slots=2, changes=(0.095, 8)),
    "100 × 10, 8 slots become 12 after 5 %": replace(BLOCKS, changes=(0.05, 12)),
    "10 plots of 10 × 9, load 60 s, 2 of 8 slots leave after 5 %": replace(PLOTS, changes=(0.05, 6)),
    "the same, 4 slots become 8": replace(PLOTS, slots=4, changes=(0.05, 8)),
}


def figures(sweep: Sweep, simulations: int) -> tuple[float, float, float]:
    """Return the share of estimates within 20 %, the mean error, and the share of intervals that hold the truth."""
    seen = [simulate(sweep, seed) for seed in range(simulations)]
    within = sum(abs(one.error) <= 0.2 for one in seen) / simulations
    return (
        within,
        sum(one.error for one in seen) / simulations,
        sum(one.covered for one in seen) / simulations,
    )


if __name__ == "__main__":
    for name, sweep in SCENARIOS.items():
        within, bias, covered = figures(sweep, 30 if sweep.configurations * sweep.runs > 2000 else 300)
        print(f"| {name} | {within:.0%} | {bias:+.1%} | {covered:.0%} |", flush=True)
