"""Where a server saturates: of searches, of grids of loads, and from where on its output grows no more."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.load.saturation import bracket
from analysis.load.words import knee_words, level_words, saturation_words
from analysis.models import SweepSummary
from analysis.models.load import Knee, LoadStep, Saturation
from analysis.summary import summarise_records
from contracts.records import StageRecord
from tests.support.synthetic_loads import configuration, grid, load_manifest, load_records

SLO: dict[str, Any] = {"slo": {"ttft_ms": 100}}


def of_grid(levels: list[float], over: str = "rate", **options: Any) -> SweepSummary:
    records, manifest = grid(levels, over=over, **{"requests": 200, "noise": 0.01, **options})
    return summarise_records(records, manifest)


def the(summary: SweepSummary) -> Saturation:
    (found,) = summary.saturations
    return found


def words(s: Saturation) -> str:
    return saturation_words(s) or ""


def searched(kept: dict[int, dict[float, bool]]) -> SweepSummary:
    """Run → asked rate → whether it is one that the server (19 requests/s) keeps up with, by its real rate."""
    records: list[StageRecord] = []
    for run, steps in kept.items():
        for number, (asked, keeps) in enumerate(steps.items(), 1):
            made = load_records("search", run, rate=5.0 if keeps else 60.0, step=number, parameters={})
            records += [one.model_copy(update={"asked_rate": asked}) for one in made]
    workload = {"search": {"start": 1, "max": 64}}
    return summarise_records(records, load_manifest([configuration("search")], len(kept), workload))


def test_a_grid_of_rates_tells_between_which_two_the_server_saturates() -> None:
    summary = of_grid([5, 10, 30, 60])
    s = the(summary)
    assert (s.method, s.over, s.low, s.high, s.monotonic, s.runs) == ("grid", "rate", 10, 30, True, 3)
    assert s.asked == (5, 10, 30, 60)
    assert [load.kept_up for load in summary.loads] == [3, 3, 0, 0]
    assert words(s) == (
        "The server keeps up with 10 requests/s in every run, and with 30 requests/s not in every one: it saturates between."
    )
    assert s.knee is None and knee_words(s) is None


def test_a_grid_that_never_fails_tells_a_lower_end_only() -> None:
    s = the(of_grid([5, 10]))
    assert (s.low, s.high) == (10, None)
    assert (
        words(s)
        == "The server keeps up with at least 10 requests/s, the highest load asked for, in every run."
    )


def test_a_grid_that_always_fails_tells_an_upper_end_only() -> None:
    s = the(of_grid([40, 60]))
    assert (s.low, s.high) == (None, 40)
    assert "less than 40 requests/s, the lowest load asked for" in words(s)


def test_a_grid_out_of_order_is_said_to_be_so() -> None:
    records, manifest = grid([5, 10, 12], over="rate", requests=200)
    bad = load_records("rate=10", 1, rate=60.0, requests=200)
    records = [one for one in records if (one.config, one.run) != ("rate=10", 1)]
    records += [one.model_copy(update={"asked_rate": 10.0}) for one in bad]
    s = the(summarise_records(records, manifest))
    assert (s.low, s.high, s.monotonic) == (5, 10, False)
    assert "A higher load was kept up with" in words(s)


def test_too_few_requests_tell_nothing() -> None:
    s = the(of_grid([5, 10], requests=1))
    assert (s.low, s.high, s.runs, s.untold) == (None, None, 0, (5, 10))
    assert "did not tell" in words(s)


def test_groups_differ_in_nothing_but_the_load() -> None:
    points, records = [], []
    for context in (1024, 2048):
        for rate in (5.0, 40.0):
            point = configuration(f"num_ctx={context},rate={rate:g}", rate=rate, num_ctx=context)
            points.append(point)
            for run in (1, 2):
                records += load_records(point.name, run, rate=rate, parameters=point.parameters.given())
    summary = summarise_records(records, load_manifest(points, 2))
    assert [(s.label, s.low, s.high) for s in summary.saturations] == [
        ("num_ctx=1024", 5, 40),
        ("num_ctx=2048", 5, 40),
    ]
    assert [len(s.configurations) for s in summary.saturations] == [2, 2]


def test_the_knee_of_a_closed_loop() -> None:
    s = the(of_grid([1, 2, 4, 8, 16], over="concurrency"))
    assert s.method is None and saturation_words(s) is None  # keeps up with any number of users
    assert (s.low, s.high) == (None, None)
    assert s.knee is not None and (s.knee.at, s.knee.highest) == (4, False)
    assert len(s.knee.comparisons) == 10
    assert (knee_words(s) or "").startswith(
        "Output tokens per second are not shown to grow by more than 5 % beyond 4 requests at a time (a true growth of "
    )


def test_a_growth_that_is_shown_and_worth_nothing_is_none() -> None:
    """Twice the users for a per cent more: real, and no reason to call it growth."""
    records, manifest = grid([1, 4, 8], over="concurrency", requests=200, runs=5, noise=0.001)

    def faster(one: StageRecord) -> StageRecord:
        if one.config != "concurrency=8" or one.tokens is None:
            return one
        return one.model_copy(update={"tokens": one.tokens + (one.request or 0) % 2})

    s = the(summarise_records([faster(one) for one in records], manifest))
    assert s.knee is not None and s.knee.at == 4
    last = s.knee.comparisons[-1]
    assert last.verdict == "better" and last.percent is not None and 0 < last.percent < 5


def test_output_that_still_grows_is_said_to() -> None:
    s = the(of_grid([1, 2, 4], over="concurrency"))
    assert s.knee is not None and (s.knee.at, s.knee.highest) == (4, True)
    assert "still grew up to 4 requests at a time, the highest load asked for" in (knee_words(s) or "")


def test_too_few_runs_tell_no_knee() -> None:
    s = the(of_grid([1, 2, 4], over="concurrency", runs=2))
    assert s.knee is not None and s.knee.at is None
    assert "can't be told (concurrency=2: a test takes 3 complete runs of each)" in (knee_words(s) or "")


def test_a_closed_loop_with_an_slo_has_both() -> None:
    s = the(of_grid([1, 4, 8], over="concurrency", workload=SLO))
    assert (s.method, s.low, s.high, s.slo) == ("grid", 4, 8, True)
    assert "keeps up within the SLO with 4 requests at a time" in words(s)
    assert s.knee is not None and s.knee.at == 4


def test_searches_hold_the_answer_and_their_mean() -> None:
    s = the(
        searched(
            {
                1: {4: True, 8: True, 16: False, 12: True},
                2: {4: True, 8: True, 16: False, 12: False},
                3: {4: True, 8: True, 16: False, 12: True, 14: False},
            }
        )
    )
    assert [(one.low, one.high) for one in s.searches] == [(12, 16), (8, 12), (12, 14)]
    assert (s.method, s.low, s.high, s.runs) == ("search", 8, 16, 3)
    assert s.mid.n == 3 and s.mid.mean == pytest.approx((14 + 10 + 13) / 3)
    assert s.mid.mean_interval is not None
    assert words(s).startswith("The server saturates at 12.3 requests/s (95 % interval ")
    assert "in the searches of all 3 runs: between 8 and 16 requests/s" in words(s)


def test_two_searches_have_no_mean() -> None:
    s = the(searched({1: {4: True, 8: False}, 2: {4: True, 8: False}}))
    assert s.mid.n == 0 and s.mid.mean is None
    assert words(s) == "The server saturates in the searches of all 2 runs: between 4 and 8 requests/s."


@pytest.mark.parametrize(
    ("second", "ends", "said"),
    [
        ({4: True, 8: True}, (4, None), "with at least 4 requests/s: not every search of 2 runs"),
        ({4: False}, (None, 8), "with less than 8 requests/s: not every search of 2 runs"),
    ],
    ids=["no upper end", "no lower end"],
)
def test_a_search_without_an_end_leaves_all_without(
    second: dict[float, bool], ends: tuple[None, int] | tuple[int, None], said: str
) -> None:
    s = the(searched({1: {4: True, 8: False}, 2: second}))
    assert (s.low, s.high) == ends
    assert said in words(s)


def test_a_search_out_of_order_is_said_to_be_so() -> None:
    s = the(searched({1: {4: False, 8: True}}))
    assert s.searches[0].low is None and s.searches[0].high == 4
    assert not s.monotonic and "A higher load was kept up with" in words(s)


@given(st.lists(st.tuples(st.integers(1, 50), st.sampled_from([True, False, None])), max_size=12))
def test_the_interval_of_a_search(steps: list[tuple[int, bool | None]]) -> None:
    low, high, monotonic = bracket(
        [
            LoadStep(step=number, rate=float(asked), requests=1, keeps_up=kept)
            for number, (asked, kept) in enumerate(steps, 1)
        ]
    )
    kept = {asked for asked, keeps in steps if keeps}
    lost = {asked for asked, keeps in steps if keeps is False}
    assert high == (min(lost) if lost else None)
    assert low is None or (low in kept and (high is None or low < high))
    assert monotonic == all(not lost or one < min(lost) for one in kept)
    assert (low is None) == (not [one for one in kept if not lost or one < min(lost)])


def test_until_precise_intervals_hold_at_every_look() -> None:
    records, manifest = grid([1, 4, 8], over="concurrency", requests=200, noise=0.01)
    until = {"min": 3, "max": 9, "until": {"throughput": "1%"}}
    spec = type(manifest.spec).model_validate({**manifest.spec.model_dump(mode="json"), "runs": until})
    summary = summarise_records(records, manifest.model_copy(update={"spec": spec}))
    intervals = {load.output_tok_s.mean_interval for load in summary.loads}
    assert {interval.method for interval in intervals if interval} == {"confidence-sequence"}
    knee = the(summary).knee
    assert knee is not None and {one.looks for one in knee.comparisons} == {9}


def test_levels_in_words() -> None:
    assert level_words(1, "concurrency") == "1 request at a time"
    assert level_words(8, "concurrency") == "8 requests at a time"
    assert level_words(2.5, "rate") == "2.5 requests/s"
    assert level_words(None, None) == "a load that is not recorded"


def test_models_read_back() -> None:
    summary = of_grid([1, 4, 8], over="concurrency", workload=SLO)
    assert SweepSummary.model_validate_json(summary.model_dump_json()) == summary
    assert isinstance(the(summary).knee, Knee)
