"""One configuration's summary: what counts, what is excluded and named, what is unknown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models import ConfigurationSummary
from analysis.statistics.estimate import SdKind
from analysis.summary import summarise_configuration
from contracts.call import Outcome
from contracts.records import StageRecord
from contracts.telemetry import GpuTelemetry, StageTelemetry
from tests.support.factories import RecordFactory
from tests.support.present import present

FAILED = {
    **{"outcome": "aborted", "reason": "cut", "throughput_tok_s": None, "tokens": None},
    **{"prompt_eval_ms": None, "eval_ms": None, "load_ms": None},
}


@pytest.fixture
def three_runs(record: RecordFactory) -> list[StageRecord]:
    return [
        record(run=run, stage=stage, throughput_tok_s=rate, tokens=tokens, eval_ms=tokens / rate * 1e3)
        for run in (1, 2, 3)
        for stage, rate, tokens in (("analysis", 100.0 + run, 1000), ("report", 50.0, 500))
    ]


def texts(summary: ConfigurationSummary) -> list[tuple[int | None, str | None, str]]:
    return [(note.run, note.stage, note.text) for note in summary.notes]


def test_an_unknown_value_is_not_pooled_and_not_zero(record: RecordFactory) -> None:
    summary = summarise_configuration([record(run=1), record(run=2, **FAILED), record(run=3)])
    recorded = summary.as_recorded
    assert (recorded.throughput_tok_s.n, recorded.throughput_tok_s.mean) == (2, 100.0)
    assert recorded.ttft_ms.n == 3
    assert (recorded.tokens, recorded.eval_ms) == (2000, 20_000.0)
    assert recorded.missing == {"tokens": 1, "prompt_eval_ms": 1, "eval_ms": 1, "load_ms": 1}
    assert summary.valid.missing == {}


def test_a_sum_without_any_term_is_absent(record: RecordFactory) -> None:
    summary = summarise_configuration([record(tokens=None, eval_ms=None, load_ms=None)])
    assert summary.as_recorded.tokens is None
    assert summary.as_recorded.eval_ms is None
    assert summary.as_recorded.missing == {"tokens": 1, "eval_ms": 1, "load_ms": 1}


def test_ingest_and_warmup_are_in_no_aggregate(record: RecordFactory, three_runs: list[StageRecord]) -> None:
    plain = summarise_configuration(three_runs)
    more = summarise_configuration(
        [
            *three_runs,
            record(stage="ingest", ttft_ms=None, throughput_tok_s=None, tokens=None),
            record(stage="warmup", phase="warmup", ttft_ms=9e9, throughput_tok_s=1.0),
        ]
    )
    for field in (
        "as_recorded",
        "valid",
        "over_runs",
        "ttft_warm_observed_ms",
        "outcomes",
        "excluded",
        "calls",
    ):
        assert getattr(more, field) == getattr(plain, field)
    assert [call.stage for call in more.warmup_calls] == ["warmup"]


def test_warmup_load_times_help_the_cold_rule(record: RecordFactory) -> None:
    calls = [record(run=1), record(run=2)]
    assert [c.cold for c in summarise_configuration(calls).calls] == [None, None]
    warmup = record(stage="warmup", phase="warmup", load_ms=4800.0)
    summary = summarise_configuration([*calls, warmup])
    assert [c.cold for c in summary.calls] == [False, False]
    assert summary.warmup_calls[0].cold is True


def test_cold_and_warm_apart(record: RecordFactory) -> None:
    loads = [4800.0, 250.0, 260.0, None]
    ttfts = [5000.0, 500.0, 520.0, 900.0]
    records = [
        record(run=i, load_ms=load, ttft_ms=ttft)
        for i, (load, ttft) in enumerate(zip(loads, ttfts, strict=True), 1)
    ]
    summary = summarise_configuration(records)
    assert (summary.valid.ttft_cold_ms.n, summary.valid.ttft_cold_ms.mean) == (1, 5000.0)
    assert (summary.valid.ttft_warm_ms.n, summary.valid.ttft_warm_ms.mean) == (2, 510.0)
    assert (summary.ttft_warm_observed_ms.n, summary.ttft_warm_observed_ms.mean) == (3, 640.0)
    assert [(c.run, c.stage, c.load_ms) for c in summary.cold_calls] == [(1, "analysis", 4800.0)]
    assert [run.ttft_ms for run in summary.over_runs.runs] == [None, 500.0, 520.0, 900.0]


def test_a_server_without_load_times_leaves_cold_unknown(record: RecordFactory) -> None:
    summary = summarise_configuration([record(run=run, load_ms=None) for run in (1, 2, 3)])
    assert [call.cold for call in summary.calls] == [None] * 3
    assert summary.valid.ttft_warm_ms.n == 0
    assert summary.over_runs.ttft_ms.n == 3
    assert any(
        "cold or warm is unknown for 3 of 3" in t and "reports no load time" in t for *_, t in texts(summary)
    )


@pytest.mark.parametrize("outcome", [o for o in Outcome if not o.valid])
def test_every_failed_outcome_is_excluded_counted_and_named(record: RecordFactory, outcome: Outcome) -> None:
    summary = summarise_configuration([record(run=1), record(run=2, outcome=outcome, throughput_tok_s=7.0)])
    assert summary.valid.calls == 1
    assert summary.valid.throughput_tok_s.mean == 100.0
    assert summary.as_recorded.throughput_tok_s.mean == 53.5
    assert summary.outcomes == dict(sorted({"ok": 1, outcome.value: 1}.items()))
    ((entry),) = summary.excluded
    assert (entry.run, entry.stage) == (2, "analysis")
    assert entry.reason.startswith(f"{outcome.value}: ")
    assert len(entry.reason) > len(outcome.value) + 3
    assert summary.runs_complete == 1


def test_truncated_is_valid_and_counted(record: RecordFactory) -> None:
    summary = summarise_configuration([record(run=1), record(run=2, outcome="truncated", reason="length")])
    assert summary.valid.calls == 2
    assert summary.outcomes == {"ok": 1, "truncated": 1}
    assert summary.excluded == ()


def test_planned_runs_without_outcome_are_named(record: RecordFactory) -> None:
    summary = summarise_configuration([record(run=1), record(run=3)], runs_planned=4)
    assert [(e.run, e.stage) for e in summary.excluded] == [(2, "all"), (4, "all")]
    assert all(e.reason.startswith("no outcome: ") for e in summary.excluded)
    assert (summary.runs, summary.runs_planned, summary.runs_complete) == (2, 4, 2)


def test_a_run_with_only_a_warmup_has_no_outcome(record: RecordFactory) -> None:
    summary = summarise_configuration([record(stage="warmup", phase="warmup")], runs_planned=1)
    assert [(e.run, e.stage) for e in summary.excluded] == [(1, "all")]


def test_a_failed_ingest_is_excluded(record: RecordFactory) -> None:
    ingest = record(stage="ingest", outcome="server_error", reason="corpus changed", ttft_ms=None)
    summary = summarise_configuration([ingest])
    assert [(e.run, e.stage, e.reason) for e in summary.excluded] == [
        (1, "ingest", "server_error: corpus changed")
    ]
    assert (summary.runs_complete, summary.valid.calls) == (0, 0)


def test_the_run_is_the_unit_of_replication(three_runs: list[StageRecord]) -> None:
    over_runs = summarise_configuration(three_runs).over_runs
    assert over_runs.throughput_method == "tokens_over_eval_time"
    expected = [1500 / (1000 / (100 + run) + 10) for run in (1, 2, 3)]
    assert [run.throughput_tok_s for run in over_runs.runs] == pytest.approx(expected)
    assert over_runs.throughput_tok_s.n == 3
    assert over_runs.throughput_tok_s.mean == pytest.approx(sum(expected) / 3)


def test_without_eval_times_a_run_is_the_mean_of_its_calls(record: RecordFactory) -> None:
    records = [
        record(run=1, stage="analysis", eval_ms=None, throughput_tok_s=10.0),
        record(run=1, stage="report", eval_ms=None, throughput_tok_s=20.0),
    ]
    over_runs = summarise_configuration(records).over_runs
    assert over_runs.throughput_method == "mean_of_call_rates"
    assert over_runs.runs[0].throughput_tok_s == 15.0


def test_a_runs_throughput_counts_the_tokens_that_the_eval_time_covers(record: RecordFactory) -> None:
    llama_cpp = record(tokens=101, eval_tokens=100, eval_ms=1000.0, throughput_tok_s=100.0)
    assert summarise_configuration([llama_cpp]).over_runs.throughput_tok_s.mean == pytest.approx(100.0)


def test_a_rate_timed_by_the_client_is_not_mixed_with_the_servers_time(record: RecordFactory) -> None:
    timed_by_client = record(tokens=101, eval_ms=500.0, throughput_tok_s=90.0, throughput_source="client")
    over_runs = summarise_configuration([timed_by_client]).over_runs
    assert (over_runs.throughput_method, over_runs.throughput_tok_s.mean) == ("mean_of_call_rates", 90.0)


def test_a_valid_call_without_throughput_is_a_note_and_no_failure(record: RecordFactory) -> None:
    summary = summarise_configuration([record(throughput_tok_s=None, tokens=None, eval_ms=None)])
    assert summary.excluded == ()
    assert any(
        (run, stage) == (1, "analysis") and "without a throughput" in t for run, stage, t in texts(summary)
    )


def test_notes_name_what_to_distrust(record: RecordFactory) -> None:
    records = [
        record(run=1, stage="analysis", cached_tokens=90, prompt_tokens=100, throughput_source="client"),
        record(run=1, stage="report", model="x"),
        record(run=2, stage="analysis", tokens=9, model="y"),
        record(run=3, stage="analysis", outcome=None),
    ]
    found = texts(summarise_configuration(records))
    for part in (
        "1 of 4 calls took part of the prompt from the server's prompt cache (90 of 100 prompt tokens)",
        "several models under one configuration's name: x, y",
        "the outcome of 1 of 4 calls is inferred",
        "throughput of 1 of 4 calls is the decode rate that the client saw",
        "only 9 tokens, where the median of the valid calls is 1000",
    ):
        assert any(part in text for *_, text in found), part
    lacking = [(run, stage) for run, stage, text in found if "no record of this stage" in text]
    assert lacking == [(2, "report"), (3, "report")]


def test_an_ordinary_configuration_has_no_notes(three_runs: list[StageRecord]) -> None:
    assert summarise_configuration(three_runs).notes == ()


def test_the_shown_run_is_the_last_with_a_valid_report(record: RecordFactory) -> None:
    records = [
        record(run=1, stage="analysis", text="a1", findings=["f1"], recommendations=[]),
        record(run=1, stage="report", text="r1"),
        record(run=2, stage="analysis", text="a2", findings=["f2"]),
        record(run=2, stage="report", text="r2", **FAILED),
    ]
    shown = summarise_configuration(records).shown
    assert (present(shown).run, present(shown).text, present(shown).text_outcome) == (1, "r1", Outcome.OK)
    assert (present(shown).findings, present(shown).recommendations) == (("f1",), ())
    only_failed = summarise_configuration(records[2:]).shown
    assert (present(only_failed).run, present(only_failed).text, present(only_failed).text_outcome) == (
        2,
        "r2",
        Outcome.ABORTED,
    )


def test_the_analysis_text_stands_in_where_no_report_was_written(record: RecordFactory) -> None:
    records = [record(stage="analysis", text="a1"), record(stage="report", text="", **FAILED)]
    shown = summarise_configuration(records).shown
    assert (present(shown).text_stage, present(shown).text, present(shown).text_outcome) == (
        "analysis",
        "a1",
        Outcome.OK,
    )


def test_records_of_two_configurations_are_refused(record: RecordFactory) -> None:
    with pytest.raises(ValueError, match="one configuration and agent"):
        summarise_configuration([record(), record(config="other")])
    with pytest.raises(ValueError, match="one configuration and agent"):
        summarise_configuration([])


TELEMETRY = StageTelemetry(
    samples=3,
    period_s=0.1,
    gpus=(GpuTelemetry(index=0, energy_j=9.0, throttled=True),),
    cpu_steal_percent=2.0,
)
maybe = st.one_of(st.none(), st.just(0.0), st.floats(1e-6, 1e9))
calls = st.fixed_dictionaries(
    {
        "stage": st.sampled_from(["warmup", "unload", "ingest", "analysis", "report", "other"]),
        "phase": st.sampled_from(["warmup", "measured"]),
        "run": st.integers(0, 4),
        "outcome": st.one_of(st.none(), st.sampled_from(Outcome)),
        "degeneration": st.sampled_from([None, "empty", "short", "repetition"]),
        "suspect": st.sampled_from([None, (), ("the host slept",)]),
        "text_hash": st.sampled_from([None, "a", "b"]),
        "parameters": st.sampled_from([None, {"seed": 1, "temperature": 0.0, "num_gpu": 80}]),
        "applied": st.sampled_from([None, {"num_gpu": 35, "top_p": 0.95}]),
        "telemetry": st.sampled_from([None, StageTelemetry(samples=0, period_s=0.1), TELEMETRY]),
        "gaps_ms": st.sampled_from([None, (), (9.5, 10.5)]),
        "frame_tokens": st.sampled_from([None, "told", "one", "unknown"]),
        "sendings": st.sampled_from([None, 1, 3]),
        "ttft_ms": maybe,
        "throughput_tok_s": maybe,
        "tokens": st.one_of(st.none(), st.integers(0, 10**9)),
        "total_duration_ms": maybe,
        "prompt_eval_ms": maybe,
        "eval_ms": maybe,
        "load_ms": maybe,
        "cached_tokens": st.one_of(st.none(), st.integers(0, 99)),
    }
)


@given(st.lists(calls, min_size=1, max_size=12), st.integers(1, 5), st.sampled_from(["sample", "population"]))
def test_any_records_give_a_summary_that_reads_back(
    record: RecordFactory, rows: list[dict[str, Any]], planned: int, sd: SdKind
) -> None:
    records = [record(**row) for row in rows]
    summary = summarise_configuration(records, runs_planned=planned, sd=sd)
    assert ConfigurationSummary.model_validate(summary.model_dump(mode="json")) == summary
    assert ConfigurationSummary.model_validate_json(summary.model_dump_json()) == summary
    of_calls = [r for r in records if r.phase == "measured" and r.stage != "ingest"]
    assert summary.as_recorded.calls == len(of_calls) == sum(summary.outcomes.values())
    known = [r.throughput_tok_s for r in of_calls if r.throughput_tok_s is not None]
    assert summary.as_recorded.throughput_tok_s.n == len(known)
    valid = [c for c in summary.calls if c.outcome.valid and not c.suspect]
    assert sum(rate.calls for rate in summary.rates) == len(of_calls)
    assert sum(rate.fraction for rate in summary.rates) == pytest.approx(1 if of_calls else 0)
    assert summary.valid.calls == len(valid)
    failed = [e for e in summary.excluded if e.stage not in ("all", "ingest")]
    assert len(failed) == len(of_calls) - len(valid)
    assert summary.valid.ttft_warm_ms.n + summary.valid.ttft_cold_ms.n <= summary.valid.ttft_ms.n


def test_placeholder_zeros_are_no_load_times(record: RecordFactory) -> None:
    zeros = dict.fromkeys(("tokens", "prompt_eval_ms", "eval_ms", "load_ms", "throughput_tok_s"), 0)
    aborted = [record(run=run, outcome=None, **zeros) for run in (1, 2, 3)]
    warm = [record(run=run, load_ms=load) for run, load in ((4, 700.0), (5, 800.0), (6, 900.0))]
    assert [c.cold for c in summarise_configuration([*aborted, *warm]).calls] == [None] * 3 + [False] * 3
