"""Tukey's fences, and the runs outside them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models import RunFigures, RunOutlier
from analysis.outliers import run_outliers
from analysis.statistics.outliers import fences
from benchmarks.statistics.flags import false_flags

samples = st.lists(st.integers(-1000, 1000).map(float), min_size=5, max_size=30)


def run(number: int, speed: float | None, *, complete: bool = True, ttft: float | None = None) -> RunFigures:
    return RunFigures(
        run=number, complete=complete, calls=2, valid_calls=2, throughput_tok_s=speed, ttft_ms=ttft
    )


def test_known_fences() -> None:
    found = fences([1.0, 2.0, 3.0, 4.0, 100.0])
    assert found is not None
    assert (found.low, found.high) == (-1.0, 7.0)
    assert [found.hold(value) for value in (-1.1, -1.0, 7.0, 7.1)] == [False, True, True, False]


def test_four_values_have_none() -> None:
    assert fences([1.0, 1.0, 1.0, 100.0]) is None


@given(samples)
def test_the_middle_half_is_always_inside(values: list[float]) -> None:
    found = fences(values)
    assert found is not None
    middle = sorted(values)[len(values) // 4 + 1 : -(len(values) // 4) - 1]
    assert all(found.hold(value) for value in middle)


@given(samples, st.integers(-100, 100), st.sampled_from([-2.0, 0.5, 4.0]))
def test_fences_follow_a_change_of_unit_of_origin_and_of_direction(
    values: list[float], shift: int, factor: float
) -> None:
    before, after = fences(values), fences([factor * value + shift for value in values])
    assert before is not None
    assert after is not None
    expected = sorted((factor * before.low + shift, factor * before.high + shift))
    assert [after.low, after.high] == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_runs_are_flagged_by_metric_with_their_fences() -> None:
    runs = [run(number, speed, ttft=10.0 + number) for number, speed in enumerate((50, 51, 49, 50.5, 20), 1)]
    assert run_outliers(runs) == (
        RunOutlier(metric="throughput_tok_s", run=5, value=20, low=46.75, high=52.75),
    )


def test_incomplete_runs_and_unknown_values_are_no_evidence() -> None:
    whole = [run(number, speed) for number, speed in enumerate((50, 51, 49, 50.5), 1)]
    assert run_outliers([*whole, run(5, 20, complete=False)]) == ()
    assert run_outliers([*whole, run(5, None)]) == ()
    assert run_outliers([]) == ()


def test_how_often_nothing_is_flagged_as_something() -> None:
    runs, configurations = false_flags(5, samples=3000)
    assert 0.07 < runs < 0.10
    assert 0.30 < configurations < 0.37
