"""``python -m benchmarks.statistics.looks``: calibrates the looks of :mod:`analysis.statistics.sequential`.

For normal runs |t| of the true mean, over all looks from three runs to the last, has one distribution, whatever
mean and sd are. Its simulated 5 % quantile, as the p value of a single look, is the error that each look may have.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.statistics.sequential import FIRST_LOOK, LOOKS

SEED = 4
_EXACT = 60
"""Degrees of freedom up to which p is Student's; above, Wallace's normal approximation (1959) holds to 4 digits."""

Floats = npt.NDArray[np.float64]


def p_values(samples: Floats) -> Floats:
    """Return p of the true mean, 0, at each look; ``samples`` has shape (paths, n), the result (paths, n − 2)."""
    n = np.arange(FIRST_LOOK, samples.shape[1] + 1)
    total = np.cumsum(samples, axis=1)[:, FIRST_LOOK - 1 :]
    squares = np.cumsum(samples**2, axis=1)[:, FIRST_LOOK - 1 :]
    explained = total**2 / n / squares
    exact, degrees = explained[:, :_EXACT], n - 1
    t = np.sqrt(degrees[:_EXACT] * exact / (1 - exact))
    few = 2 * special.stdtr(degrees[:_EXACT], -t)
    v = degrees[_EXACT:]
    z = (8 * v + 1) / (8 * v + 3) * np.sqrt(-v * np.log1p(-explained[:, _EXACT:]))
    return np.concatenate([few, special.erfc(z / math.sqrt(2))], axis=1)


def errors(last: tuple[int, ...], paths: int, seed: int = SEED, chunk: int = 500) -> dict[int, float]:
    """Return the error of a single look for each number of the last look."""
    rng = np.random.default_rng(seed)
    least: dict[int, list[Floats]] = {n: [] for n in last}
    for _ in range(paths // chunk):
        so_far = np.minimum.accumulate(p_values(rng.standard_normal((chunk, max(last)))), axis=1)
        for n in last:
            least[n].append(so_far[:, n - FIRST_LOOK])
    return {n: float(np.quantile(np.concatenate(found), 0.05)) for n, found in least.items()}


def main() -> None:
    """Print the table; 3 minutes."""
    few = tuple(n for n in LOOKS if n <= 1000)
    many = tuple(n for n in LOOKS if n > 1000)
    for n, error in (errors(few, 300_000) | errors(many, 30_000)).items():
        print(f"last look at {n:6,} runs: error of a look {error:.5f}")


if __name__ == "__main__":
    main()
