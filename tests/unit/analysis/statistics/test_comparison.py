"""Two samples of runs: against scipy, and what must hold whatever the figures are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.comparison import detectable, paired, relative_spread, typical, welch
from benchmarks.statistics.comparisons import NOISES, false_alarms, many_p_values, p_values, power
from tests.support.present import present

Sample = np.ndarray[Any, np.dtype[np.float64]]

SAMPLE = st.lists(st.floats(50, 200), min_size=3, max_size=8).map(np.array)
PAIRS = st.lists(st.tuples(st.floats(50, 200), st.floats(50, 200)), min_size=3, max_size=8).map(np.array)
SPREAD = st.none() | st.floats(0.001, 0.2)


def test_pairs_that_differ_by_rounding_are_tested_without_a_division_by_zero() -> None:
    found = paired(np.array([100.0, 101.0, 102.0]), np.array([100 + 1e-9, 101.0, 102.0]))
    assert found is not None and 0 < found.p < 1 and found.standard_error > 0


def test_welch_is_scipys() -> None:
    rng = np.random.default_rng(1)
    a, b = 100 + rng.normal(size=5), 103 + 3 * rng.normal(size=8)
    theirs = stats.ttest_ind(b, a, equal_var=False)
    ours = welch(a, b)
    assert (present(ours).p, present(ours).df) == pytest.approx((theirs.pvalue, theirs.df), rel=1e-9)
    assert (present(ours).low, present(ours).high) == pytest.approx(
        tuple(theirs.confidence_interval(0.95)), rel=1e-9
    )
    assert not present(ours).moderated


def test_paired_is_scipys() -> None:
    rng = np.random.default_rng(2)
    a = 100 + rng.normal(size=7)
    b = a + 1 + rng.normal(size=7)
    theirs = stats.ttest_rel(b, a)
    ours = paired(a, b)
    assert (present(ours).p, present(ours).df) == pytest.approx((theirs.pvalue, theirs.df), rel=1e-9)
    assert (present(ours).low, present(ours).high) == pytest.approx(
        tuple(theirs.confidence_interval(0.95)), rel=1e-9
    )


@given(SAMPLE, SAMPLE, SPREAD)
def test_swapped_samples_give_the_negative_difference(a: Sample, b: Sample, spread: float | None) -> None:
    one, other = welch(a, b, spread), welch(b, a, spread)
    assert (one is None) == (other is None)
    if one is None:
        return
    assert one.p == pytest.approx(present(other).p, rel=1e-9)
    assert (one.low, one.high) == pytest.approx((-present(other).high, -present(other).low), rel=1e-9)
    if one.ratio and present(other).ratio and one.ratio[0] > 0:
        assert (one.ratio[0], one.ratio[1]) == pytest.approx(
            (1 / present(present(other).ratio)[1], 1 / present(present(other).ratio)[0]), rel=1e-6
        )


@given(PAIRS, SPREAD)
def test_swapped_pairs_give_the_negative_difference(pairs: Sample, spread: float | None) -> None:
    a, b = pairs.T
    one, other = paired(a, b, spread), paired(b, a, spread)
    assert (one is None) == (other is None)
    if one is not None:
        assert one.p == pytest.approx(present(other).p, rel=1e-9)
        assert (one.low, one.high) == pytest.approx((-present(other).high, -present(other).low), rel=1e-9)


@given(PAIRS, SPREAD, st.sampled_from([1e-9, 1e-3, 1024.0, 1e9]), st.booleans())
def test_another_unit_changes_no_ratio_and_no_p(
    pairs: Sample, spread: float | None, unit: float, by_pairs: bool
) -> None:
    test = paired if by_pairs else welch
    a, b = pairs.T
    one, other = test(a, b, spread), test(unit * a, unit * b, spread)
    assume(one is not None and other is not None)
    assert present(other).p == pytest.approx(present(one).p, rel=1e-6, abs=1e-300)
    assert present(other).standard_error == pytest.approx(unit * present(one).standard_error, rel=1e-6)
    assert (present(one).ratio is None) == (present(other).ratio is None)
    if present(one).ratio:
        assert present(other).ratio == pytest.approx(present(one).ratio, rel=1e-6)


@given(PAIRS, SPREAD, st.booleans())
def test_the_ratios_interval_says_what_p_says(pairs: Sample, spread: float | None, by_pairs: bool) -> None:
    a, b = pairs.T
    found = (paired if by_pairs else welch)(a, b, spread)
    assume(found is not None and found.ratio is not None and abs(found.p - 0.05) > 1e-6)
    low, high = present(present(found).ratio)
    assert (
        (low <= 1 <= high) == (present(found).p >= 0.05) == (present(found).low <= 0 <= present(found).high)
    )
    assert low <= present(found).candidate_mean / present(found).baseline_mean <= high


@given(PAIRS, st.floats(0.001, 0.2), st.booleans())
def test_a_typical_spread_never_makes_noise_smaller(
    pairs: Sample, spread: float | None, by_pairs: bool
) -> None:
    test = paired if by_pairs else welch
    a, b = pairs.T
    own, moderated = test(a, b), test(a, b, spread)
    assert moderated is not None
    if own is not None:
        assert moderated.standard_error >= own.standard_error * (1 - 1e-9)


def test_a_typical_spread_below_the_samples_own_changes_nothing() -> None:
    a, b = np.array([100.0, 103, 97, 104]), np.array([110.0, 113, 105, 108])
    assert welch(a, b, 0.001) == welch(a, b)


def test_three_runs_in_one_state_are_no_quiet_configuration() -> None:
    low, high = np.array([100.0, 100.1, 99.9]), np.array([105.0, 105.1, 104.9])
    assert present(welch(low, high)).p < 1e-5
    # Where the sweep's other configurations show both states, sd 2.9 %, no family of two or more claims it.
    found = welch(low, high, 0.029)
    assert present(found).moderated
    assert 2 * present(found).p > 0.05


def test_without_any_noise_nothing_is_tested() -> None:
    same, other = np.full(4, 100.0), np.full(4, 110.0)
    assert welch(same, other) is None
    assert paired(same, other) is None
    # 0.1 + 0.2: values that are equal but for rounding show no noise either.
    assert welch(np.array([0.3, 0.1 + 0.2, 0.3]), np.array([0.5, 0.5, 0.5])) is None


def test_one_sample_without_noise_is_tested_by_the_others() -> None:
    found = welch(np.full(4, 100.0), np.array([101.0, 102, 103, 104]))
    assert present(found).df == pytest.approx(3)
    assert present(found).p == pytest.approx(stats.ttest_1samp([101, 102, 103, 104], 100).pvalue)


def test_no_ratio_where_the_baseline_may_be_0() -> None:
    found = welch(np.array([0.0, 0.1, 0.0]), np.array([0.3, 0.2, 0.4]))
    assert present(found).ratio is None
    assert present(found).p > 0


def test_pairs_take_the_drift_out() -> None:
    rng = np.random.default_rng(3)
    drift = 100 * np.linspace(1, 1.2, 6)
    a = drift * (1 + 0.005 * rng.normal(size=6))
    b = 1.03 * drift * (1 + 0.005 * rng.normal(size=6))
    assert present(paired(a, b)).p < 0.01
    assert present(welch(a, b)).p > 0.3


def test_intervals_of_the_ratio_hold() -> None:
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(1000):
        found = welch(rng.normal(100, 5, 5), rng.normal(130, 10, 8))
        held += present(present(found).ratio)[0] <= 1.3 <= present(present(found).ratio)[1]
    assert 0.935 <= held / 1000 <= 0.965


@pytest.mark.parametrize("df", [2, 4, 8, 30.5])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 16])
def test_detectable_is_found_four_times_in_five(df: float, alpha: float) -> None:
    apart = detectable(1.0, df, alpha)
    critical = stats.t.isf(alpha / 2, df)
    assert stats.nct.sf(critical, df, apart) == pytest.approx(0.8, abs=0.01)


def test_a_spread_needs_runs_and_typical_needs_spreads() -> None:
    assert relative_spread(np.array([1.0, 2.0])) is None
    assert relative_spread(np.array([0.0, 0.0, 0.0])) is None
    assert relative_spread(np.array([99.0, 100.0, 101.0])) == pytest.approx(0.01)
    assert typical([0.01, None, 0.02]) is None
    assert typical([0.01, None, 0.02, 0.03]) == pytest.approx(0.025)


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("moderated", [False, True])
def test_what_is_simulated_is_what_is_used(pairs: bool, moderated: bool) -> None:
    rng = np.random.default_rng(5)
    for noise in NOISES.values():
        figures = noise(rng, (3, 5, 4))
        many = many_p_values(figures, pairs, moderated)
        for one, ps in zip(figures, many, strict=True):
            assert p_values(one, pairs, moderated) == pytest.approx(ps, rel=1e-6)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("n", "family"), [(3, 8), (5, 8), (10, 8), (3, 40), (5, 40)])
def test_at_most_5_percent_false_alarms_family_wise(noise: str, n: int, family: int) -> None:
    rng = np.random.default_rng(6)
    assert false_alarms(NOISES[noise], n, family, 1000, rng) <= 0.05
    assert false_alarms(NOISES[noise], n, family, 500, rng, pairs=True, drift=0.1) <= 0.05


def test_welch_alone_would_raise_false_alarms() -> None:
    """What the typical spread is for."""
    rng = np.random.default_rng(7)
    assert false_alarms(NOISES["two states, 50 : 50"], 3, 8, 1000, rng, moderated=False) > 0.1


def test_3_percent_at_cv_1_percent_and_5_runs_is_found() -> None:
    rng = np.random.default_rng(8)
    assert power(5, 1, 1, 3000, rng) >= 0.95
    assert power(5, 1, 1, 3000, rng, pairs=True, drift=0.1) >= 0.90
    # In a family it takes more runs.
    assert 0.55 <= power(5, 8, 16, 1000, rng) <= 0.75
    assert power(10, 8, 16, 1000, rng, pairs=True, drift=0.1) >= 0.95
