"""All runs of one client at one concurrency, as one row."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.fidelity.errors import Errors, Spread, spread
from benchmarks.fidelity.run import Run

LATE_MS = 5.0
"""From here on a server's lateness (99 % quantile) is marked."""


@dataclass(frozen=True)
class Row:
    """Errors are pooled over the runs; times are medians over them, memory is the highest."""

    contestant: str
    concurrency: int
    runs: int
    problem: str | None
    """Why there are no figures."""
    requests: int = 0
    """Asked for, over all runs."""
    matched: int = 0
    matched_by: str | None = None
    ttft_error_ms: Spread | None = None
    itl_error_percent: Spread | None = None
    gap_error_ms: Spread | None = None
    cpu_s: float | None = None
    peak_mb: float | None = None
    startup_s: float | None = None
    wall_s: float | None = None
    in_flight: float | None = None
    server_late_ms: float | None = None
    """Highest 99 % quantile of the runs."""

    @property
    def server_was_late(self) -> bool:
        return self.server_late_ms is not None and self.server_late_ms > LATE_MS


def row(runs: Sequence[Run]) -> Row:
    """Return the row of the runs of one client at one concurrency; failed runs are counted, not pooled."""
    name, concurrency = runs[0].contestant, runs[0].workload.concurrency
    good = [run for run in runs if run.problem is None]
    if not good:
        return Row(name, concurrency, 0, runs[-1].problem)
    pooled = Errors()
    for run in good:
        pooled.extend(run.errors)
    usages = [run.usage for run in good if run.usage is not None]
    return Row(
        contestant=name,
        concurrency=concurrency,
        runs=len(good),
        problem=None,
        requests=sum(run.workload.requests for run in good),
        matched=sum(run.matched for run in good),
        matched_by=" / ".join(sorted({run.matched_by for run in good if run.matched_by})),
        ttft_error_ms=spread(pooled.ttft_ms),
        itl_error_percent=spread(pooled.itl_percent),
        gap_error_ms=spread(pooled.gap_ms),
        cpu_s=_median([usage.cpu_s for usage in usages]),
        peak_mb=max((usage.peak_mb for usage in usages), default=None),
        startup_s=_median([run.startup_s for run in good]),
        wall_s=_median([usage.wall_s for usage in usages]),
        in_flight=_median([run.in_flight for run in good]),
        server_late_ms=max((run.late_p99_ms for run in good if run.late_p99_ms is not None), default=None),
    )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
