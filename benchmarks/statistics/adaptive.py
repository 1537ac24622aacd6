"""A/A comparisons of sweeps that ran until precise: false alarms after stopping by looking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.comparisons import compare_with_baseline
from analysis.models import ConfigurationSummary
from analysis.statistics.sequential import half_width_fraction
from benchmarks.statistics.simulated import configuration, run

MIN_RUNS, MAX_RUNS = 3, 30


@dataclass(frozen=True)
class Sweep:
    """What is simulated: configurations that are all the same but for their noise."""

    cvs: Sequence[float]
    """Of the log-normal noise between runs, one a configuration."""
    target: float
    """Half-width at which a configuration stops, as a fraction of the mean."""
    drift: float = 0.0
    """Change of all from the first block to the last that there can be."""


SWEEPS = (
    Sweep([0.02] * 2, 0.01),
    Sweep([0.02] * 8, 0.02),
    Sweep([0.005, 0.02], 0.02, drift=0.05),
    Sweep([0.005, *[0.02] * 7], 0.02, drift=0.05),
)


def measured(sweep: Sweep, rng: np.random.Generator) -> list[ConfigurationSummary]:
    """Measure block by block, as the design does: whoever is precise enough gets no further run."""
    values: list[list[float]] = [[] for _ in sweep.cvs]
    for block in range(1, MAX_RUNS + 1):
        level = 100 * (1 + sweep.drift * (block - 1) / (MAX_RUNS - 1))
        for mine, cv in zip(values, sweep.cvs, strict=True):
            if len(mine) == block - 1 and not _precise(mine, sweep.target):
                mine.append(level * float(np.exp(rng.normal(0, cv))))
    return [
        configuration(f"c{i}", [run(n, {"throughput_tok_s": v}, slot="s0") for n, v in enumerate(mine, 1)])
        for i, mine in enumerate(values)
    ]


def false_alarms(sweep: Sweep, repetitions: int, *, looks: int | None = MAX_RUNS, seed: int = 1) -> float:
    """Return the fraction of sweeps in which any configuration is called better or worse than the baseline."""
    rng = np.random.default_rng(seed)
    wrong = 0
    for _ in range(repetitions):
        found = compare_with_baseline(measured(sweep, rng), "c0", None, looks)
        wrong += any(c.verdict in ("better", "worse") for c in found)
    return wrong / repetitions


def main(repetitions: int = 500) -> None:
    """Print the false alarms with and without allowing for the looks."""
    print(
        f"A/A of sweeps until precise ({MIN_RUNS} to {MAX_RUNS} runs, {repetitions} sweeps each), any false verdict:"
    )
    for sweep in SWEEPS:
        allowed, naive = (false_alarms(sweep, repetitions, looks=looks) for looks in (MAX_RUNS, None))
        what = f"{len(sweep.cvs)} configurations, target {sweep.target:.0%}, drift {sweep.drift:.0%}"
        print(f"  {what}: {allowed:.1%} (as if the number of runs had been fixed: {naive:.1%})")


def _precise(values: Sequence[float], target: float) -> bool:
    if len(values) < MIN_RUNS:
        return False
    width = half_width_fraction(values, MAX_RUNS)
    return width is not None and width <= target


if __name__ == "__main__":
    main()
