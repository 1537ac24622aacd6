"""Tail percentiles are refused below what LoadGen's rule asks."""

from __future__ import annotations

import pytest

from analysis.statistics.percentiles import Percentile, needed, percentiles, shortfall
from analysis.statistics.quantiles import quantile


@pytest.mark.parametrize(("percent", "queries"), [(90, 23_886), (95, 50_425), (97, 85_811), (99, 262_742)])
def test_the_table_of_the_mlperf_rules(percent: float, queries: int) -> None:
    assert needed(percent) == queries


@pytest.mark.parametrize("percent", [49.9, 100, 0, 120])
def test_what_is_no_tail_percentile(percent: float) -> None:
    with pytest.raises(ValueError, match="tail percentile"):
        needed(percent)


def test_one_value_too_few() -> None:
    enough = [float(value) for value in range(needed(90))]
    p90, p95, p99 = percentiles(enough)
    assert p90 == Percentile(percent=90, value=quantile(enough, 0.9), needs=23_886)
    assert (p95.value, p99.value) == (None, None)
    assert percentiles(enough[1:], [90])[0].value is None


def test_says_how_many_more() -> None:
    (p99,) = percentiles([1.0] * 30, [99])
    assert shortfall(p99, 30, "runs") == "p99 needs 262,742 runs, here are 30: 262,712 more"
    assert shortfall(p99, 262_742) is None
