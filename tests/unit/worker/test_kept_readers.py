"""What the sampler reads from stays open between jobs; nothing that hung or grew old is used again."""

from __future__ import annotations

import time

import pytest

from tests.support.fake_nvml import FakeGpu, FakeNvml
from worker.measurement.clock import now_ns
from worker.telemetry import readers, sampler
from worker.telemetry.readers import KeptReaders
from worker.telemetry.sampler import TelemetrySampler

PERIOD_S = 0.002


def sample(nvml: FakeNvml, kept: KeptReaders) -> TelemetrySampler:
    with TelemetrySampler(PERIOD_S, nvml=nvml, kept_readers=kept) as made:
        pass
    return made


def test_nvml_is_opened_once_for_all_jobs() -> None:
    nvml, kept = FakeNvml([FakeGpu()]), KeptReaders()
    before = now_ns()
    samplers = [sample(nvml, kept) for _ in range(3)]
    assert (nvml.calls["nvmlInit"], nvml.initialised) == (1, 1)
    for made in samplers:
        stage = made.between(before, now_ns())
        assert stage.samples >= 2 and stage.gpus is not None and len(stage.gpus) == 1


def test_old_readers_are_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "KEPT_S", -1.0)
    nvml, kept = FakeNvml([FakeGpu()]), KeptReaders()
    for _ in range(3):
        sample(nvml, kept)
    assert (nvml.calls["nvmlInit"], nvml.initialised) == (3, 1)


def test_a_missing_nvml_is_told_by_each_sampler_and_asked_for_once() -> None:
    nvml, kept = FakeNvml(), KeptReaders()
    nvml.fail("nvmlInit", RuntimeError("no driver"))
    notes = [sample(nvml, kept).notes for _ in range(2)]
    assert notes == [("GPUs are not sampled: no driver",)] * 2
    assert nvml.calls["nvmlInit"] == 1


def test_readers_of_a_sampler_that_hangs_are_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "JOIN_S", 0.05)
    nvml, kept = FakeNvml(), KeptReaders()
    with TelemetrySampler(PERIOD_S, nvml=nvml, kept_readers=kept) as hanging:
        release = nvml.hang("nvmlDeviceGetPowerUsage")
        assert nvml.hangs.wait(30)
    assert "sampling hangs and was left behind" in hanging.notes
    assert kept.take(None) is None
    release.set()
    hanging._thread.join(30)
    assert not hanging._thread.is_alive()


def test_a_counter_that_steps_ends_the_wait_for_it() -> None:
    """It steps with each reading: one sample at the end and one that shows the step."""
    nvml = FakeNvml([FakeGpu(energy_mj=lambda: time.perf_counter_ns() // 1000)])
    with TelemetrySampler(3600.0, nvml=nvml, kept_s=36_000.0) as made:
        pass
    assert made.between(0, now_ns()).samples == 3
