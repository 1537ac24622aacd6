"""Mean, sd, cv and sums against exact arithmetic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.estimate import SdKind, estimate
from analysis.statistics.total import total_count, total_float
from tests.support.present import present

values = st.one_of(st.just(0.0), st.floats(1e-6, 1e15))
maybe = st.lists(st.one_of(st.none(), values), max_size=30)


@given(st.lists(values, min_size=2, max_size=30))
def test_agrees_with_exact_arithmetic(numbers: list[float]) -> None:
    scale = max(numbers) or 1.0
    references: dict[SdKind, Callable[[list[float]], float]]
    references = {"sample": statistics.stdev, "population": statistics.pstdev}
    for kind, reference in references.items():
        result = estimate(numbers, kind)
        assert result.n == len(numbers)
        assert result.mean == pytest.approx(statistics.fmean(numbers), rel=1e-12, abs=1e-300)
        assert result.sd == pytest.approx(reference(numbers), rel=1e-6, abs=1e-9 * scale)
        if result.mean:
            assert result.cv == pytest.approx(present(result.sd) / result.mean, rel=1e-12)


@given(maybe, st.randoms())
def test_order_does_not_matter_and_none_is_left_out(numbers: list[float | None], random: Random) -> None:
    shuffled = list(numbers)
    random.shuffle(shuffled)
    known = [number for number in numbers if number is not None]
    assert estimate(shuffled) == estimate(known)
    assert total_float(shuffled) == total_float(known)
    assert estimate(numbers).n == len(known)


@given(maybe)
def test_a_sum_is_absent_only_where_nothing_is_known(numbers: list[float | None]) -> None:
    known = [number for number in numbers if number is not None]
    total = total_float(numbers)
    assert (total is None) == (not known)
    if total is not None:
        assert total == pytest.approx(math.fsum(known), rel=1e-12)


def test_a_count_beyond_doubles_is_exact() -> None:
    assert total_count([2**53, None, 1]) == 2**53 + 1
    assert total_count([None]) is None


def test_the_two_estimators() -> None:
    assert estimate([1.0, 3.0], "sample").sd == pytest.approx(math.sqrt(2))
    assert estimate([1.0, 3.0], "population").sd == 1.0


@pytest.mark.parametrize("kind", ["sample", "population"])
def test_one_value_shows_no_spread(kind: SdKind) -> None:
    result = estimate([5.0], kind)
    assert (result.n, result.mean, result.sd, result.cv) == (1, 5.0, None, None)


def test_no_value_gives_nothing() -> None:
    result = estimate([None, None])
    assert (result.n, result.mean, result.sd, result.cv) == (0, None, None, None)


def test_a_mean_of_zero_has_no_cv() -> None:
    result = estimate([0.0, 0.0])
    assert (result.mean, result.sd, result.cv) == (0.0, 0.0, None)
