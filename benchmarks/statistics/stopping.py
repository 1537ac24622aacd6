"""What the intervals of "run until precise" hold at the run where it stops, and what they cost in runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from analysis.statistics.sequential import FIRST_LOOK, look_factor
from benchmarks.statistics.distributions import Distribution, bimodal, lognormal, normal

Floats = npt.NDArray[np.float64]
Factor = Callable[[int], float]
"""Half-width at n runs, in standard errors (sd / √n)."""

LAST = 30
PATHS = 40_000
SEED = 2


def lai(first: int = FIRST_LOOK, error: float = 0.05) -> Factor:
    """Lai's (1976) confidence sequence from ``first`` runs on, without a last one.

    "On confidence sequences", Annals of Statistics 4, 265–280; in the notation of Wang and Ramdas (2025),
    "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance".
    """
    t = stats.t(first - 1)
    a = optimize.brentq(lambda a: 2 * (t.sf(a) + a * t.pdf(a)) - error, 1, 1000)
    b = (1 + a * a / (first - 1)) ** first / first
    return lambda n: math.sqrt(((b * n) ** (1 / n) - 1) * (n - 1))


def fixed(error: float) -> Factor:
    """Student's, at each look."""
    return lambda n: float(special.stdtrit(n - 1, 1 - error / 2))


RULES: dict[str, Factor] = {
    "confidence sequence (Chimera)": lambda n: look_factor(n, LAST),
    "t at each look": fixed(0.05),
    "Bonferroni over the looks": fixed(0.05 / (LAST - FIRST_LOOK + 1)),
    "Lai 1976": lai(),
}


@dataclass(frozen=True)
class Stopped:
    """At the first run where the half-width is at most the target, or at the last."""

    coverage: float
    runs: float
    """Mean."""
    precise: float
    """Fraction of the paths that reached the target."""


def stop(samples: Floats, truth: float, factor: Factor, target: float) -> Stopped:
    """Follow paths of runs, shape (paths, last), until ``target`` (half-width as a fraction of the mean)."""
    last = samples.shape[1]
    n = np.arange(1, last + 1)
    mean = np.cumsum(samples, axis=1) / n
    # From the first run's value: else the squares would leave no digits for small CVs.
    off = samples - samples[:, :1]
    squares = np.cumsum(off**2, axis=1) - n * (mean - samples[:, :1]) ** 2
    looks = slice(FIRST_LOOK - 1, None)
    half = np.sqrt(squares[:, looks] / (n[looks] - 1) / n[looks]) * [factor(int(k)) for k in n[looks]]
    enough = half <= target * np.abs(mean[:, looks])
    at = np.where(enough.any(axis=1), enough.argmax(axis=1), last - FIRST_LOOK)
    rows = np.arange(len(samples))
    held = np.abs(mean[:, looks][rows, at] - truth) <= half[rows, at]
    return Stopped(float(held.mean()), float((at + FIRST_LOOK).mean()), float(enough.any(axis=1).mean()))


def worst(samples: Floats, truth: float, factor: Factor) -> float:
    """Return the fraction of paths whose interval holds the truth at every look: no rule can do worse."""
    last = samples.shape[1]
    n = np.arange(FIRST_LOOK, last + 1)
    held = np.ones(len(samples), dtype=bool)
    for k in n:
        part = samples[:, :k]
        half = factor(int(k)) * part.std(axis=1, ddof=1) / math.sqrt(k)
        held &= np.abs(part.mean(axis=1) - truth) <= half
    return float(held.mean())


def fixed_runs(cv: float, target: float) -> int:
    """Return how many runs a plan that knew the CV would take."""
    return next(n for n in range(2, 10_000) if fixed(0.05)(n) * cv / math.sqrt(n) <= target)


def draw(distribution: Distribution, last: int = LAST, paths: int = PATHS, seed: int = SEED) -> Floats:
    return distribution.draw(np.random.default_rng(seed), (paths, last))


def main() -> None:
    """Print the tables."""
    print(
        f"## Until precise: from {FIRST_LOOK} to at most {LAST} runs, stopping at the first where the half-width is "
        f"within the target\n\n{PATHS:,} paths each; Monte Carlo error (1 sd) at 95 %: "
        f"{100 * math.sqrt(0.95 * 0.05 / PATHS):.2f} %. Per rule: coverage at the stop, %; mean runs; reached, %.\n"
    )
    print("| distribution | target | fixed n | " + " | ".join(RULES) + " |")
    print("|---|---|---|" + "---|" * len(RULES))
    cases = ((normal(0.01), 0.01), (lognormal(0.1), 0.1), (lognormal(0.5), 0.53), (bimodal(8), 0.0372))
    for distribution, cv in cases:
        samples = draw(distribution)
        for ratio in (5.0, 2.0, 1.0, 0.7, 0.5, 0.0):
            cells = []
            for factor in RULES.values():
                found = stop(samples, distribution.mean, factor, ratio * cv)
                cells.append(f"{100 * found.coverage:.1f}; {found.runs:.1f}; {100 * found.precise:.0f}")
            n = fixed_runs(cv, ratio * cv) if ratio else LAST
            print(
                f"| {distribution.name} | {f'{ratio:g} × CV' if ratio else 'never'} | {n} | {' | '.join(cells)} |",
                flush=True,
            )
        cells = [f"{100 * worst(samples, distribution.mean, factor):.1f}" for factor in RULES.values()]
        print(f"| {distribution.name} | holds at every look |  | {' | '.join(cells)} |", flush=True)
    print()
