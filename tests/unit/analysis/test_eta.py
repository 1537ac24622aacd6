"""The time left: exact where it can be told, and good enough in simulated sweeps with fixed seeds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.eta import Loads, Work, eta, parallel
from tests.support.simulated_sweep import SCENARIOS, figures, simulate

SIMULATIONS = 60


def work(planned: int, *times_ms: float, plot: str = "") -> Work:
    return Work(planned, len(times_ms), sum(times_ms), sum(t**2 for t in times_ms), plot)


@pytest.mark.parametrize(
    ("scenario", "least", "covered"),
    [
        ("100 configurations × 10 runs", 0.99, 0.90),
        ("100 × 10, jobs of 20 to 200 ms", 0.99, 0.90),
        ("100 × 10, a job's time varies by 50 %", 0.95, 0.85),
        ("100 × 10, 30 % of the configurations fail", 0.99, 0.85),
        ("100 × 3", 0.85, 0.85),
        ("20 × 10", 0.90, 0.90),
        ("10 plots of 10 configurations × 9, load 60 s", 0.90, 0.90),
        ("50 plots of 1 × 20, load 60 s", 0.90, 0.90),
        ("100 × 10, 2 of 8 slots leave after 5 %", 0.95, 0.88),
        ("the same, jobs of 20 to 200 ms", 0.95, 0.88),
        ("100 × 10, 2 slots become 8 after 5 %", 0.95, 0.88),
        ("10 plots of 10 × 9, load 60 s, 2 of 8 slots leave after 5 %", 0.90, 0.90),
    ],
)
def test_after_a_tenth_of_a_sweep_the_time_left_is_known_within_20_percent(
    scenario: str, least: float, covered: float
) -> None:
    within, bias, holds = figures(SCENARIOS[scenario], SIMULATIONS)
    assert within >= least
    assert abs(bias) < 0.06
    assert holds >= covered


def test_a_sweep_too_small_for_20_percent_says_so_by_its_interval() -> None:
    small = replace(SCENARIOS["30 × 5 on 2 slots"], configurations=10, runs=4)
    seen = [simulate(small, seed) for seed in range(SIMULATIONS)]
    assert sum(abs(one.error) <= 0.2 for one in seen) < 0.8 * SIMULATIONS
    with_interval = [one for one in seen if one.eta is not None and one.eta.low is not None]
    assert sum(one.covered for one in with_interval) >= 0.85 * len(with_interval)


def test_it_gets_better() -> None:
    sweep = SCENARIOS["100 × 3"]
    early, late = ([abs(simulate(sweep, seed, at).error) for seed in range(30)] for at in (0.1, 0.6))
    assert sum(late) < 0.5 * sum(early)


def test_equal_jobs_take_what_they_took() -> None:
    left = eta({"a": work(5, 1000, 1000), "b": work(5, 1000, 1000)}, slots=1)
    assert left is not None
    assert (left.seconds, left.jobs_left) == (6.0, 6)


def test_what_runs_has_done_a_part_already() -> None:
    left = eta({"a": work(3, 1000, 1000)}, slots=1, running=[("a", 700.0)])
    late = eta({"a": work(3, 1000, 1000)}, slots=1, running=[("a", 5000.0)])
    assert left is not None and late is not None
    assert left.seconds == pytest.approx(0.3)
    assert late.seconds == 0


def test_a_configuration_not_seen_takes_what_the_others_took_and_a_slow_one_its_own_time() -> None:
    left = eta({"a": work(2, 1000), "b": work(2, 3000), "c": work(2)}, slots=1)
    assert left is not None and left.seconds == pytest.approx(1 + 3 + 2 * 2)
    assert left.low is not None and left.high is not None and left.low < left.seconds < left.high


def test_a_job_that_runs_long_already_counts_with_what_it_takes_at_least() -> None:
    seen = {"a": work(1, 1000), "b": work(1, 3000), "c": work(1), "d": work(1)}
    short, long_ = (eta(seen, slots=1, running=[("c", age)]) for age in (0.0, 2000.0))
    # c: 2 s or 3 s, of which the age is over; d: the mean of a, b and c.
    assert short is not None and short.seconds == pytest.approx(2 + 2)
    assert long_ is not None and long_.seconds == pytest.approx((3 - 2) + 7 / 3)


def test_loads_are_counted_by_themselves() -> None:
    begun = {"a": work(4, 11_000, 1000, plot="p"), "b": work(4, plot="q")}
    left = eta(begun, slots=1, loads=Loads({"p": 1}, 3, 10_000.0))
    assert left is not None and left.seconds == pytest.approx(2 * 1 + 4 * 1 + 3 * 10)


def test_without_anything_to_compare_there_is_no_interval() -> None:
    left = eta({"a": work(3, 1000), "b": work(3)}, slots=1)
    assert left is not None and (left.seconds, left.low, left.high) == (5.0, None, None)


@pytest.mark.parametrize(
    ("jobs", "slots"),
    [({"a": work(3)}, 1.0), ({"a": work(1, 1000)}, 1.0), ({"a": work(3, 1000)}, None), ({}, 1.0)],
    ids=["nothing done", "nothing left", "nothing works", "nothing at all"],
)
def test_what_cannot_be_told_is_not_told(jobs: dict[str, Work], slots: float | None) -> None:
    assert eta(jobs, slots=slots) is None


EIGHT = dict.fromkeys(map(str, range(8)), 9700.0)


@pytest.mark.parametrize(
    ("working", "busy_ms", "alone", "slots"),
    [
        (EIGHT, EIGHT, True, 7.76),  # as on average so far, gaps included
        (list(EIGHT)[:6], EIGHT, True, 5.82),  # two have gone
        ([*EIGHT, "new"], EIGHT, True, 8.73),  # one has joined
        (EIGHT, EIGHT | {"0": 2000.0}, True, 7.76),  # one joined a while ago
        (EIGHT, EIGHT | {"0": 2000.0}, False, 6.99),  # one was taken by the other sweep's jobs
        (EIGHT, {}, True, 8.0),  # nothing is known of how busy they are
        ([], EIGHT, True, None),
    ],
)
def test_slots_that_share_the_work(
    working: list[str], busy_ms: dict[str, float], alone: bool, slots: float | None
) -> None:
    assert parallel(working, busy_ms, 10_000, alone=alone) == pytest.approx(slots)


def test_no_more_slots_share_the_work_than_there_is_work_for() -> None:
    jobs = {"a": work(5, 4000, 4000, 4000)}
    last = eta(jobs, slots=8)
    assert last is not None and last.seconds == eta(jobs, slots=2).seconds  # type: ignore[union-attr]
    plot = {"a": work(9, 4000, 4000, 4000, plot="p")}
    rest = eta(plot, slots=8, running=[("a", 0.0)], loads=Loads({"p": 1}, 0, 0.0))
    assert rest is not None and rest.seconds == 24


def test_on_other_slots_than_so_far_the_interval_is_wider() -> None:
    jobs = {"a": work(9, 1000, 1100), "b": work(9, 1000, 1050)}
    same, fewer = (eta(jobs, slots=2, average=average) for average in (2.0, 8.0))
    assert same is not None and fewer is not None and same.seconds == fewer.seconds
    assert fewer.high > same.high and fewer.low < same.low  # type: ignore[operator]


@pytest.mark.parametrize(("slots", "average"), [(5e-324, 2.0), (100.0, 5e-324), (5e-324, 1e308)])
def test_however_much_slots_have_changed_it_is_a_time_or_nothing(slots: float, average: float) -> None:
    left = eta({"a": work(9, 1000, 1000.000001)}, slots=slots, average=average)
    assert left is None or left.seconds > 0


times = st.lists(st.integers(0, 10**12).map(lambda us: us / 1e3), max_size=4)  # as the store keeps them


@given(
    st.dictionaries(
        st.sampled_from("abcd"), st.tuples(st.integers(0, 9), times, st.sampled_from(["", "p", "q"]))
    ),
    st.floats(0, 100),
    st.none() | st.floats(0, 100),
    st.lists(st.tuples(st.sampled_from("abcde"), st.floats(0, 1e9)), max_size=4),
    st.none() | st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(0, 1e7)),
)
def test_whatever_the_counters_say_it_is_a_time_or_nothing(
    jobs: dict[str, tuple[int, list[float], str]],
    slots: float,
    average: float | None,
    running: list[tuple[str, float]],
    load: tuple[int, int, float] | None,
) -> None:
    known = {name: work(planned, *took, plot=plot) for name, (planned, took, plot) in jobs.items()}
    loads = None if load is None else Loads({"p": load[0]}, load[1], load[2])
    left = eta(known, slots=slots, average=average, running=running, loads=loads)
    if left is not None:
        assert left.seconds >= 0
        assert (left.low is None) == (left.high is None)
        if left.low is not None and left.high is not None:
            assert 0 <= left.low <= left.seconds <= left.high
