from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.stealing import UNKNOWN_RELOAD_S, Split, choose_split


@pytest.mark.parametrize(
    ("waiting", "idle", "job_s", "reload_s", "expected"),
    [
        # 10.5 jobs of 10 s and a reload of 10 s: the taker gets 5, and both end after some 55 s.
        ({"a": 10}, ["b"], {"a": 10.0}, 10.0, Split("a", 5)),
        # With two takers, a third each.
        ({"a": 10}, ["b", "c"], {"a": 10.0}, 10.0, Split("a", 3)),
        # A reload as long as all that waits gains nothing.
        ({"a": 10}, ["b"], {"a": 10.0}, 105.0, None),
        ({"a": 1}, ["b"], {"a": 10.0}, 5.0, None),
        ({"a": 1}, ["b"], {"a": 10.0}, 0.0, Split("a", 1)),
        # What counts is the work, not the number of jobs.
        ({"a": 10, "b": 6}, ["c"], {"a": 10.0, "b": 60.0}, 10.0, Split("b", 3)),
        # A slot that has done no job yet is taken for one like the others.
        ({"a": 4, "b": 20}, ["c"], {"a": 10.0}, 10.0, Split("b", 10)),
        # A reload that nobody has seen may be long.
        ({"a": 10}, ["b"], {"a": 10.0}, None, Split("a", 2)),
        ({"a": 10}, ["b"], {"a": UNKNOWN_RELOAD_S / 20}, None, None),
        # Nothing is known, or nobody is there.
        ({"a": 10}, ["b"], {}, 10.0, None),
        ({"a": 10}, ["b"], {"a": 0.0}, 10.0, None),
        ({"a": 10}, [], {"a": 10.0}, 10.0, None),
        ({"a": 0}, ["b"], {"a": 10.0}, 10.0, None),
        ({}, ["b"], {"a": 10.0}, 10.0, None),
    ],
)
def test_the_split_is_the_one_that_ends_first(
    waiting: dict[str, int],
    idle: list[str],
    job_s: dict[str, float],
    reload_s: float | None,
    expected: Split | None,
) -> None:
    assert choose_split(waiting, idle, job_s, reload_s) == expected


seconds = st.floats(0.01, 1000)
queues = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 500), max_size=6)


@given(
    queues,
    st.sets(st.sampled_from("uvwxyz"), max_size=6),
    st.dictionaries(st.sampled_from("abcdef"), seconds),
    st.none() | seconds,
)
def test_a_split_always_brings_the_end_nearer(
    waiting: Mapping[str, int], idle: set[str], job_s: Mapping[str, float], reload_s: float | None
) -> None:
    split = choose_split(waiting, idle, job_s, reload_s)
    if split is None:
        return
    assert 1 <= split.jobs <= waiting[split.slot]
    each = job_s.get(split.slot, sum(job_s.values()) / len(job_s))
    before = (waiting[split.slot] + 0.5) * each
    taken = (UNKNOWN_RELOAD_S if reload_s is None else reload_s) + split.jobs * each
    assert taken < before


@given(queues, st.integers(1, 40), seconds, seconds)
def test_splitting_ends(waiting: dict[str, int], idle: int, job_s: float, reload_s: float) -> None:
    # As the caller does it: each split goes to an idle slot, which holds its jobs from then on.
    waiting, free, taken = dict(waiting), [f"idle {n}" for n in range(idle)], 0
    total = sum(waiting.values())
    while (split := choose_split(waiting, free, dict.fromkeys(waiting, job_s), reload_s)) is not None:
        taken += 1
        waiting[split.slot] -= split.jobs
        waiting[free.pop()] = split.jobs
    assert taken <= idle
    assert sum(waiting.values()) == total
