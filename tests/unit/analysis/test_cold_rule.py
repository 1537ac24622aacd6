"""The cold rule, on the cases it was made for."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.cold import FACTOR, MARGIN_MS, classify
from tests.support.present import present

W, C = 250.0, 4800.0


@pytest.mark.parametrize(
    ("loads", "cold"),
    [
        ([C, W, W], [True, False, False]),
        ([C, None, W, 240.0], [True, None, False, False]),
        ([C, W, C, W, C, W], [True, False] * 3),
        ([C, C, W, C, W], [True, True, False, True, False]),
        ([C, 0.0, 0.0], [True, False, False]),
        ([20.0, 21.0, 110.0], [False, False, False]),
        ([1.0, 2.0, 400.0], [False, False, None]),
        ([700.0, 800.0, 1250.0], [False, False, False]),
    ],
    ids=[
        "one cold",
        "one load time missing",
        "every run reloads: half are cold",
        "most are cold",
        "a server that reports 0 for a loaded model",
        "above the factor, within the noise",
        "many times a tiny load time",
        "above the margin, within the factor",
    ],
)
def test_told_apart(loads: list[float | None], cold: list[bool | None]) -> None:
    assert classify(loads) == cold


@pytest.mark.parametrize(
    "loads",
    [[], [C], [C, W], [None] * 6, [C, W, None, None], [0.0] * 6, [C, 4700.0, 4900.0, 4850.0]],
    ids=["none", "one", "two", "not reported", "two of four", "all zero", "perhaps all cold"],
)
def test_unknown_rather_than_guessed(loads: list[float | None]) -> None:
    assert classify(loads) == [None] * len(loads)


def test_far_above_cold_ones_is_still_cold() -> None:
    assert classify([1500.0, 1500.0, 1600.0, 30_000.0]) == [None, None, None, True]


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e6)), max_size=12), st.randoms())
def test_a_verdict_belongs_to_the_load_time_not_to_the_place(
    loads: list[float | None], random: Random
) -> None:
    verdicts = list(zip(loads, classify(loads), strict=True))
    random.shuffle(verdicts)
    assert classify([load for load, _ in verdicts]) == [verdict for _, verdict in verdicts]
    known = [load for load in loads if load is not None]
    for load, verdict in verdicts:
        assert load is not None or verdict is None
        if verdict:
            assert present(load) > min(known) + MARGIN_MS and present(load) > FACTOR * min(known)
