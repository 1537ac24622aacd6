"""How often the 95 % intervals hold the true value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.statistics.interval import Interval
from analysis.statistics.intervals import bca_interval, mean_interval, median_interval, t_interval
from benchmarks.statistics.distributions import ALL, Distribution

Method = Callable[[list[float]], Interval | None]

SIZES = (3, 5, 10, 30)
SAMPLES = 4000
SEED = 1

MEAN: dict[str, Method] = {
    "Chimera": mean_interval,
    "t": t_interval,
    "BCa, not expanded": lambda values: bca_interval(values, expanded=False),
}
MEDIAN: dict[str, Method] = {"Chimera": median_interval}


@dataclass(frozen=True)
class Coverage:
    """Of ``samples`` intervals."""

    samples: int
    below: int
    """Intervals that lie below the true value, as above above it."""
    above: int
    none: int
    """Samples without an interval."""
    width: float
    """Median width of those that have one; NaN where none has."""

    @property
    def fraction(self) -> float | None:
        """``None``: no sample has an interval."""
        known = self.samples - self.none
        return (known - self.below - self.above) / known if known else None

    @property
    def error(self) -> float:
        """Standard error of the simulation."""
        p = self.fraction
        return math.sqrt(p * (1 - p) / (self.samples - self.none)) if p is not None else math.nan


def coverage(method: Method, samples: Sequence[list[float]], truth: float) -> Coverage:
    """Return how often the method's intervals hold ``truth``."""
    made = [method(sample) for sample in samples]
    known = [interval for interval in made if interval is not None]
    return Coverage(
        samples=len(samples),
        below=sum(interval.high < truth for interval in known),
        above=sum(interval.low > truth for interval in known),
        none=len(samples) - len(known),
        width=float(np.median([interval.high - interval.low for interval in known])) if known else math.nan,
    )


def draw(distribution: Distribution, n: int, samples: int = SAMPLES, seed: int = SEED) -> list[list[float]]:
    """Return samples of n values; the same for the same arguments."""
    found: list[list[float]] = distribution.draw(np.random.default_rng((seed, n)), (samples, n)).tolist()
    return found


def main() -> None:
    """Print the tables."""
    error = math.sqrt(0.95 * 0.05 / SAMPLES)
    print(
        f"## Coverage of the 95 % intervals, %\n\n{SAMPLES:,} samples each; Monte Carlo error (1 sd) at 95 %: "
        f"{100 * error:.2f} %. In brackets: intervals wholly below / above the true value, %. "
        "All intervals are equivariant: another CV of the normal distribution gives the same figures.\n"
    )
    for title, methods, truth in (("mean", MEAN, "mean"), ("median", MEDIAN, "median")):
        print(f"### Of the {title}\n")
        print("| distribution | n | " + " | ".join(methods) + " |")
        print("|---|---|" + "---|" * len(methods))
        for distribution in ALL:
            for n in SIZES:
                samples = draw(distribution, n)
                cells = [
                    _cell(coverage(method, samples, getattr(distribution, truth)))
                    for method in methods.values()
                ]
                print(f"| {distribution.name} | {n} | {' | '.join(cells)} |", flush=True)
        print()


def _cell(found: Coverage) -> str:
    if found.fraction is None:
        return "none"
    low, high = (100 * count / (found.samples - found.none) for count in (found.below, found.above))
    return f"{100 * found.fraction:.1f} ({low:.1f} / {high:.1f})"
