"""Many requests in one stage of a run: what the statistics of calls make of a load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.judgement import in_order
from analysis.offline import summarise_results
from analysis.rows import Row, row_of
from analysis.stages_io import read_stages, write_stages
from analysis.summary import summarise_configuration
from contracts.call import Outcome
from contracts.failures import InputError
from contracts.records import StageRecord
from tests.support.factories import RecordFactory


def load(record: RecordFactory, run: int = 1, requests: int = 12, **columns: Any) -> list[StageRecord]:
    whole = {
        "tokens": None,
        "throughput_tok_s": None,
        "ttft_ms": None,
        "eval_ms": None,
        "prompt_eval_ms": None,
    }
    rows = [
        record(
            run=run,
            stage="load",
            step=1,
            asked_concurrency=2,
            started_ns=0,
            ended_ns=10**10,
            load_ms=None,
            response_chars=None,
            **whole,
        )
    ]
    for n in range(1, requests + 1):
        rows.append(
            record(
                run=run,
                stage="request",
                step=1,
                request=n,
                asked_concurrency=2,
                due_ns=n * 10**8,
                sent_ns=n * 10**8,
                total_duration_ms=200.0,
                ttft_ms=50.0,
                tokens=10,
                **columns,
            )
        )
    return rows


def test_requests_of_one_stage_are_told_apart_in_a_file(record: RecordFactory, tmp_path: Path) -> None:
    path = tmp_path / "stages.jsonl"
    write_stages(path, load(record))
    assert len(read_stages(path)) == 13
    assert summarise_results(path)[1] == 13
    write_stages(path, [*load(record), load(record)[5]])
    with pytest.raises(InputError, match=r"second row of .* stage 'request 1\.5'"):
        read_stages(path)
    with pytest.raises(InputError, match=r"second row of .* stage 'request 1\.5'"):
        summarise_results(path)


def test_they_stand_in_the_order_of_their_numbers(record: RecordFactory) -> None:
    rows = [row_of(one) for one in reversed(load(record))]
    assert [row.request for row in (Row._make(values) for values in in_order(rows))] == [
        None,
        *range(1, 13),
    ]


def test_a_failed_request_is_excluded_and_its_load_is_complete(record: RecordFactory) -> None:
    rows = load(record)
    rows[3] = rows[3].model_copy(update={"outcome": Outcome.TIMEOUT, "reason": "60 s"})
    summary = summarise_configuration(rows)
    assert [(e.stage, e.reason) for e in summary.excluded] == [("request", "timeout: 60 s")]
    assert summary.runs_complete == 1
    assert summary.call_count == 12


def test_a_load_that_failed_as_a_whole_is_not_complete(record: RecordFactory) -> None:
    rows = load(record)
    rows[0] = rows[0].model_copy(update={"outcome": Outcome.LOST, "reason": "its worker died"})
    assert summarise_configuration(rows).runs_complete == 0


def test_stages_of_single_calls_are_not_made_of_requests(record: RecordFactory) -> None:
    assert summarise_configuration(load(record)).stages_over_runs == ()
