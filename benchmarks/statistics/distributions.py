"""Distributions of a run's figure with known mean and median."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]


@dataclass(frozen=True)
class Distribution:
    """``draw`` returns an array of the asked shape."""

    name: str
    draw: Draw
    mean: float
    median: float


def normal(cv: float) -> Distribution:
    """Around 100."""
    return Distribution(
        f"normal, CV {100 * cv:g} %", lambda rng, shape: rng.normal(100, 100 * cv, shape), 100, 100
    )


def lognormal(sigma: float) -> Distribution:
    """``sigma``: sd of the logarithm. 0.1 is a CV of 10 %, 0.5 one of 53 %, 1 one of 131 %."""
    return Distribution(
        f"log-normal, σ {sigma:g}",
        lambda rng, shape: 100 * rng.lognormal(0, sigma, shape),
        100 * math.exp(sigma**2 / 2),
        100,
    )


def bimodal(apart: float, share: float = 0.3) -> Distribution:
    """Two normal modes of sd 1 at 100 and ``apart`` above it, which a ``share`` of the runs is in."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        return 100 + apart * (rng.random(shape) < share) + rng.standard_normal(shape)

    def half(x: float) -> float:
        return float((1 - share) * special.ndtr(x) + share * special.ndtr(x - apart) - 0.5)

    median = 100 + float(optimize.brentq(half, -5, apart + 5))
    return Distribution(
        f"bimodal {100 - 100 * share:g}/{100 * share:g}, {apart:g} sd apart",
        draw,
        100 + share * apart,
        median,
    )


ALL = (
    normal(0.01),
    lognormal(0.1),
    lognormal(0.5),
    lognormal(1.0),
    bimodal(4),
    bimodal(8),
)
