"""A difference below the client's own error is not called a difference."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from analysis.models.sweep import SweepSummary
from analysis.rendering import render_markdown
from analysis.summary import summarise_records
from contracts.floor import MeasurementFloor
from contracts.manifest import SlotIdentity
from tests.support.factories import ManifestFactory, RecordFactory
from tests.support.present import present


@pytest.fixture
def sweep(
    record: RecordFactory, manifest: ManifestFactory, floor: MeasurementFloor
) -> Callable[..., SweepSummary]:
    """Three configurations: rates 100, ``rate`` and 50 tok/s; TTFT 500 ms, ``ttft`` ms and 800 ms."""

    def make(
        rate: float = 99.8,
        ttft: float = 500.3,
        source: str = "client",
        slots: tuple[SlotIdentity, ...] | None = None,
        spread: float = 0.0,
    ) -> SweepSummary:
        rows = [
            record(
                **{"config": name, "run": run, "throughput_tok_s": mean + (run - 2) * spread},
                **{"ttft_ms": ms, "throughput_source": source, "eval_ms": None, "slot": "s0"},
            )
            for name, mean, ms in (("a", 100.0, 500.0), ("b", rate, ttft), ("c", 50.0, 800.0))
            for run in (1, 2, 3)
        ]
        plan = manifest()
        slots = plan.slots if slots is None else slots
        calibrated = tuple(slot.model_copy(update={"floor": floor}) for slot in slots)
        return summarise_records(rows, manifest(slots=calibrated, configurations=()))

    return make


def test_a_rate_that_the_client_measured_is_held_against_the_floor(
    sweep: Callable[..., SweepSummary],
) -> None:
    summary = sweep()
    assert (present(summary.floor).ttft_ms, present(summary.floor).rate_percent) == (0.5, 0.4)
    assert [(r.config, r.below_floor) for r in summary.ranking] == [("a", None), ("b", True), ("c", False)]
    assert (
        "no difference between it and b: it is below the client's measurement floor (0.4 %)"
        in summary.verdict
    )
    assert "| none: below the floor |" in render_markdown(summary)


def test_a_larger_difference_is_left_to_the_spread(sweep: Callable[..., SweepSummary]) -> None:
    assert [r.below_floor for r in sweep(rate=99.5).ranking] == [None, False, False]
    assert sweep(rate=98.0, spread=0.01).verdict.startswith("a is the fastest: the nearest, b, −2.0")
    assert "no difference is shown between it and b" in sweep(rate=99.5, spread=1.0).verdict


def test_without_any_noise_nothing_is_tested(sweep: Callable[..., SweepSummary]) -> None:
    assert "it can't be compared with b and 1 more: no run differs from another" in sweep(rate=99.5).verdict


def test_the_servers_own_rate_is_not_touched(sweep: Callable[..., SweepSummary]) -> None:
    summary = sweep(source="server", spread=0.01)
    assert [r.below_floor for r in summary.ranking] == [None, None, None]
    assert summary.verdict.startswith("a is the fastest: the nearest, b, −0.20")
    assert "Rates that the server reports are the server's own clock" in render_markdown(summary)


def test_ttft_is_judged_in_a_sentence(sweep: Callable[..., SweepSummary]) -> None:
    summary = sweep()
    assert [(r.ttft_from_first_ms, r.ttft_below_floor) for r in summary.ranking] == [
        (None, None),
        (pytest.approx(0.3), True),
        (300.0, False),
    ]
    assert summary.ttft_verdict == (
        "TTFT over runs: b differs from a by less than the measurement floor of 0.50 ms: no difference."
    )
    assert summary.ttft_verdict in render_markdown(summary)
    assert sweep(ttft=501.0).ttft_verdict is None


def test_the_largest_floor_counts(
    sweep: Callable[..., SweepSummary],
    record: RecordFactory,
    manifest: ManifestFactory,
    floor: MeasurementFloor,
) -> None:
    worse = floor.model_copy(update={"slot": "s1", "ttft_error_p99_ms": 2.0, "itl_error_p99_percent": 0.1})
    slots = (
        SlotIdentity(slot="s0", pool="default", floor=floor),
        SlotIdentity(slot="s1", pool="default", floor=worse),
        SlotIdentity(slot="s2", pool="default"),
    )
    summary = summarise_records([record()], manifest(slots=slots))
    assert (present(summary.floor).ttft_ms, present(summary.floor).rate_percent) == (2.0, 0.4)
    assert present(summary.floor).slots == ("s0", "s1")
    markdown = render_markdown(summary)
    assert "| s0 | 2026-11-21 12:00:00 UTC | kernel | +0.112 | 0.500 | 1.900 | -0.010 | 0.400 |" in markdown
    assert "| s2 | not calibrated: run chimera calibrate | – |" in markdown


def test_without_a_calibration_that_is_said_and_nothing_is_judged(
    record: RecordFactory, manifest: ManifestFactory
) -> None:
    rows = [
        record(config=name, run=run, throughput_source="client", ttft_ms=500.0)
        for name in ("a_second", "b_first")
        for run in (1, 2)
    ]
    summary = summarise_records(rows, manifest())
    assert (summary.floor, summary.ttft_verdict) == (None, None)
    assert [r.below_floor for r in summary.ranking] == [None, None]
    assert "No slot is calibrated: run chimera calibrate." in render_markdown(summary)
    assert "its own error is not known on s0: run chimera calibrate" in " ".join(summary.warnings)


def test_without_a_manifest_there_is_no_such_section(record: RecordFactory) -> None:
    markdown = render_markdown(summarise_records([record()]))
    assert "Conditions of Measurement" not in markdown
    assert "calibrate" not in markdown


def test_a_floor_of_another_clock_or_host_is_named(
    record: RecordFactory, manifest: ManifestFactory, floor: MeasurementFloor
) -> None:
    slot = manifest().slots[0]
    foreign = floor.model_copy(update={"host": "node-9"})
    plan = manifest(slots=(slot.model_copy(update={"floor": foreign}),))
    found = " ".join(summarise_records([record(arrival_clock="user")], plan).warnings)
    assert "found with the kernel clock, but calls were timed with the user clock" in found
    assert "the measurement floor of s0 was found on node-9, but it measured on node-1" in found
