"""Intervals that hold at whichever run one stops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.statistics.intervals import t_interval
from analysis.statistics.sequential import (
    LOOKS,
    confidence_sequence,
    half_width_fraction,
    look_error,
    look_factor,
    precise,
    runs_needed_estimate,
)
from benchmarks.statistics.distributions import lognormal, normal
from benchmarks.statistics.looks import errors, p_values
from benchmarks.statistics.stopping import RULES, draw, fixed_runs, lai, stop, worst
from tests.support.present import present

CHIMERA, NAIVE = RULES["confidence sequence (Chimera)"], RULES["t at each look"]
runs = st.lists(st.integers(1, 10_000).map(float), min_size=3, max_size=30).filter(lambda v: min(v) < max(v))


def test_too_few_or_equal_values_have_none() -> None:
    for values in ([], [1.0], [1.0, 2.0], [3.0, 3.0, 3.0]):
        assert confidence_sequence(values) is None
        assert precise(values, 0.5) is None
        assert runs_needed_estimate(values, 0.5) is None


def test_is_students_interval_at_a_stricter_level() -> None:
    values = [10.0, 11.0, 9.5, 10.4, 10.1]
    found = confidence_sequence(values, last=30)
    student = t_interval(values, 1 - LOOKS[30])
    assert found is not None
    assert (found.low, found.high) == pytest.approx((student.low, student.high))
    assert (found.method, found.level) == ("confidence-sequence", 0.95)


def test_more_looks_are_stricter_ones() -> None:
    tabulated = [look_error(last) for last in sorted(LOOKS)]
    assert tabulated == sorted(tabulated, reverse=True)
    assert len(set(tabulated)) == len(tabulated)
    assert look_error(31) == LOOKS[50]
    assert look_error(3) == LOOKS[5]
    assert look_factor(40, last=30) == look_factor(40, last=40)
    with pytest.raises(ValueError, match="10,001"):
        look_error(10_001)


def test_the_table_is_what_simulation_gives() -> None:
    found = errors((5, 10, 30, 50), paths=20_000, seed=11)
    for last, error in found.items():
        assert LOOKS[last] == pytest.approx(error, rel=0.08)


def test_the_normal_approximation_of_many_degrees_of_freedom() -> None:
    samples = np.random.default_rng(0).standard_normal((50, 90))
    from scipy import stats

    p = p_values(samples)
    for n in (3, 20, 63, 64, 90):
        expected = stats.ttest_1samp(samples[:, :n], 0, axis=1).pvalue
        assert p[:, n - 3] == pytest.approx(expected, rel=1e-3)


def test_holds_at_all_looks_together() -> None:
    samples = draw(normal(0.01), paths=8000)
    error = math.sqrt(0.95 * 0.05 / 8000)
    assert worst(samples, 100, CHIMERA) == pytest.approx(0.95, abs=3 * error)
    assert worst(samples, 100, NAIVE) < 0.80
    assert worst(samples, 100, lai()) > 0.95 - 3 * error


@pytest.mark.parametrize("target", [0.05, 0.02, 0.01, 0.007, 0.005])
def test_holds_where_it_stops(target: float) -> None:
    samples = draw(normal(0.01), paths=8000)
    found = stop(samples, 100, CHIMERA, target)
    assert found.coverage >= 0.95
    if target <= 0.01:
        assert stop(samples, 100, NAIVE, target).coverage < 0.935


def test_holds_for_skewed_runs_too() -> None:
    distribution = lognormal(0.1)
    samples = draw(distribution, paths=8000)
    assert all(
        stop(samples, distribution.mean, CHIMERA, target).coverage >= 0.95 for target in (0.2, 0.1, 0.07)
    )


def test_the_simulation_stops_where_precise_says() -> None:
    for path in draw(normal(0.01), paths=40).tolist():
        first = next((n for n in range(3, 31) if precise(path[:n], 0.008)), 30)
        assert stop(np.array([path]), 100, CHIMERA, 0.008).runs == first


@given(runs, st.floats(0.01, 100))
def test_precision_is_relative(values: list[float], factor: float) -> None:
    reached = half_width_fraction(values)
    assert reached is not None
    assert half_width_fraction([factor * value for value in values]) == pytest.approx(reached, rel=1e-6)


@given(runs, st.floats(0.001, 2))
def test_precise_is_when_nothing_more_is_needed(values: list[float], target: float) -> None:
    needed = runs_needed_estimate(values, target)
    assert precise(values, target) == (needed == 0)
    assume(needed)
    n = len(values)
    cv = float(np.std(values, ddof=1) / np.mean(values))
    assert look_factor(n + present(needed)) / math.sqrt(n + present(needed)) * cv <= target * (1 + 1e-9)
    assert n + present(needed) <= 30


def test_a_mean_of_zero_has_no_relative_precision() -> None:
    assert half_width_fraction([-1.0, 0.0, 1.0]) is None
    assert precise([-1.0, 0.0, 1.0], 1.0) is None


def test_a_plan_that_knew_the_cv() -> None:
    assert (fixed_runs(0.01, 0.01), fixed_runs(0.01, 0.005)) == (7, 18)
