"""How often a run, and a configuration, is flagged where nothing is wrong: normal runs, all alike."""

from __future__ import annotations

import numpy as np

from analysis.statistics.outliers import fences
from analysis.statistics.trend import slope

SIZES = (5, 6, 7, 8, 10, 15, 20, 30)
SAMPLES = 10_000
SEED = 3


def false_flags(n: int, samples: int = SAMPLES, seed: int = SEED) -> tuple[float, float]:
    """Return the fractions of runs, and of samples with at least one run, outside Tukey's fences."""
    flagged = []
    for values in np.random.default_rng((seed, n)).standard_normal((samples, n)).tolist():
        limits = fences(values)
        flagged.append(0 if limits is None else sum(not limits.hold(value) for value in values))
    return sum(flagged) / (samples * n), sum(count > 0 for count in flagged) / samples


def false_trends(n: int, samples: int = SAMPLES, seed: int = SEED) -> float:
    """Return the fraction of samples in random order whose trend has p < 0.05, one test each."""
    drawn = np.random.default_rng((seed, n)).standard_normal((samples, n)).tolist()
    found = (slope(values) for values in drawn)
    return sum(one is not None and one.p < 0.05 for one in found) / samples


def main() -> None:
    """Print the table."""
    print(f"## False flags, normal runs, %\n\n{SAMPLES:,} samples each.\n")
    print("| n | runs outside Tukey's fences | configurations with at least one | trends with p < 0.05 |")
    print("|---|---|---|---|")
    for n in SIZES:
        runs, configurations = false_flags(n)
        print(
            f"| {n} | {100 * runs:.1f} | {100 * configurations:.1f} | {100 * false_trends(n):.1f} |",
            flush=True,
        )
    print()
