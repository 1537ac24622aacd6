"""The figures of the original studies: reproduced beside those that mean something, and labelled."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.models import RunFigures
from analysis.models.pairs import LegacyPair

CONTENTION_BELOW = 1.5
"""Speedup below which the original studies spoke of contention."""


def legacy_pair(runs: Sequence[RunFigures | None], missing: int = 0) -> LegacyPair:
    """Return the legacy figures of one run: one entry an agent, ``None`` for one without records.

    ``missing``: how many further agents ran of which nothing is recorded.
    """
    durations = [run.exec_s if run else None for run in runs]
    known = [duration for duration in durations if duration is not None]
    sequential = math.fsum(known) if len(known) == len(runs) + missing else None
    wall = next((run.wall_s for run in runs if run is not None and run.wall_s is not None), None)
    speedup = sequential / wall if sequential is not None and wall else None
    rate, ttft = None, None
    if not missing and len(runs) == 2 and runs[0] is not None and runs[1] is not None:
        rate = _less(runs[1].recorded_rate, runs[0].recorded_rate)
        ttft = _less(runs[0].recorded_ttft_ms, runs[1].recorded_ttft_ms)
    return LegacyPair(
        sequential_s=sequential,
        wall_s=wall,
        speedup=speedup,
        efficiency_percent=None if speedup is None else 100 * speedup / len(runs),
        contention=None if speedup is None else speedup < CONTENTION_BELOW,
        throughput_delta=rate,
        ttft_delta_ms=ttft,
    )


def _less(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
