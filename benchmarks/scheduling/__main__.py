"""Makespan over the ideal one, simulated with the functions that schedule real sweeps; prints a table.

python -m benchmarks.scheduling [--seeds 50] [--slots 8] [--reload 60]

20 runs of some 50 configurations; a configuration's job time is log-normal within 10 to 60 s, its runs differ by 5 %.
The order is that of contracts/plots.py, what is published that of dispatch/window.py, splits those of
dispatch/stealing.py; only workers, servers and the clock are simulated.

Ideal: the work of all jobs and one reload for each load that the order asks for (3 a plot), shared by the slots as their
speeds are. Where the order asks for no loads, as with fixed slots or run by run, the same ideal is taken.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from benchmarks.scheduling.cluster import Cluster, JobTime, Result, Slot
from contracts.blocks import shuffled
from contracts.configuration import Configuration, Parameters
from contracts.plots import Planned, loads_of, plot_of, units_at_start
from contracts.sweep import SweepSpec

RUNS = 20
SHORTEST_S, LONGEST_S = 10.0, 60.0
RUN_TO_RUN = 0.05
"""Standard deviation of a run's time, of its configuration's."""


@dataclass(frozen=True)
class Grid:
    """The sweep's axes by the number of their values; the first two make the server reload."""

    num_ctx: int
    num_gpu: int
    temperatures: int

    @property
    def plots(self) -> int:
        return self.num_ctx * self.num_gpu

    def configurations(self) -> list[Configuration]:
        """Return one for each point."""
        return [
            Configuration(
                name=f"{ctx},{gpu},{t}",
                model="m",
                parameters=Parameters(num_ctx=1024 * (ctx + 1), num_gpu=10 * gpu, temperature=t / 10),
            )
            for ctx in range(self.num_ctx)
            for gpu in range(self.num_gpu)
            for t in range(self.temperatures)
        ]


Policy = Literal["pulled", "pulled, no splits", "fixed slots", "run by run"]
WITHOUT_RELOAD: tuple[Policy, ...] = ("pulled", "fixed slots")
WITH_RELOAD: tuple[Policy, ...] = ("pulled", "pulled, no splits", "fixed slots", "run by run")


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    policy: Policy
    grid: Grid
    reload_s: float
    slowness: float = 1.0
    """Of one slot; the others' is 1."""


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scheduling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--reload", type=float, default=60.0, metavar="S")
    options = parser.parse_args()
    print("| reload, s | plots | one slot | order | makespan / ideal, mean | worst | /", end="")
    print(" ideal of one load a plot, mean | reloads, mean | splits, mean |")
    print("|---:|---:|---|---|---:|---:|---:|---:|---:|")
    for case in cases(options.reload):
        print(_line(case, options.slots, options.seeds), flush=True)


def cases(reload_s: float) -> list[Case]:
    """Return the lines of the table."""
    ten, fifty, three = Grid(5, 2, 5), Grid(50, 1, 1), Grid(3, 1, 17)
    free = [Case(policy, ten, 0.0, slowness) for slowness in (1.0, 2.0) for policy in WITHOUT_RELOAD]
    return free + [
        Case(policy, grid, reload_s, slowness)
        for grid in (ten, fifty, three)
        for slowness in (1.0, 2.0)
        for policy in WITH_RELOAD
    ]


def simulate(case: Case, slots: int, seed: int) -> tuple[Result, float, float]:
    """Return what a sweep took, and the ideal times with the loads that the order asks for, and with one a plot, s."""
    rng = random.Random(seed)
    configurations = case.grid.configurations()
    job_time = job_times(configurations, rng)
    plots = case.reload_s > 0 and case.policy.startswith("pulled")
    spec = _spec("plots" if plots else "blocks", seed)
    units = list(units_at_start(spec, configurations))
    work = sum(job_time(job) for unit in units for job in unit.jobs)
    machines = [Slot(f"slot {n}", case.slowness if n == 0 else 1.0) for n in range(slots)]
    if case.policy == "fixed slots":
        _place(shuffled(configurations, seed, 1), machines)
        units = []
    cluster = Cluster(machines, job_time, case.reload_s, splits=case.policy == "pulled")
    result = cluster.run(iter(units), plots=plots)
    speed = sum(1 / slot.slowness for slot in machines)
    by_loads = (work + case.grid.plots * loads_of(spec, RUNS) * case.reload_s) / speed
    return result, by_loads, (work + case.grid.plots * case.reload_s) / speed


def job_times(configurations: Sequence[Configuration], rng: random.Random) -> JobTime:
    """Draw each configuration's time, and a factor for each run of it."""
    mean = {c.id: _log_normal(rng) for c in configurations}
    factor = {(c.id, run): rng.gauss(1.0, RUN_TO_RUN) for c in configurations for run in range(1, RUNS + 1)}
    return lambda job: mean[job.configuration.id] * factor[job.configuration.id, job.run]


def _log_normal(rng: random.Random) -> float:
    """Draw a log-normal time; the limits are two standard deviations from the median, and none is beyond them."""
    median, deviation = math.sqrt(SHORTEST_S * LONGEST_S), math.log(LONGEST_S / SHORTEST_S) / 4
    while not SHORTEST_S <= (drawn := rng.lognormvariate(math.log(median), deviation)) <= LONGEST_S:
        pass
    return drawn


def _spec(order: str, seed: int) -> SweepSpec:
    tree = {"name": "simulated", "workload": {"paths": ["."]}, "server": "ollama", "model": "m", "runs": RUNS}
    return SweepSpec.model_validate({**tree, "order": {"kind": order, "seed": seed}})


def _place(configurations: Sequence[Configuration], slots: Sequence[Slot]) -> None:
    """Deal the configurations out to the slots; each has all its runs in one place, plot by plot."""
    for number, slot in enumerate(slots):
        mine = sorted(configurations[number :: len(slots)], key=plot_of)
        slot.waiting.extend(Planned(c, run, run, None) for c in mine for run in range(1, RUNS + 1))


def _line(case: Case, slots: int, seeds: int) -> str:
    made = [simulate(case, slots, seed) for seed in range(seeds)]
    ratios = [result.makespan / ideal for result, ideal, _ in made]
    cells = [
        f"{case.reload_s:g}",
        str(case.grid.plots),
        "as the others" if case.slowness == 1 else f"{case.slowness:g} × slower",
        case.policy,
        f"{fmean(ratios):.3f}",
        f"{max(ratios):.3f}",
        f"{fmean(result.makespan / ideal for result, _, ideal in made):.3f}",
        f"{fmean(result.reloads for result, _, _ in made):.0f}" if case.reload_s else "–",
        f"{fmean(result.splits for result, _, _ in made):.1f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
