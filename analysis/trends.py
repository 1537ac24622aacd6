"""Trends over the runs of one configuration: what drifts, throttles or fills up."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.metrics import DURATION, ENERGY, METRICS, Metric
from analysis.models import ConfigurationTrend, RunFigures, Trend
from analysis.statistics.description import load_means
from analysis.statistics.holm import holm
from analysis.statistics.trend import slope

ALPHA = 0.05
_WITH_LOADING = (DURATION, ENERGY)


def configuration_trends(runs: Sequence[RunFigures]) -> tuple[ConfigurationTrend, ...]:
    """Return the trend of each metric over the complete runs in time; one with fewer than two values has none.

    In time: by when they began, or by their numbers where that is not known of all. Of figures that hold a cold
    call's loading only those of runs without one count: first runs load the model, and that is no trend. Where loads
    are known, each load's mean is one value: its runs share what loading did. Nothing is called drifting before
    :func:`adjust_trends` has seen all configurations.
    """
    ordered = _in_time([run for run in runs if run.complete])
    series = ((metric.key, _known(metric, ordered)) for metric in METRICS)
    return tuple(
        ConfigurationTrend(metric=key, trend=_trend(values)) for key, values in series if len(values) > 1
    )


def _in_time(runs: Sequence[RunFigures]) -> list[RunFigures]:
    began = [(run.started_at, run.run, run) for run in runs if run.started_at is not None]
    if len(began) < len(runs):
        return sorted(runs, key=lambda run: run.run)
    return [run for *_, run in sorted(began, key=lambda entry: entry[:2])]


def _known(metric: Metric, runs: Sequence[RunFigures]) -> list[float]:
    warm = [run for run in runs if not run.cold_calls] if metric in _WITH_LOADING else runs
    both = [(value, run.own_load) for run in warm if (value := getattr(run, metric.key)) is not None]
    return load_means([value for value, _ in both], [load for _, load in both])


def _trend(values: Sequence[float]) -> Trend:
    found = slope(values)
    if found is None:
        return Trend(n=len(values), percent_per_run=None, p=None, drifting=False)
    mean = sum(values) / len(values)
    percent = 100 * found.per_step / abs(mean) if mean else None
    return Trend(n=len(values), percent_per_run=percent, p=found.p, drifting=False)


def adjust_trends(
    configurations: Sequence[Sequence[ConfigurationTrend]], alpha: float = ALPHA
) -> tuple[tuple[ConfigurationTrend, ...], ...]:
    """Return the trends of all configurations with Holm's correction over all of them, in the given order.

    ``drifting``: the corrected p is below ``alpha``.
    """
    adjusted = iter(holm([entry.trend.p for trends in configurations for entry in trends]))
    return tuple(tuple(_flag(entry, next(adjusted), alpha) for entry in trends) for trends in configurations)


def _flag(entry: ConfigurationTrend, p_holm: float | None, alpha: float) -> ConfigurationTrend:
    drifting = p_holm is not None and p_holm < alpha
    return entry.model_copy(
        update={"trend": entry.trend.model_copy(update={"p_holm": p_holm, "drifting": drifting})}
    )
