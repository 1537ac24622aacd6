"""Runs far from the other runs of their configuration: flagged, never dropped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.metrics import METRICS
from analysis.models import RunFigures, RunOutlier
from analysis.statistics.outliers import fences


def run_outliers(runs: Sequence[RunFigures]) -> tuple[RunOutlier, ...]:
    """Return the complete runs outside Tukey's fences, by metric and then by run."""
    complete = sorted((run for run in runs if run.complete), key=lambda run: run.run)
    return tuple(found for metric in METRICS for found in _of(metric.key, complete))


def _of(metric: str, runs: Sequence[RunFigures]) -> Iterator[RunOutlier]:
    known: list[tuple[int, float]] = [
        (run.run, value) for run in runs if (value := getattr(run, metric)) is not None
    ]
    limits = fences([value for _, value in known])
    if limits is None:
        return
    for run, value in known:
        if not limits.hold(value):
            yield RunOutlier(metric=metric, run=run, value=value, low=limits.low, high=limits.high)
