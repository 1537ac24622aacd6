"""One figure a run, and each stage over runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from analysis.summary import summarise_configuration
from contracts.call import Outcome
from contracts.records import StageRecord
from tests.support.factories import RecordFactory
from tests.support.present import present

ColdFirst = Callable[..., list[StageRecord]]


@pytest.fixture
def cold_first(record: RecordFactory) -> ColdFirst:
    """Five runs of two stages with different TTFTs; the first call of run 1 loads the model."""

    def make(cold_runs: tuple[int, ...] = (1,)) -> list[StageRecord]:
        return [
            record(
                **{"run": run, "stage": stage, "tokens": tokens, "eval_ms": 10.0 * tokens},
                ttft_ms=ttft + (5000 if cold else 0),
                load_ms=4800.0 if cold else 20.0,
                total_duration_ms=10.0 * tokens + ttft + (5000 if cold else 0),
                throughput_tok_s=100.0,
            )
            for run in range(1, 6)
            for stage, ttft, tokens in (("analysis", 100.0 + run, 400), ("report", 300.0 + run, 1200))
            for cold in [run in cold_runs and stage == "analysis"]
        ]

    return make


def test_a_run_with_a_cold_call_among_others_without_has_no_ttft_of_fewer_stages(
    cold_first: ColdFirst,
) -> None:
    found = summarise_configuration(cold_first())
    assert [run.ttft_ms for run in found.over_runs.runs] == [None, 202, 203, 204, 205]
    assert found.over_runs.ttft_ms.n == found.over_runs.duration_ms.n == 4
    assert found.over_runs.throughput_tok_s.n == 5  # loading is no part of the eval time
    assert not found.outliers


def test_where_every_run_begins_cold_all_runs_have_the_same_mix(cold_first: ColdFirst) -> None:
    found = summarise_configuration(cold_first(cold_runs=range(1, 6)))
    assert [run.ttft_ms for run in found.over_runs.runs] == [301, 302, 303, 304, 305]
    assert found.over_runs.duration_ms.n == 5


def test_a_stages_duration_is_that_of_warm_calls_unless_all_are_cold(cold_first: ColdFirst) -> None:
    analysis, report = summarise_configuration(cold_first()).stages_over_runs
    assert (analysis.duration_ms.n, analysis.ttft_ms.n, analysis.ttft_cold_ms.n) == (4, 4, 1)
    assert present(analysis.duration_ms.max) < 5000
    assert report.duration_ms.n == 5
    always, _ = summarise_configuration(cold_first(cold_runs=range(1, 6))).stages_over_runs
    assert always.duration_ms.n == 5 and present(always.duration_ms.min) > 5000


def test_rates_of_a_run_by_both_definitions(cold_first: ColdFirst) -> None:
    records = [
        r.model_copy(update={"eval_ms": 8000.0, "throughput_tok_s": 50.0}) if r.stage == "analysis" else r
        for r in cold_first(cold_runs=())
    ]
    runs = summarise_configuration(records).over_runs
    assert runs.throughput_tok_s.mean == pytest.approx(1600 / 20)  # Σ tokens / Σ eval time
    assert runs.mean_of_rates_tok_s.mean == pytest.approx((50 + 100) / 2)
    assert runs.ratio_of_sums_tok_s == pytest.approx(1600 / 20)


def test_what_of_a_stage_does_not_count_is_counted_by_reason(cold_first: ColdFirst) -> None:
    records = cold_first(cold_runs=())
    records[1] = records[1].model_copy(update={"outcome": Outcome.TIMEOUT})
    records[3] = records[3].model_copy(update={"suspect": ("late",)})
    del records[5]
    _, report = summarise_configuration(records, runs_planned=6).stages_over_runs
    assert (report.planned, report.ok) == (6, 2)
    assert report.excluded == {"timeout": 1, "suspect": 1, "no record": 2}
