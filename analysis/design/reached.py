"""How precisely a configuration's figures are known, against what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.metrics import BY_SHORT, Metric
from analysis.models import OverRuns, RunFigures
from analysis.models.statistics import Precision
from analysis.statistics.description import load_means


def precision(
    configuration_over_runs: OverRuns, until: Mapping[str, float], last: int
) -> tuple[Precision, ...]:
    """Return how precise each metric of ``until`` is; in its order.

    ``until``: metric's short name → half-width that is asked for, as a fraction of the mean. ``last``: the most runs
    that the configuration could get. The interval is a confidence sequence (:mod:`analysis.statistics.sequential`):
    it holds whenever one stops, so that looking at it after each run and stopping when it is narrow leaves its 95 %
    what they are.
    """
    from analysis.statistics.sequential import half_width_fraction  # scipy: a plan needs none of it

    found = []
    for name, target in until.items():
        metric = BY_SHORT[name]
        reached = half_width_fraction(known_values(configuration_over_runs.runs, metric), last)
        found.append(
            Precision(
                metric=metric.key,
                target_percent=100 * target,
                reached_percent=None if reached is None else 100 * reached,
                reached=reached is not None and reached <= target,
            )
        )
    return tuple(found)


def known_values(runs: Sequence[RunFigures], metric: Metric) -> list[float]:
    """Return the metric of every complete run that tells it, in the order of the runs.

    Where the order knew plots, the mean of each load instead: runs of one load are no independent ones.
    """
    ordered = sorted((run for run in runs if run.complete), key=lambda run: run.run)
    both = [(value, run.own_load) for run in ordered if (value := value_of(run, metric)) is not None]
    return load_means([value for value, _ in both], [load for _, load in both])


def value_of(run: RunFigures, metric: Metric) -> float | None:
    value: float | None = getattr(run, metric.key)
    return value
