"""How much slots differ beyond the noise between runs, and which of them stand apart.

Input is the fit of :class:`analysis.statistics.additive.Additive` with a factor ``slot``, all of whose levels
are connected: each shares cells with others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.statistics.additive import Additive, Floats, pseudo_inverse
from analysis.statistics.holm import holm
from analysis.statistics.interval import LEVEL


@dataclass(frozen=True)
class Apart:
    """One level against the mean of the others that do not stand apart, in the values' scale."""

    difference: float
    half_width: float
    p: float | None
    """``None``: no noise to test against."""
    p_holm: float | None
    named: bool
    """Significant, one of a minority, and at least as large as what is called large."""


def component(fit: Additive, factor: str) -> float | None:
    """Return the variance component of a factor, at least 0; ``None`` where the noise is not known.

    Henderson's method 3 with the other factors taken as fixed: (SS − df × noise) / k. Source: C. R.
    Henderson, Estimation of variance and covariance components, Biometrics 9 (1953) 226–252.
    """
    noise, term = fit.mean_square, fit.terms[factor]
    if noise is None or not term.df:
        return None
    k = float(np.trace(fit.alone(factor)))
    return max(0.0, (term.ss - term.df * noise) / k) if k > 0 else 0.0


def stand_apart(fit: Additive, factor: str, alpha: float, large: float, tests: int = 1) -> list[Apart]:
    """Test each level against the others and name those that stand apart, the clearest first.

    One far level moves the mean that the others are held against, so that it would make outliers of them. So the
    clearest one is named, left out of what the rest are compared with, and the search goes on, as long as those named
    stay fewer than half. Each step's p is corrected for all levels that are still in question (Holm's
    steps). Of two levels nothing tells which is the odd one: both have the same p, and it is for the caller to choose.

    Args:
        large: smallest difference that may be named.
        tests: how many such searches are made in one report: each step's p is multiplied by it, too.
    """
    noise = fit.mean_square
    inverse, _ = pseudo_inverse(fit.alone(factor))
    effects = fit.effects[fit.columns(factor)]
    size = effects.size
    rest = list(range(size))
    found: dict[int, Apart] = {}
    if noise is None:
        return []
    while size > 2 and len(found) < (size - 1) // 2:
        tested = {level: _against(level, rest, effects, inverse, noise, fit.error_df) for level in rest}
        clear = [level for level in rest if abs(tested[level].difference) >= large]
        clearest = min(
            clear, key=lambda level: (_p(tested[level]), -abs(tested[level].difference)), default=None
        )
        if clearest is None or (p := tested[clearest].p) is None or p * len(rest) * tests >= alpha:
            break
        one = tested[clearest]
        found[clearest] = Apart(one.difference, one.half_width, p, min(1.0, p * len(rest) * tests), True)
        rest.remove(clearest)
    left = {level: _against(level, rest, effects, inverse, noise, fit.error_df) for level in rest}
    family = [left[level].p for level in rest]
    # Two levels are one test.
    corrected = holm(family) if size > 2 else family
    for level, p_holm in zip(rest, corrected, strict=True):
        one = left[level]
        whole = None if p_holm is None else min(1.0, p_holm * tests)
        two = size == 2 and whole is not None and whole < alpha and abs(one.difference) >= large
        found[level] = Apart(one.difference, one.half_width, one.p, whole, two)
    return [found[level] for level in range(size)]


def _against(level: int, rest: list[int], effects: Floats, inverse: Floats, noise: float, df: int) -> Apart:
    others = [other for other in rest if other != level]
    contrast = np.zeros(effects.size)
    contrast[level] = 1.0
    contrast[others] = -1 / len(others)
    difference = float(contrast @ effects)
    error = float(np.sqrt(noise * max(float(contrast @ inverse @ contrast), 0.0)))
    critical = -float(special.stdtrit(df, (1 - LEVEL) / 2))
    p = float(2 * special.stdtr(df, -abs(difference) / error)) if error > 0 else None
    return Apart(difference, critical * error, p, None, False)


def _p(tested: Apart) -> float:
    return 1.0 if tested.p is None else tested.p
