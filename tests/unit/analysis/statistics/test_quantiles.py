"""One definition of quantiles, exact where it matters."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.quantiles import quantile

finite = st.floats(-1e9, 1e9)
samples = st.lists(finite, min_size=1, max_size=40)
fractions = st.floats(0, 1)


@given(samples, fractions)
def test_is_numpys_linear_definition(values: list[float], q: float) -> None:
    assert quantile(values, q) == pytest.approx(float(np.quantile(values, q)), rel=1e-9, abs=1e-6)


def test_known_values() -> None:
    assert [quantile([4.0, 1.0, 2.0, 3.0], q) for q in (0, 0.25, 0.5, 0.75, 1)] == [1, 1.75, 2.5, 3.25, 4]
    assert quantile([7.0], 0.9) == 7.0


@given(samples, fractions, fractions)
def test_never_less_for_a_larger_fraction(values: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert quantile(values, low) <= quantile(values, high)


@given(samples, fractions)
def test_lies_within_the_values(values: list[float], q: float) -> None:
    assert min(values) <= quantile(values, q) <= max(values)


@given(samples, fractions, st.randoms(use_true_random=False))
def test_order_does_not_matter(values: list[float], q: float, random: Random) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert quantile(shuffled, q) == quantile(values, q)


@given(samples, fractions, st.floats(1e-6, 1e6))
def test_follows_a_change_of_unit(values: list[float], q: float, factor: float) -> None:
    changed = quantile([value * factor for value in values], q)
    assert changed == pytest.approx(quantile(values, q) * factor, rel=1e-9, abs=1e-6 * factor)


@given(samples, fractions)
def test_mirrored_values_have_mirrored_quantiles(values: list[float], q: float) -> None:
    assert quantile([-value for value in values], 1 - q) == pytest.approx(
        -quantile(values, q), rel=1e-9, abs=1e-6
    )
