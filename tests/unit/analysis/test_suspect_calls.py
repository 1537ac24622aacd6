"""A call whose worker does not trust its own times: counted, named, kept out of the valid statistics."""

from __future__ import annotations

from analysis.rendering import render_markdown
from analysis.summary import summarise_configuration, summarise_records
from tests.support.factories import RecordFactory

WHY = ["the host slept for 90 ms during the call"]


def test_a_suspect_call_is_in_no_valid_figure(record: RecordFactory) -> None:
    records = [
        *(record(run=run) for run in (1, 2, 3)),
        record(run=4, suspect=WHY, ttft_ms=9e5, throughput_tok_s=1.0, outcome="truncated"),
    ]
    summary = summarise_configuration(records)
    assert (summary.as_recorded.calls, summary.valid.calls) == (4, 3)
    assert summary.as_recorded.throughput_tok_s.mean == 301 / 4
    assert summary.valid.throughput_tok_s.mean == 100.0
    assert (summary.valid.ttft_ms.mean, summary.valid.ttft_warm_ms.n) == (500.0, 3)
    assert summary.ttft_warm_observed_ms.n == 3
    assert (summary.over_runs.throughput_tok_s.n, summary.runs_complete) == (3, 3)
    assert summary.suspect_calls == 1
    assert summary.outcomes == {"ok": 3, "truncated": 1}
    assert [(e.run, e.stage, e.reason) for e in summary.excluded] == [
        (4, "analysis", "suspect: the host slept for 90 ms during the call")
    ]


def test_a_failed_and_suspect_call_is_excluded_once_for_its_failure(record: RecordFactory) -> None:
    summary = summarise_configuration([record(run=1, outcome="timeout", reason="60 s", suspect=WHY)])
    assert [entry.reason for entry in summary.excluded] == ["timeout: 60 s"]
    assert summary.suspect_calls == 1


def test_where_nobody_looked_the_count_is_not_known(record: RecordFactory) -> None:
    assert summarise_configuration([record()]).suspect_calls is None
    assert summarise_configuration([record(suspect=[])]).suspect_calls == 0


def test_a_run_with_a_suspect_stage_is_not_complete(record: RecordFactory) -> None:
    records = [record(run=run, stage=s) for run in (1, 2) for s in ("analysis", "report")]
    records[-1] = record(run=2, stage="report", suspect=WHY)
    assert [run.complete for run in summarise_configuration(records).over_runs.runs] == [True, False]


def test_the_cold_rule_still_hears_a_suspect_calls_load_time(record: RecordFactory) -> None:
    records = [record(run=1, load_ms=4800.0, suspect=WHY), record(run=2), record(run=3)]
    assert [call.cold for call in summarise_configuration(records).calls] == [True, False, False]


def test_many_are_said_to_be_many(record: RecordFactory) -> None:
    few = [record(run=run, suspect=WHY if run == 1 else []) for run in range(1, 11)]
    assert not any("suspect" in note.text for note in summarise_configuration(few).notes)
    assert not any("are suspect" in text for text in summarise_records(few).warnings)
    many = [record(run=run, suspect=WHY if run < 3 else []) for run in range(1, 11)]
    (note,) = summarise_configuration(many).notes
    assert note.text.startswith("2 of 10 calls diagnosed themselves as suspect")
    assert "2 of 10 calls are suspect" in " ".join(summarise_records(many).warnings)


def test_the_report_names_it(record: RecordFactory) -> None:
    records = [record(run=1), record(run=2, suspect=WHY)]
    markdown = render_markdown(summarise_records(records))
    assert "- **Run 2 / analysis**: suspect: the host slept for 90 ms during the call" in markdown
    assert "| c | chimera | 1 | 2 | analysis | suspect: the host slept" in markdown
    assert "| ok, suspect |" in markdown
    assert "| Configuration | Agent | Calls | ok | suspect |" in markdown
    assert "| c | chimera | 2 | 2 (100.0%) | 1 (50.0%) |" in markdown
    assert "A suspect call does not count, whatever its outcome" in markdown
