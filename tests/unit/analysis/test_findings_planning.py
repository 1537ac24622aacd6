"""How many runs it would take, and the groups that runs fall into."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.findings.planning import MOST_RUNS, runs_for_interval, runs_to_show
from analysis.findings.spread import Groups, two_groups
from tests.support.present import present


@pytest.mark.parametrize("cv", [0.01, 0.03, 0.1, 0.5])
def test_the_fewest_runs_whose_interval_is_narrow_enough(cv: float) -> None:
    n = runs_for_interval(cv, 0.05)

    def half_width(runs: int) -> float:
        return float(stats.t.ppf(0.975, runs - 1) * cv / runs**0.5)

    assert half_width(present(n)) <= 0.05
    assert n == 2 or half_width(present(n) - 1) > 0.05


def test_what_no_plausible_number_of_runs_gives() -> None:
    assert runs_for_interval(30.0, 0.05) is None
    assert runs_for_interval(0.0, 0.05) == 2


def test_runs_to_show_a_difference() -> None:
    assert runs_to_show(5, 4.0, 2.0) == 20  # half the difference: four times the runs
    assert runs_to_show(5, 4.0, 0.0) is None
    assert runs_to_show(5, 4.0, 0.001) is None
    assert runs_to_show(MOST_RUNS, 1.0, 1.0) == MOST_RUNS


def test_two_groups() -> None:
    apart = [100.0, 100.5, 101.0, 99.8, 100.2, 110.0, 110.4, 109.9, 110.2, 110.1]
    assert two_groups(apart) == Groups(low_n=5, low_max=101.0, high_n=5, high_min=109.9)
    assert two_groups(apart[:9]) is None  # too few
    assert two_groups([100.0] * 9 + [110.0]) is None  # one outlier is no group
    assert two_groups([100.0 + 0.0001 * value for value in apart]) is None  # 0.001 % apart


def test_normal_runs_seldom_fall_into_two() -> None:
    samples = np.random.default_rng(1).normal(100, 3, (2000, 10))
    assert sum(two_groups(list(sample)) is not None for sample in samples) < 20  # 4 of 1,000
