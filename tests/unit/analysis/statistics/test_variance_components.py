"""How much slots differ, and which of them stand apart."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.additive import Additive
from analysis.statistics.variance_components import component, stand_apart
from tests.support.present import present


def balanced(effects: np.ndarray, rng: np.random.Generator, cells: int = 6, runs: int = 3) -> Additive:
    """Every cell ``runs`` times on every slot, noise 1."""
    slots = np.tile(np.repeat(np.arange(effects.size), runs), cells)
    codes = np.repeat(np.arange(cells), runs * effects.size)
    return Additive(codes + effects[slots] + rng.normal(size=slots.size), codes, {"slot": slots})


def test_a_balanced_component_is_the_textbooks() -> None:
    fit = balanced(np.array([0.0, 1.0, -2.0, 0.5]), np.random.default_rng(1))
    term = fit.terms["slot"]
    assert component(fit, "slot") == pytest.approx((term.ss / term.df - present(fit.mean_square)) / 18)


def test_the_component_is_right_on_average_where_unbalanced() -> None:
    rng = np.random.default_rng(2)
    found = []
    for _ in range(200):
        effects = rng.normal(0, 0.5, 8)
        slots, cells = rng.integers(8, size=60), np.repeat(np.arange(12), 5)
        found.append(
            component(Additive(effects[slots] + rng.normal(size=60), cells, {"slot": slots}), "slot")
        )
    assert np.mean([present(one) for one in found]) == pytest.approx(0.25, abs=0.04)


def test_it_is_never_below_0() -> None:
    rng = np.random.default_rng(3)
    found = [component(balanced(np.zeros(4), rng), "slot") for _ in range(50)]
    assert min(present(one) for one in found) == 0


def test_the_slow_one_is_named_and_makes_no_outlier_of_the_others() -> None:
    fit = balanced(np.array([0.0, 0, -8]), np.random.default_rng(4))
    made = stand_apart(fit, "slot", 0.05, 0.5)
    assert [one.named for one in made] == [False, False, True]
    assert made[2].difference == pytest.approx(-8, abs=1)
    # Held against each other and not against a mean with the slow one in it, 4 lower.
    assert abs(made[0].difference) < 1
    assert present(made[2].p) < present(made[2].p_holm) < 1e-6


def test_half_of_a_pool_is_no_minority() -> None:
    fit = balanced(np.array([0.0, 0, -9, -9]), np.random.default_rng(5))
    assert sum(one.named for one in stand_apart(fit, "slot", 0.05, 0.5)) <= 1


def test_of_two_both_have_the_same_test() -> None:
    fit = balanced(np.array([0.0, -5]), np.random.default_rng(6))
    first, second = stand_apart(fit, "slot", 0.05, 0.5)
    assert first.difference == pytest.approx(-second.difference)
    assert first.p_holm == first.p == pytest.approx(second.p)
    assert first.named and second.named


def test_a_small_difference_is_not_named_however_clear() -> None:
    fit = balanced(np.array([0.0, 0, 0, -0.9]), np.random.default_rng(7), runs=40)
    (*_, last) = stand_apart(fit, "slot", 0.05, 2.0)
    assert present(last.p_holm) < 0.001
    assert not last.named


def test_alike_slots_are_seldom_named() -> None:
    rng = np.random.default_rng(8)
    named = sum(
        any(one.named for one in stand_apart(balanced(np.zeros(6), rng), "slot", 0.05, 0.0))
        for _ in range(400)
    )
    assert named / 400 <= 0.07
