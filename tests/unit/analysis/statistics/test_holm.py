"""Holm's correction."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.holm import holm
from tests.support.present import present

PS = st.lists(st.none() | st.floats(0, 1), max_size=30)


def test_a_worked_example() -> None:
    # 4 × 0.005, 3 × 0.01, 2 × 0.03, and 0.04 lifted to the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_no_tests() -> None:
    assert holm([]) == []
    assert holm([None, None]) == [None, None]


@given(PS)
def test_at_least_p_at_most_bonferroni_and_1(ps: list[float | None]) -> None:
    tested = sum(p is not None for p in ps)
    for p, adjusted in zip(ps, holm(ps), strict=True):
        assert (p is None) == (adjusted is None)
        if p is not None:
            assert p <= present(adjusted) <= min(1.0, p * tested)


@given(PS)
def test_it_keeps_the_order_of_p(ps: list[float | None]) -> None:
    pairs = sorted((p, present(q)) for p, q in zip(ps, holm(ps), strict=True) if p is not None)
    adjusted = [q for _, q in pairs]
    assert adjusted == sorted(adjusted)


@given(PS, st.randoms(use_true_random=False))
def test_the_order_of_the_tests_does_not_matter(ps: list[float | None], random: Random) -> None:
    places = list(range(len(ps)))
    random.shuffle(places)
    adjusted = holm(ps)
    assert holm([ps[i] for i in places]) == [adjusted[i] for i in places]


@given(PS)
def test_what_is_not_tested_does_not_count(ps: list[float | None]) -> None:
    tested = [p for p in ps if p is not None]
    assert [q for q in holm(ps) if q is not None] == holm(tested)
