"""``--fail-on throughput:-3%``: thresholds, and which differences are regressions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from analysis.compare.models import Gate, Regression, Threshold, Unmatched
from analysis.metrics import BY_KEY, BY_SHORT, METRICS, Metric
from analysis.models import Comparison
from contracts.failures import InputError

RULE = (
    "A regression is a difference that the adjusted test shows (p below 0.05), for the worse, not below the "
    "measurement floor, and whose estimate lies beyond the threshold. The interval itself may reach back across the "
    "threshold: then it is shown that the candidate is worse, and not that it is worse by that much."
)

_THRESHOLD = re.compile(r"(?P<metric>[a-z_]+):(?P<percent>[-+]?\d+(?:\.\d+)?)%")
_TESTED = ("better", "worse", "no difference shown")


def parse_thresholds(texts: Iterable[str]) -> tuple[Threshold, ...]:
    """Read ``throughput:-3%`` or several with commas between them; each metric once.

    Raises:
        InputError: one sentence that says what to write.
    """
    found: dict[str, Threshold] = {}
    for text in (part.strip() for given in texts for part in given.split(",")):
        threshold = _threshold(text)
        if threshold.metric in found:
            raise InputError(f"--fail-on {text}: {BY_KEY[threshold.metric].short} is given twice")
        found[threshold.metric] = threshold
    return tuple(found.values())


def parse_metrics(texts: Iterable[str], thresholds: Sequence[Threshold]) -> tuple[Metric, ...]:
    """Read ``throughput,ttft``, in the order of :data:`analysis.metrics.METRICS`; nothing given: all of them.

    Raises:
        InputError: a metric is unknown, or one of ``--fail-on`` is not among them.
    """
    names = [name.strip() for given in texts for name in given.split(",")]
    chosen = {_metric(name, f"--metrics {name!r}").key for name in names}
    for threshold in thresholds:
        if chosen and threshold.metric not in chosen:
            raise InputError(
                f"--fail-on {threshold.text}: --metrics leaves {BY_KEY[threshold.metric].short} out"
            )
    return tuple(metric for metric in METRICS if not chosen or metric.key in chosen)


def gate(threshold: Threshold, comparisons: Sequence[Comparison]) -> Gate:
    """Judge the comparisons of the threshold's metric."""
    of_metric = [c for c in comparisons if c.metric == threshold.metric]
    tested = [c for c in of_metric if is_tested(c)]
    return Gate(
        threshold=threshold,
        tested=len(tested),
        untested=tuple(_named(c) for c in of_metric if not is_tested(c)),
        blunt=tuple(_named(c) for c in tested if _is_blunt(c, threshold)),
        regressions=tuple(_regression(c, threshold) for c in tested if _is_regression(c, threshold)),
    )


def is_tested(comparison: Comparison) -> bool:
    """Whether a test was made; one below the floor was, and its answer is not called a difference."""
    return comparison.verdict in _TESTED or comparison.verdict == "below the floor"


def _threshold(text: str) -> Threshold:
    example = "write it as throughput:-3% or ttft:+5%"
    found = _THRESHOLD.fullmatch(text.replace("−", "-"))
    if found is None:
        raise InputError(f"--fail-on {text!r}: not a metric and a signed percentage; {example}")
    metric = _metric(found["metric"], f"--fail-on {text!r}")
    percent = float(found["percent"])
    if percent and (found["percent"][0] not in "+-" or (percent > 0) != (metric.better == "lower")):
        worse = "lower" if metric.better == "higher" else "higher"
        sign = "-" if metric.better == "higher" else "+"
        raise InputError(
            f"--fail-on {text!r}: worse is {worse} here; write {metric.short}:{sign}{abs(percent):g}%"
        )
    if metric.better == "higher" and percent <= -100:
        raise InputError(f"--fail-on {text!r}: no {metric.short} can fall by more than 100 %")
    return Threshold(metric=metric.key, percent=percent)


def _metric(name: str, where: str) -> Metric:
    metric = BY_SHORT.get(name) or BY_KEY.get(name)
    if metric is None:
        known = ", ".join(m.short for m in METRICS)
        raise InputError(f"{where}: unknown metric {name!r}; the metrics are: {known}")
    return metric


def _is_regression(c: Comparison, threshold: Threshold) -> bool:
    if c.verdict != "worse":
        return False
    return c.percent is None or _beyond(BY_KEY[c.metric], c.percent, threshold.percent)


def _beyond(metric: Metric, percent: float, threshold: float) -> bool:
    return percent < threshold if metric.better == "higher" else percent > threshold


def _regression(c: Comparison, threshold: Threshold) -> Regression:
    metric, interval = BY_KEY[c.metric], c.percent_interval
    whole = None
    if interval is not None:
        near = interval.high if metric.better == "higher" else interval.low
        whole = _beyond(metric, near, threshold.percent)
    return Regression(
        agent=c.agent,
        baseline=c.baseline,
        candidate=c.candidate,
        percent=c.percent,
        whole_interval=whole,
    )


def _is_blunt(c: Comparison, threshold: Threshold) -> bool:
    return (
        c.verdict == "no difference shown"
        and c.detectable_percent is not None
        and c.detectable_percent > abs(threshold.percent)
    )


def _named(c: Comparison) -> Unmatched:
    return Unmatched(agent=c.agent, config=c.baseline)
