"""The workload ``prompts`` in a sweep file and in the plan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from contracts.failures import InputError
from producer.plan import Plan, make_plan
from producer.sweep_file import load
from tests.support.sweeps import write_sweep

MADE = {"kind": "prompts", "synthetic": {"input_tokens": 32, "output_tokens": 8}, "requests": 64}


def planned(folder: Path, workload: dict[str, Any], **changes: Any) -> Plan:
    path = write_sweep(folder, **{"workload": workload, "axes": {}, **changes})
    return make_plan(load(path), path)


def test_a_load_is_an_axis_and_no_request_parameter(tmp_path: Path) -> None:
    plan = planned(tmp_path, MADE, axes={"concurrency": [1, 4], "temperature": [0.2, 0.8]})
    assert [c.name for c in plan.configurations] == [
        *("temperature=0.2,concurrency=1", "temperature=0.8,concurrency=1"),
        *("temperature=0.2,concurrency=4", "temperature=0.8,concurrency=4"),
    ] or len(plan.configurations) == 4
    given = plan.configurations[0].parameters
    assert given.load == {"concurrency": 1}
    assert given.sent() == {"temperature": 0.2}


def test_without_a_load_one_request_runs_at_a_time(tmp_path: Path) -> None:
    (only,) = planned(tmp_path, MADE).configurations
    assert only.parameters.load == {"concurrency": 1}


def test_a_search_has_no_load_of_its_own(tmp_path: Path) -> None:
    (only,) = planned(tmp_path, {**MADE, "search": {}}).configurations
    assert only.parameters.load == {}
    with pytest.raises(InputError, match="looks for the load itself"):
        planned(tmp_path, {**MADE, "search": {}}, axes={"rate": [1.0]})


def test_prompts_of_a_file_are_in_the_jobs_ids(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "a"}\n{"turns": ["b", "c"]}\n')
    workload = {"kind": "prompts", "file": "prompts.jsonl", "requests": 8}
    before = planned(tmp_path, workload)
    assert before.files == 2
    file.write_text('{"prompt": "a"}\n{"turns": ["b", "d"]}\n')
    assert planned(tmp_path, workload).sweep_id != before.sweep_id


@pytest.mark.parametrize(
    ("workload", "axes", "message"),
    [
        ({"kind": "prompts", "requests": 4}, {}, "give the prompts once"),
        ({**MADE, "file": "x"}, {}, "give the prompts once"),
        ({"kind": "prompts", "synthetic": MADE["synthetic"]}, {}, "a run has to end"),
        ({**MADE, "search": {"over": "concurrency"}}, {}, "needs an 'slo'"),
        ({**MADE, "slo": {}}, {}, "names no limit"),
        (MADE, {"concurrency": [1], "rate": [1.0]}, "sweep one of them"),
        (MADE, {"concurrency": [1, 32]}, "too few for concurrency 32"),
        ({**MADE, "synthetic": {"input_tokens": 8, "output_tokens": 8, "prefixes": 2}}, {}, "go together"),
        (
            {**MADE, "synthetic": {"input_tokens": 8, "output_tokens": 8, "prefixes": 2, "prefix_tokens": 8}},
            {},
            "less than the smallest input_tokens",
        ),
        ({**MADE, "file": None, "synthetic": {"input_tokens": 0, "output_tokens": 8}}, {}, "input_tokens"),
        ({**MADE, "paths": ["corpus"]}, {}, "workload.paths: unknown key"),
        ({"kind": "agent", "paths": ["corpus"]}, {"concurrency": [2]}, "only for the workload 'prompts'"),
    ],
    ids=[
        *(
            "no-source",
            "two-sources",
            "no-end",
            "no-slo",
            "empty-slo",
            "two-loads",
            "too-few",
            "prefix",
            "long-prefix",
        ),
        *("no-tokens", "paths", "load-of-an-agent"),
    ],
)
def test_what_is_wrong_with_a_load_is_said(
    tmp_path: Path, corpus: Path, workload: dict[str, Any], axes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as failed:
        planned(tmp_path, workload, axes=axes)
    assert message in str(failed.value)


@pytest.mark.parametrize(
    ("workload", "changes", "message"),
    [
        ({**MADE, "search": {"start": 200}}, {}, "start (200) is more than max (64)"),
        ({**MADE, "slo": {"ttft_ms": 9}, "search": {"over": "concurrency", "max": 2000}}, {}, "at most 1024"),
        (
            {**MADE, "slo": {"ttft_ms": 9}, "search": {"over": "concurrency", "max": 32}},
            {},
            "too few for concurrency 32",
        ),
        ({**MADE, "requests": 19}, {"axes": {"rate": [1.0]}}, "too few for an open loop"),
        ({**MADE, "duration": 20}, {}, "don't fit a job's deadline of 20 s"),
        (
            MADE,
            {"axes": {"rate": [1.0]}, "include": [{"rate": 2.0, "concurrency": 2}]},
            "one load, concurrency or rate",
        ),
        (MADE, {"axes": {"rate": [1.0]}, "include": [{"temperature": 0.2}]}, "(got none)"),
    ],
    ids=["start", "concurrency", "search-few", "open-few", "deadline", "both", "none"],
)
def test_what_could_tell_nothing_is_refused(
    tmp_path: Path, workload: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as failed:
        planned(tmp_path, workload, **changes)
    assert message in str(failed.value)


def test_a_pipe_is_no_file_of_prompts(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "prompts.jsonl")
    with pytest.raises(InputError, match="is no file"):
        planned(tmp_path, {"kind": "prompts", "file": "prompts.jsonl", "requests": 8})


def test_a_missing_file_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sweep\.yaml:\d+: workload\.file: .*no\.txt"):
        planned(tmp_path, {"kind": "prompts", "file": "no.txt", "requests": 4})
