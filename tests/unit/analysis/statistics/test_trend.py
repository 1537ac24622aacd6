"""Mann–Kendall and Theil–Sen over the runs of a configuration."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.models import ConfigurationTrend, RunFigures, Trend
from analysis.statistics.trend import slope
from analysis.trends import adjust_trends, configuration_trends
from benchmarks.statistics.flags import false_trends

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
series = st.lists(st.integers(-50, 50).map(float), min_size=5, max_size=30)


def run(number: int, speed: float | None, **fields: Any) -> RunFigures:
    base = {"complete": True, "calls": 2, "valid_calls": 2, "ttft_ms": None}
    return RunFigures(run=number, throughput_tok_s=speed, **(base | fields))


@pytest.mark.parametrize("n", [5, 8, 20, 50, 60])
def test_p_is_kendalls(n: int) -> None:
    values = np.random.default_rng(n).standard_normal(n) + np.arange(n) / n
    found = slope(values.tolist())
    peer = stats.kendalltau(np.arange(n), values, method="exact" if n <= 50 else "auto")
    assert found is not None
    assert found.p == pytest.approx(peer.pvalue, rel=1e-9)
    assert found.per_step == pytest.approx(stats.theilslopes(values, np.arange(n)).slope)


@pytest.mark.parametrize("values", [[0, 0, 0, 1, 1], [1, 1, 2, 2, 3, 3], [2, 1, 2, 3, 3, 2], [5, 5, 5, 5, 5]])
def test_p_is_exact_where_values_are_equal(values: list[int]) -> None:
    def score(order: Iterable[int]) -> int:
        return sum(int(np.sign(b - a)) for a, b in itertools.combinations(order, 2))

    scores = [abs(score(order)) for order in itertools.permutations(values)]
    expected = sum(one >= abs(score(values)) for one in scores) / len(scores)
    found = slope([float(value) for value in values])
    assert found is not None
    assert found.p == pytest.approx(expected)


def test_too_few_values_and_many() -> None:
    assert slope([1.0, 2.0, 3.0, 4.0]) is None
    rising = slope([0.5 * value for value in range(1200)])
    assert rising is not None
    assert rising.per_step == pytest.approx(0.5)
    assert rising.p < 1e-12
    flat = slope([1.0] * 60)
    assert flat is not None
    assert (flat.per_step, flat.p) == (0.0, 1.0)


@settings(max_examples=60)
@given(series)
def test_the_sign_of_the_values_and_of_time_is_the_slopes(values: list[float]) -> None:
    found = slope(values)
    assert found is not None
    assert 0 < found.p <= 1
    for turned in ([-value for value in values], values[::-1]):
        other = slope(turned)
        assert other is not None
        assert other.per_step == pytest.approx(-found.per_step)
        assert other.p == found.p


@settings(max_examples=60)
@given(series, st.integers(-100, 100), st.sampled_from([0.5, 2.0, 16.0]))
def test_p_does_not_depend_on_the_unit(values: list[float], shift: int, factor: float) -> None:
    before, after = slope(values), slope([factor * value + shift for value in values])
    assert before is not None
    assert after is not None
    assert after.per_step == pytest.approx(factor * before.per_step)
    assert after.p == before.p


def test_at_most_five_of_a_hundred_steady_series_trend() -> None:
    for n in (5, 10):
        assert false_trends(n, samples=1000) < 0.05 + 3 * (0.05 * 0.95 / 1000) ** 0.5


def test_runs_are_put_in_the_order_of_time() -> None:
    # By number the speeds go up and down, by time they fall.
    speeds = {1: 54, 2: 58, 3: 50, 4: 56, 5: 52}
    runs = [run(n, s, started_at=BEGIN + timedelta(minutes=60 - s)) for n, s in speeds.items()]
    (found,) = configuration_trends(runs)
    assert found.metric == "throughput_tok_s"
    assert found.trend.percent_per_run == pytest.approx(-100 * 2 / 54)
    assert found.trend.p == pytest.approx(2 / 120)
    unknown = configuration_trends([*runs[:4], run(5, 52)])[0].trend
    assert unknown.p is not None
    assert unknown.p > 0.4


def test_four_runs_have_no_p_and_one_has_no_trend() -> None:
    (found,) = configuration_trends([run(n, 50 + n) for n in range(4)])
    assert found.trend == Trend(n=4, percent_per_run=None, p=None, drifting=False)
    assert configuration_trends([run(1, 50)]) == ()


def test_loading_the_model_is_no_trend_of_the_duration() -> None:
    runs = [run(n, None, duration_ms=100 - n, cold_calls=int(n == 1)) for n in range(1, 8)]
    (found,) = configuration_trends(runs)
    assert (found.metric, found.trend.n) == ("duration_ms", 6)


def test_holm_goes_over_all_configurations() -> None:
    def trend(p: float | None) -> tuple[ConfigurationTrend, ...]:
        return (
            ConfigurationTrend(metric="ttft_ms", trend=Trend(n=9, percent_per_run=1, p=p, drifting=False)),
        )

    adjusted = adjust_trends([trend(0.01), (), trend(None), trend(0.03), trend(0.02)])
    assert [[entry.trend.p_holm for entry in trends] for trends in adjusted] == [
        [pytest.approx(0.03)],
        [],
        [None],
        [pytest.approx(0.04)],
        [pytest.approx(0.04)],
    ]
    assert [entry.trend.drifting for trends in adjusted for entry in trends] == [True, False, True, True]
    strict = adjust_trends([trend(0.01), trend(0.03)], alpha=0.02)
    assert [trends[0].trend.drifting for trends in strict] == [False, False]
