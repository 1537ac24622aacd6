"""How calls were timed, what was sampled beside them, and whether texts came again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from analysis.rendering import render_markdown
from analysis.statistics.estimate import estimate
from analysis.summary import summarise_configuration, summarise_records
from contracts.call import CallTiming
from contracts.diagnosis import Diagnosis
from contracts.records import StageRecord
from contracts.telemetry import GpuTelemetry, StageTelemetry
from tests.support.factories import RecordFactory
from tests.support.present import present

ANCHOR = "2026-11-21T12:00:00Z"


def gpu(**fields: Any) -> GpuTelemetry:
    return GpuTelemetry(
        **{"index": 0, "energy_j": 1000.0, "mean_power_w": 250.0, "peak_memory_bytes": 2**30}
        | {"peak_temperature_c": 60, "throttle_reasons": (), "throttled": False}
        | fields
    )


def sampled(*gpus: GpuTelemetry, **fields: Any) -> StageTelemetry:
    return StageTelemetry(
        **{"samples": 9, "period_s": 0.1, "gpus": gpus, "cpu_busy_percent": 20.0, "cpu_steal_percent": 0.2}
        | fields
    )


# --- how calls were timed ---------------------------------------------------------------------------


def test_the_worst_of_all_calls_and_the_median_of_connecting(record: RecordFactory) -> None:
    records = [
        record(
            **{"run": run, "arrival_clock": clock, "connect_ms": connect, "sendings": sent},
            diagnosis=Diagnosis(loop_lag_max_ns=lag, arrival_lag_max_ns=arrival),
        )
        for run, clock, connect, sent, lag, arrival in (
            (1, "kernel", 0.2, 1, 300_000, 100_000),
            (2, "kernel", 0.4, 3, 900_000, None),
            (3, "user", 9.0, 1, None, 250_000),
        )
    ]
    found = summarise_configuration(records).conditions
    assert present(found).clocks == {"kernel": 2, "user": 1}
    assert (present(found).loop_lag_max_ms, present(found).arrival_lag_max_ms) == (0.9, 0.25)
    assert (present(found).retried_calls, present(found).connect_median_ms) == (1, 0.4)
    assert "| c | chimera | kernel 2, user 1 | 0.90 | 0.25 | 1 | 0.40 |" in render_markdown(
        summarise_records(records)
    )


def test_results_from_elsewhere_tell_nothing(record: RecordFactory) -> None:
    assert summarise_configuration([record()]).conditions is None
    assert summarise_configuration([record(stage="ingest")]).conditions is None


def test_what_no_call_tells_has_no_column(record: RecordFactory) -> None:
    markdown = render_markdown(summarise_records([record(arrival_clock="user")]))
    assert "| Configuration | Agent | Clock |\n" in markdown


def timing(*arrivals_ms: float, tokens: tuple[int, ...] | None = None) -> CallTiming:
    times = tuple(int(ms * 1e6) for ms in arrivals_ms)
    return CallTiming(wall_anchor=ANCHOR, sent_ns=0, text_ns=times, text_tokens=tokens, end_ns=times[-1])


def test_single_gaps_are_shown_only_where_their_tokens_are_known(record: RecordFactory) -> None:
    one = record(run=1, tokens=3, timing=timing(5, 15, 35), frame_tokens="one", itl_mean_ms=15.0)
    told = record(run=2, tokens=5, timing=timing(5, 45, tokens=(1, 4)), frame_tokens="told", itl_mean_ms=10.0)
    unknown = record(run=3, tokens=40, timing=timing(5, 900), frame_tokens="unknown", itl_mean_ms=22.0)
    failed = record(run=4, tokens=2, timing=timing(5, 7000), frame_tokens="one", outcome="aborted")
    found = summarise_configuration([one, told, unknown, failed]).conditions
    assert present(found).frame_tokens == {"one": 2, "told": 1, "unknown": 1}
    assert (present(present(found).itl_gaps).n, present(present(found).itl_gaps).median_ms) == (3, 10.0)
    assert (present(present(found).itl_gaps).max_ms, present(present(found).itl_gaps).p99_ms) == (
        20.0,
        None,
    )  # three gaps carry no p99
    assert present(found).itl_mean_ms == estimate([15.0, 10.0, 22.0])

    markdown = render_markdown(summarise_records([unknown]))
    assert "| Mean ITL, valid calls | 22.00 ms (n = 1) |" in markdown
    assert "| ITL of single gaps | – | not shown: tokens per frame are not known |" in markdown


def test_a_flat_file_tells_gaps_of_one_token(record: RecordFactory) -> None:
    """CSV has no ``timing``; ``gaps_ms`` alone do not tell tokens."""
    columns = {"gaps_ms": (9.0, 11.0), "itl_mean_ms": 10.0}
    assert (
        present(
            present(summarise_configuration([record(**columns, frame_tokens="one")]).conditions).itl_gaps
        ).median_ms
        == 10.0
    )
    assert (
        present(summarise_configuration([record(**columns, frame_tokens="told")]).conditions).itl_gaps is None
    )
    assert present(summarise_configuration([record(**columns)]).conditions).itl_gaps is None


def test_reasoning_is_told_apart(record: RecordFactory) -> None:
    records = [record(run=1, reasoning_ttft_ms=90.0), record(run=2, reasoning_ttft_ms=110.0)]
    assert present(summarise_configuration(records).conditions).reasoning_ttft_ms.mean == 100.0
    markdown = render_markdown(summarise_records(records))
    assert "| TTFT of reasoning text | 100.00 ± 14.14 ms (n = 2) |" in markdown
    assert "reasoning text |" not in render_markdown(summarise_records([record(sendings=1)]))


# --- what was sampled -------------------------------------------------------------------------------


def test_means_over_valid_calls_by_stage(record: RecordFactory) -> None:
    records = [
        record(run=1, tokens=500, telemetry=sampled(gpu())),
        record(run=2, tokens=250, telemetry=sampled(gpu(mean_power_w=350.0, peak_temperature_c=70))),
        record(run=3, telemetry=sampled(gpu(mean_power_w=9.0)), outcome="timeout"),
        record(run=4, telemetry=sampled(gpu(mean_power_w=9.0)), suspect=["x"]),
        record(run=5, telemetry=StageTelemetry(samples=0, period_s=0.1)),
        record(run=1, stage="report", telemetry=sampled(gpu(energy_j=None, mean_power_w=None))),
    ]
    analysis, report = summarise_configuration(records).telemetry
    assert (analysis.stage, analysis.calls, analysis.gpus) == ("analysis", 2, 1)
    assert analysis.power_w == estimate([250.0, 350.0])
    assert analysis.joules_per_token == estimate([2.0, 4.0])
    assert (analysis.peak_memory_bytes, analysis.peak_temperature_c) == (2**30, 70)
    assert (analysis.throttled_calls, analysis.throttle_reasons) == (0, ())
    assert (report.calls, report.energy_j.n, report.joules_per_token.mean) == (1, 0, None)


def test_several_gpus_are_summed_and_an_unknown_one_leaves_the_sum_unknown(record: RecordFactory) -> None:
    both = summarise_configuration([record(telemetry=sampled(gpu(), gpu(index=1, peak_memory_bytes=2**31)))])
    assert (both.telemetry[0].power_w.mean, both.telemetry[0].energy_j.mean) == (500.0, 2000.0)
    assert (both.telemetry[0].gpus, both.telemetry[0].peak_memory_bytes) == (2, 2**31)
    part = summarise_configuration([record(telemetry=sampled(gpu(), gpu(index=1, mean_power_w=None)))])
    assert part.telemetry[0].power_w.n == 0


def test_throttled_calls_are_named_with_their_reasons(record: RecordFactory) -> None:
    held_back = sampled(gpu(throttled=True, throttle_reasons=("thermal (hardware)", "power cap")))
    records = [record(run=run, telemetry=held_back if run > 1 else sampled(gpu())) for run in range(1, 10)]
    summary = summarise_configuration(records)
    assert summary.telemetry[0].throttled_calls == 8
    assert summary.telemetry[0].throttle_reasons == ("power cap", "thermal (hardware)")
    assert [note.text for note in summary.notes] == [
        "a GPU was throttled (power cap, thermal (hardware)) in 8 of 9 calls: run 2 / analysis, run 3 / analysis, "
        "run 4 / analysis, run 5 / analysis, run 6 / analysis and 3 more"
    ]


def test_an_unknown_throttling_is_not_counted_as_none(record: RecordFactory) -> None:
    records = [record(telemetry=sampled(gpu(throttled=None, throttle_reasons=("unknown (0x800)",))))]
    assert summarise_configuration(records).telemetry[0].throttled_calls is None


def test_stolen_cpu_time_is_named(record: RecordFactory) -> None:
    records = [
        record(run=1, telemetry=sampled(cpu_steal_percent=1.0)),
        record(run=2, telemetry=sampled(cpu_steal_percent=4.25)),
        record(run=3, diagnosis=Diagnosis(host_cpu_steal_percent=2.0)),
        record(run=4),
    ]
    assert [note.text for note in summarise_configuration(records).notes] == [
        "the hypervisor took more than 1 % of the host's CPU time in 2 of 3 calls, up to 4.2 %: run 2 / analysis, "
        "run 3 / analysis"
    ]


@pytest.mark.parametrize(
    ("gpus", "words"),
    [(None, "NVML could not be asked"), ((), "NVML sees no GPU")],
    ids=["no NVML", "no GPU"],
)
def test_a_host_without_gpu_is_said_once(
    record: RecordFactory, gpus: tuple[GpuTelemetry, ...], words: str
) -> None:
    records = [
        record(
            config=config, telemetry=StageTelemetry(samples=5, period_s=0.1, gpus=gpus, cpu_busy_percent=9)
        )
        for config in ("a", "b")
    ]
    markdown = render_markdown(summarise_records(records))
    assert markdown.count(f"No GPU telemetry: {words}.") == 1
    assert "| Stage | Valid calls | Host busy (%) |\n" in markdown
    assert markdown.count("### Telemetry") == 2


def test_the_table_of_telemetry(record: RecordFactory) -> None:
    records = [
        record(run=1, tokens=500, telemetry=sampled(gpu(), gpu(index=1))),
        record(run=2, tokens=500, telemetry=sampled(gpu(energy_j=None), gpu(index=1))),
    ]
    markdown = render_markdown(summarise_records(records))
    row = "| analysis | 2 | 500.00 ± 0.00 | 2000.00 (n = 1) | 4.00 (n = 1) | 1.00 | 60 | 0 | 20.00 | 0.20 |"
    assert row in markdown
    assert "Power and energy are those of all 2 sampled GPUs together" in markdown
    assert "No GPU telemetry" not in markdown


def test_nothing_sampled_nothing_shown(record: RecordFactory) -> None:
    assert "elemetry" not in render_markdown(summarise_records([record()]))


# --- the same text again ----------------------------------------------------------------------------

GREEDY = {"seed": 7, "temperature": 0}


def texts(
    record: RecordFactory,
    hashes: Sequence[str | None],
    slots: Sequence[str] | None = None,
    parameters: dict[str, Any] | None = GREEDY,
    **columns: Any,
) -> list[StageRecord]:
    slots = slots or ["a"] * len(hashes)
    return [
        record(run=run, text_hash=text, slot=slot, parameters=parameters, **columns)
        for run, (text, slot) in enumerate(zip(hashes, slots, strict=True), 1)
    ]


def test_different_texts_are_counted_per_stage_and_slot(record: RecordFactory) -> None:
    records = [
        *texts(record, ["x", "x", "y", "z", "z"], ["a", "a", "a", "b", "b"]),
        *texts(record, ["r"] * 5, ["a", "a", "a", "b", "b"], stage="report"),
    ]
    summary = summarise_configuration(records)
    assert [(t.stage, t.slot, t.runs, t.texts) for t in summary.same_text] == [
        ("analysis", "a", 3, 2),
        ("report", "a", 3, 1),
        ("analysis", "b", 2, 1),
        ("report", "b", 2, 1),
    ]
    assert [note.text for note in summary.notes] == [
        "analysis: 2 different texts in 3 runs on slot a, although a seed and temperature 0 were asked for"
    ]
    markdown = render_markdown(summarise_records(records))
    assert "- **analysis**: 2 different texts in 3 runs on slot a" in markdown
    assert "- **report**: the same text in all 3 runs on slot a" in markdown
    assert "- **report**: the same text in both runs on slot b" in markdown


@pytest.mark.parametrize(
    "parameters", [None, {}, {"seed": 7}, {"temperature": 0}, {"seed": 7, "temperature": 0.1}]
)
def test_only_greedy_and_seeded_calls_are_held_to_it(
    record: RecordFactory, parameters: dict[str, Any] | dict[str, int] | None
) -> None:
    records = texts(record, ["x", "y"], parameters=parameters)
    assert summarise_configuration(records).same_text == ()
    assert "Reproducibility" not in render_markdown(summarise_records(records))


def test_a_text_that_was_cut_off_is_no_other_text(record: RecordFactory) -> None:
    records = texts(record, ["x", "x"])
    records += [record(run=3, text_hash="half", slot="a", parameters=GREEDY, outcome="aborted")]
    records += [record(run=4, text_hash="x", slot="a", parameters=GREEDY, suspect=["late"])]
    records += [record(run=5, slot="a", parameters=GREEDY)]
    ((found),) = summarise_configuration(records).same_text
    assert (found.runs, found.texts) == (3, 1)


def test_one_run_shows_nothing(record: RecordFactory) -> None:
    assert summarise_configuration(texts(record, ["x"])).same_text == ()
