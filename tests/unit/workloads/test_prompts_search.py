"""The saturation search against servers of known capacity, without any server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.workloads import SaturationSearch
from worker.workloads.prompts.search import MAX_STEPS, MOST_DOWN, Search


def searched(spec: SaturationSearch, capacity: float) -> tuple[Search, list[float]]:
    search, steps = Search(spec), []
    while (load := search.next()) is not None:
        steps.append(load)
        search.tell(load, load <= capacity)
    return search, steps


def test_doubling_then_bisection() -> None:
    search, steps = searched(SaturationSearch(start=1, max=64, precision=0.1), 21.3)
    assert steps == [1, 2, 4, 8, 16, 32, 24, 20, 22]
    assert (search.kept_up, search.too_much) == (20, 22)


@given(
    capacity=st.floats(0.001, 1e4),
    start=st.floats(0.01, 100),
    factor=st.floats(1, 1000),
    precision=st.floats(0.01, 0.5),
    over=st.sampled_from(["rate", "concurrency"]),
)
def test_every_search_ends_and_its_interval_holds_the_capacity(
    capacity: float, start: float, factor: float, precision: float, over: str
) -> None:
    most = min(start * factor, 10_000 if over == "rate" else 1024)
    spec = SaturationSearch.model_validate(
        {"over": over, "start": start, "max": most, "precision": precision}
    )
    search, steps = searched(spec, capacity)
    assert 1 <= len(steps) <= MAX_STEPS
    assert len(set(steps)) == len(steps)
    assert all(load <= max(most, 1) for load in steps)
    low, high = search.kept_up, search.too_much
    if over == "concurrency":
        assert all(load == int(load) >= 1 for load in steps)
    if low is not None and high is not None:
        assert low <= capacity < high
        assert high - low <= precision * high or (over == "concurrency" and high - low == 1)
    elif low is None:
        assert high is not None and capacity < high
        assert high <= start / MOST_DOWN or high == 1 or len(steps) >= MOST_DOWN.bit_length() - 1
    else:
        assert low == max(steps) and low <= capacity


def test_a_search_below_its_start() -> None:
    search, steps = searched(SaturationSearch(start=16, max=64, precision=0.2), 3)
    assert steps == [16, 8, 4, 2, 3, 3.5]
    assert (search.kept_up, search.too_much) == (3, 3.5)


def test_nothing_is_asked_for_beyond_the_maximum() -> None:
    search, steps = searched(SaturationSearch(start=1, max=10), 1000)
    assert steps == [1, 2, 4, 8, 10]
    assert (search.kept_up, search.too_much) == (10, None)


def test_one_user_is_the_least() -> None:
    search, steps = searched(SaturationSearch(over="concurrency", start=3), 0)
    assert steps == [3, 1]
    assert (search.kept_up, search.too_much) == (None, 1)


@pytest.mark.parametrize("after", [0, 2])
def test_a_step_that_does_not_tell_ends_the_search(after: int) -> None:
    search = Search(SaturationSearch())
    for _ in range(after):
        load = search.next()
        assert load is not None
        search.tell(load, True)
    load = search.next()
    assert load is not None
    search.tell(load, None)
    assert search.next() is None
