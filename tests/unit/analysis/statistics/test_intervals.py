"""Intervals of mean and median: formulas, equivariance, and what they hold."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.intervals import (
    BOOTSTRAP_FROM,
    MEDIAN_FROM,
    bca_interval,
    mean_interval,
    median_interval,
    t_interval,
)
from analysis.statistics.resamples import resampled_sums
from benchmarks.statistics.coverage import MEAN, MEDIAN, coverage, draw
from benchmarks.statistics.distributions import Distribution, bimodal, lognormal, normal

values = st.integers(-10_000, 10_000).map(lambda number: number / 8)
few = st.lists(values, min_size=2, max_size=BOOTSTRAP_FROM - 1)
many = st.lists(values, min_size=BOOTSTRAP_FROM, max_size=24)
spread = st.one_of(few, many).filter(lambda sample: min(sample) < max(sample))


def test_which_method_at_which_n() -> None:
    sample = [float(value) for value in range(30)]
    assert [getattr(mean_interval(sample[:n]), "method", None) for n in (0, 1, 2, 7, 8, 30)] == [
        None,
        None,
        "t",
        "t",
        "bca",
        "bca",
    ]
    assert [getattr(median_interval(sample[:n]), "method", None) for n in (0, 1, 5, 6, 30)] == [
        None,
        None,
        None,
        "order-statistics",
        "order-statistics",
    ]


def test_equal_values_show_no_certainty_of_the_mean() -> None:
    for n in (2, 5, 8, 30):
        assert mean_interval([0.1] * n) is None
    # Of the median they do: were it another, at least half of the values would be.
    held = median_interval([0.1] * 6)
    assert held is not None
    assert (held.low, held.high) == (0.1, 0.1)


@settings(max_examples=40)
@given(few.filter(lambda sample: min(sample) < max(sample)))
def test_t_is_scipys(sample: list[float]) -> None:
    low, high = stats.t.interval(0.95, len(sample) - 1, np.mean(sample), stats.sem(sample))
    found = t_interval(sample)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("n", [8, 12, 30])
@pytest.mark.parametrize("expanded", [False, True])
def test_bca_is_scipys_but_for_the_resamples(n: int, expanded: bool) -> None:
    sample = np.random.default_rng(n).lognormal(0, 0.6, n).tolist()
    z = math.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1) if expanded else stats.norm.ppf(0.975)
    peer = stats.bootstrap(
        (sample,),
        np.mean,
        confidence_level=2 * stats.norm.cdf(z) - 1,
        n_resamples=40_000,
        method="BCa",
        rng=1,
    ).confidence_interval
    found = bca_interval(sample, expanded=expanded)
    width = peer.high - peer.low
    assert found.low == pytest.approx(peer.low, abs=0.03 * width)
    assert found.high == pytest.approx(peer.high, abs=0.03 * width)


def test_the_same_numbers_on_every_machine() -> None:
    sample = [101.2, 99.7, 100.4, 98.9, 100.9, 103.3, 99.1, 100.0, 100.6, 99.5]
    found = mean_interval(sample)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((99.67, 101.64062481359473), abs=1e-9)


@settings(max_examples=40)
@given(spread, st.randoms(use_true_random=False))
def test_order_does_not_matter(sample: list[float], random: Random) -> None:
    shuffled = list(sample)
    random.shuffle(shuffled)
    assert mean_interval(shuffled) == mean_interval(sample)
    assert median_interval(shuffled) == median_interval(sample)


@settings(max_examples=40)
@given(spread)
def test_hold_their_estimate_and_bca_stays_within_the_values(sample: list[float]) -> None:
    found = mean_interval(sample)
    assert found is not None
    assert found.low < np.mean(sample) < found.high
    if found.method == "bca":
        assert min(sample) <= found.low
        assert found.high <= max(sample)
    middle = median_interval(sample)
    if middle is not None:
        assert min(sample) <= middle.low <= np.median(sample) <= middle.high <= max(sample)


@settings(max_examples=40)
@given(spread, st.integers(-1000, 1000), st.sampled_from([-4.0, -1.0, 0.125, 1.0, 8.0]))
def test_follow_a_change_of_unit_of_origin_and_of_direction(
    sample: list[float], shift: int, factor: float
) -> None:
    changed = [factor * value + shift for value in sample]
    assume(min(changed) < max(changed))
    for interval in (mean_interval, median_interval):
        before, after = interval(sample), interval(changed)
        if before is None or after is None:
            assert before is after is None
            continue
        expected = sorted(factor * end + shift for end in (before.low, before.high))
        assert [after.low, after.high] == pytest.approx(expected, rel=1e-7, abs=1e-7)


def test_one_half_of_the_resamples_mirrors_the_other() -> None:
    sums = resampled_sums(np.array([-3.0, -2.0, -1.0, 0.0, 0.0, 1.0, 2.0, 3.0]))
    assert np.array_equal(sums, -sums[::-1])


@pytest.mark.parametrize("n", [101, 1500])
def test_large_samples_are_resampled_in_parts(n: int) -> None:
    sample = np.random.default_rng(n).normal(10, 1, n).tolist()
    found, student = mean_interval(sample), t_interval(sample)
    assert found is not None
    assert found.high - found.low == pytest.approx(student.high - student.low, rel=0.1)


@pytest.mark.parametrize(("n", "low", "high"), [(6, 0.357, 4.643), (10, 1.658, 7.342)])
def test_median_interpolates_between_order_statistics(n: int, low: float, high: float) -> None:
    found = median_interval([float(value) for value in range(n)])
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-3)
    assert MEDIAN_FROM == 6


@pytest.mark.parametrize(
    ("distribution", "n"),
    [(normal(0.01), n) for n in (3, 5, 10, 30)] + [(lognormal(0.1), 10), (bimodal(4), 10)],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_means_interval_holds_what_it_says(distribution: Distribution, n: int) -> None:
    found = coverage(MEAN["Chimera"], draw(distribution, n, samples=600), distribution.mean)
    assert found.none == 0
    assert found.fraction is not None
    assert 0.94 - 3 * found.error <= found.fraction <= 0.96 + 3 * found.error


@pytest.mark.parametrize("distribution", [normal(0.01), lognormal(1), bimodal(8)], ids=lambda d: d.name)
@pytest.mark.parametrize("n", [6, 10, 30])
def test_the_medians_interval_holds_what_it_says(distribution: Distribution, n: int) -> None:
    found = coverage(MEDIAN["Chimera"], draw(distribution, n, samples=1000), distribution.median)
    assert found.fraction is not None
    assert 0.94 - 3 * found.error <= found.fraction <= 0.96 + 3 * found.error


def test_the_bootstrap_covers_skewed_runs_better_than_t() -> None:
    samples = draw(lognormal(1), 10, samples=600)
    truth = lognormal(1).mean
    ours, student = (coverage(method, samples, truth).fraction for method in (mean_interval, t_interval))
    assert ours is not None
    assert student is not None
    assert ours > student + 0.02
