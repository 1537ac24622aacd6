"""How evenly agents that run at the same time get on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from analysis.models.pairs import Fairness
from analysis.statistics.description import Description


def jain(shares: Sequence[float]) -> float | None:
    """Return Jain's index (Σx)² / (n Σx²): 1 for equal shares, 1/n where one has all; ``None`` where nobody has any.

    Source: R. Jain, D. Chiu, W. Hawe, A Quantitative Measure of Fairness and Discrimination for Resource Allocation in
    Shared Computer Systems, DEC Research Report TR-301 (1984).
    """
    largest = max(shares, default=0.0)
    if not largest > 0:
        return None
    parts = [share / largest for share in shares]  # squares of tiny numbers would underflow
    return math.fsum(parts) ** 2 / (len(parts) * math.fsum(part**2 for part in parts))


def fairness(
    rates: Sequence[float | None],
    alone: Sequence[float | None],
    by_run: Sequence[Sequence[float | None]],
    describe: Callable[[Sequence[float | None]], Description],
) -> Fairness | None:
    """Return the fairness between agents; ``None`` where a rate is not known.

    Args:
        rates: mean rate of each agent together, tok/s.
        alone: the same alone; ``None`` for one that was not measured alone.
        by_run: rates of each agent in each complete run.
        describe: describes one value a complete run.
    """
    known = [rate for rate in rates if rate is not None]
    scales = [scale for scale in alone if scale is not None and scale > 0]
    if len(known) < max(len(rates), 2):
        return None
    of_progress = len(scales) == len(rates)
    scales = scales if of_progress else [1.0] * len(rates)
    shares = [rate / scale for rate, scale in zip(known, scales, strict=True)]
    index = jain(shares)
    if index is None:
        return None
    per_run = [
        jain([rate / scale for rate, scale in zip(told, scales, strict=True)])
        if len(told) == len(scales)
        else None
        for run in by_run
        for told in [[rate for rate in run if rate is not None]]
    ]
    return Fairness(
        of="progress" if of_progress else "raw rates",
        jain=index,
        over_runs=describe(per_run),
        slowdown_ratio=max(shares) / min(shares) if of_progress and min(shares) > 0 else None,
    )
