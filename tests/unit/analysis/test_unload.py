"""Runs before which the model was unloaded: cold on purpose."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from analysis.cold import NOISE_MS, classify
from analysis.findings import hardware
from analysis.rendering import render_markdown
from analysis.summary import summarise_configuration, summarise_records
from contracts.records import StageRecord
from tests.support.factories import ManifestFactory, RecordFactory
from tests.support.present import present


@pytest.mark.parametrize(
    ("loads", "cold"),
    [
        ([4800.0, 2.0], [True, False]),
        ([4800.0, 2.0, 4700.0, 3.0], [True, False, True, False]),
        ([300.0, 2.0, 310.0, 3.0], [True, False, True, False]),
        ([784.0, 300.0, 1100.0, 280.0], [True, False, True, False]),
        ([4800.0], [True]),
        ([None, 2.0, 4700.0, 3.0], [None, False, True, False]),
        ([4800.0, 4700.0], [True, None]),
        ([2.0, 3.0, 2.5, 2.0], [None, False, None, False]),
        ([2.0, 3.0], [None, None]),
    ],
    ids=[
        "one run",
        "two runs",
        "a small model loads quickly",
        "a slow look at the model's file each time",
        "one stage",
        "one load time missing",
        "the second call loaded as well",
        "nothing was loaded",
        "nothing was loaded, one run",
    ],
)
def test_the_first_call_of_each_run_was_unloaded(loads: list[float | None], cold: list[bool | None]) -> None:
    assert classify(loads, [index % 2 == 0 for index in range(len(loads))]) == cold


def test_a_first_call_needs_more_than_noise() -> None:
    assert classify([NOISE_MS, NOISE_MS + 1], [True, True]) == [None, True]


def rows(
    record: RecordFactory, loads: Iterable[tuple[float | None, float | None]], unload: str = "ok"
) -> list[StageRecord]:
    return [
        row
        for run, pair in enumerate(loads, 1)
        for row in (
            record(run=run, stage="unload", phase="warmup", outcome=unload, load_ms=None, reason="HTTP 500"),
            record(run=run, stage="analysis", load_ms=pair[0], ttft_ms=5000.0),
            record(run=run, stage="report", load_ms=pair[1], ttft_ms=500.0),
        )
    ]


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_cold_and_warm_are_told_apart_from_one_run_on(record: RecordFactory, runs: int) -> None:
    summary = summarise_configuration(rows(record, [(4800.0, 2.0)] * runs))
    assert [call.cold for call in summary.calls] == [True, False] * runs
    assert (summary.valid.ttft_cold_ms.n, summary.valid.ttft_cold_ms.mean) == (runs, 5000.0)
    assert (summary.valid.ttft_warm_ms.n, summary.valid.ttft_warm_ms.mean) == (runs, 500.0)
    assert summary.unloaded_runs == runs
    assert summary.notes == ()


def test_a_warmup_call_after_unloading_is_the_cold_one(record: RecordFactory) -> None:
    unload, analysis, report = rows(record, [(250.0, 260.0)])
    warmup = record(stage="warmup", phase="warmup", load_ms=900.0)
    summary = summarise_configuration([unload, warmup, analysis, report])
    assert [call.cold for call in (*summary.warmup_calls, *summary.calls)] == [True, False, False]
    assert (summary.unloaded_runs, summary.notes) == (1, ())


def test_unloading_is_no_call(record: RecordFactory) -> None:
    summary = summarise_configuration(rows(record, [(4800.0, 2.0)]))
    assert summary.warmup_calls == ()
    assert [call.stage for call in summary.calls] == ["analysis", "report"]
    assert [stage.stage for stage in present(summary.shown).stages] == ["analysis", "report"]
    assert "| unload |" not in render_markdown(summarise_records(rows(record, [(4800.0, 2.0)])))


def test_a_failed_unload_is_named_and_proves_nothing(record: RecordFactory) -> None:
    summary = summarise_configuration(rows(record, [(4800.0, 2.0)], unload="server_error"))
    assert [(n.run, n.stage, n.text) for n in summary.notes if n.stage == "unload"] == [
        (1, "unload", "the model was not unloaded before the run (server_error: HTTP 500)")
    ]
    assert summary.unloaded_runs == 0
    assert [call.cold for call in summary.calls] == [None, None]
    assert summary.excluded == ()


def test_a_first_call_that_loaded_nothing_is_named(record: RecordFactory) -> None:
    summary = summarise_configuration(rows(record, [(4800.0, 2.0), (3.0, 2.0)]))
    assert [call.cold for call in summary.calls] == [True, False, None, False]
    (note,) = [n for n in summary.notes if n.stage == "analysis"]
    assert note.run == 2
    assert note.text.endswith("the server reports a load time of only 3.00 ms")


@pytest.mark.parametrize(
    ("warmup", "words"),
    [
        (0, "no warm-up call before a run"),
        (1, "1 warm-up call before each run"),
        (3, "3 warm-up calls before each run"),
        ("unload", "the model was unloaded before every run: each run's first call is cold"),
    ],
)
def test_the_report_says_which_policy_was_used(
    record: RecordFactory, manifest: ManifestFactory, warmup: int | str, words: str
) -> None:
    plan = manifest()
    plan = plan.model_copy(update={"spec": plan.spec.model_copy(update={"warmup": warmup})})
    summary = summarise_records([record(config="b_first")], plan)
    assert summary.warmup == warmup
    assert f"**Before a run:** {words}  " in render_markdown(summary)


def test_cold_calls_that_were_asked_for_are_no_reason_to_distrust(
    record: RecordFactory, manifest: ManifestFactory
) -> None:
    records = [r.model_copy(update={"config": "b_first"}) for r in rows(record, [(4800.0, 2.0)] * 12)]
    plan = manifest(runs=12)
    asked = plan.model_copy(update={"spec": plan.spec.model_copy(update={"warmup": "unload"})})
    (mixed,) = hardware.cold_mixed(summarise_records(records, plan))
    assert mixed.text.startswith("12 of 24 calls of 1 configuration were cold")
    summary = summarise_records(records, asked)
    assert list(hardware.cold_mixed(summary)) == []
    markdown = render_markdown(summary)
    assert "- … and 2 more: stages.jsonl holds them all." in markdown


def test_layers_that_ollama_keeps_from_another_configuration(
    record: RecordFactory, manifest: ManifestFactory
) -> None:
    """Where num_gpu is left to Ollama it keeps what the call before asked for, unless it was unloaded."""

    def warned(*records: StageRecord) -> bool:
        found = " ".join(summarise_records(records, manifest()).warnings)
        return "b_first left num_gpu to the server, and Ollama then keeps the layers" in found

    given = record(config="a_second", parameters={"num_gpu": 10})
    default = record(config="b_first", parameters={})
    unload = record(config="b_first", parameters={}, stage="unload", phase="warmup")
    assert warned(given, default)
    assert not warned(given, unload, default)
    assert not warned(default)
