"""The answer in one sentence: what differs, in which direction, in how many configurations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from analysis.compare.gates import is_tested
from analysis.compare.models import ComparisonOfResults
from analysis.formatting import plural, two_digits
from analysis.metrics import METRICS, Metric
from analysis.models import Comparison, Verdict

_Direction = Literal["higher", "lower"]


def answer(result: ComparisonOfResults) -> str:
    """Return ``Throughput is an estimated 4.7 to 5.4 % lower in 4 of 4 configurations; …``."""
    untested = nothing_tested(result)
    if untested is not None:
        return f"{untested[:1].upper()}{untested[1:]}."
    of_metric = [(m, [c for c in result.comparisons if c.metric == m.key]) for m in METRICS]
    claimed = [words for metric, compared in of_metric for words in _claimed(metric, compared)]
    tested = [(m, sum(map(is_tested, compared)), len(compared)) for m, compared in of_metric if compared]
    alike = [
        f"{_name(metric)} ({number} of {among})"
        for metric, number, among in tested
        if number and not any(_is_claimed(c) for c in result.comparisons if c.metric == metric.key)
    ]
    missing = [_name(metric) for metric, number, _ in tested if not number]
    configurations = plural(len(result.matched), "configuration")
    parts = [
        *claimed,
        *(
            [f"no difference is shown in {_listed(alike)}{'' if claimed else f' of {configurations}'}"]
            if alike
            else []
        ),
        *([f"not tested: {_listed(missing)}"] if missing else []),
    ]
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def nothing_tested(result: ComparisonOfResults) -> str | None:
    """Return why a comparison answers nothing; ``None``: something was tested, or nothing was compared."""
    if not result.comparable or any(map(is_tested, result.comparisons)):
        return None
    if not result.comparisons:
        return "nothing was tested: no figure of a complete run is known of any matched configuration"
    counts = Counter(c.verdict for c in result.comparisons)
    told = [f"{verdict} in {counts[verdict]}" for verdict in get_args(Verdict) if counts[verdict]]
    return f"nothing was tested: {', '.join(told)} of {plural(len(result.comparisons), 'comparison')}"


def _claimed(metric: Metric, compared: Sequence[Comparison]) -> Iterable[str]:
    ways: tuple[_Direction, ...] = ("lower", "higher")
    for way in ways:
        found = [c for c in compared if _is_claimed(c) and _direction(metric, c) == way]
        if found:
            by = _range([abs(c.percent) for c in found if c.percent is not None])
            yield f"{_name(metric)} is {by}{way} in {len(found)} of {plural(len(compared), 'configuration')}"


def _is_claimed(c: Comparison) -> bool:
    return c.verdict in ("better", "worse")


def _direction(metric: Metric, c: Comparison) -> _Direction:
    worse: _Direction = "lower" if metric.better == "higher" else "higher"
    return metric.better if c.verdict == "better" else worse


def _range(percents: Sequence[float]) -> str:
    """Two significant digits: intervals stand in the table."""
    if not percents:
        return ""
    low, high = two_digits(min(percents)), two_digits(max(percents))
    return f"an estimated {low} % " if low == high else f"an estimated {low} to {high} % "


def _name(metric: Metric) -> str:
    return metric.title if metric.title.isupper() else metric.title[:1].lower() + metric.title[1:]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
