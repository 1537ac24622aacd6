"""The sampler's thread: it samples, it never disturbs or fails what runs beside it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pynvml
import pytest

from contracts.telemetry import StageTelemetry
from tests.support.fake_nvml import FakeGpu, FakeNvml
from worker.measurement.clock import now_ns
from worker.telemetry import sampler as module
from worker.telemetry import summary
from worker.telemetry.sampler import LAST_SAMPLES, TelemetrySampler

PERIOD_S = 0.002
LIMIT_S = 30.0
DEVICE_FUNCTIONS = sorted(n for n in vars(FakeNvml) if n.startswith("nvmlDevice"))


def until(condition: Callable[[], bool]) -> None:
    """Wait for ``condition``."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No limit that a busy machine could reach; and whatever hung in a test is over before the next one."""
    monkeypatch.setattr(summary, "BRIDGED_PERIODS", LIMIT_S / PERIOD_S)
    monkeypatch.setattr(module, "FIRST_SAMPLE_S", LIMIT_S)
    monkeypatch.setattr(module, "JOIN_S", LIMIT_S)
    yield
    until(lambda: not any(thread.name == "telemetry" for thread in threading.enumerate()))


class LastReading:
    """A clock that remembers what it said: a counter that follows it needs no second look at the time."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        self.ns = now_ns()
        return self.ns


def watched(nvml: FakeNvml, samples: int = 5) -> tuple[StageTelemetry, TelemetrySampler]:
    """Sample until ``samples`` were taken inside a stage; return what they say of it."""
    with TelemetrySampler(PERIOD_S, nvml=nvml) as sampler:
        start = now_ns()
        until(lambda: sampler.between(start, now_ns()).samples >= samples)
        end = now_ns()
    return sampler.between(start, end), sampler


def test_energy_power_and_host_of_a_stage() -> None:
    """A GPU at 100 W: its counter rises by 1 mJ each 10 µs."""
    clock = LastReading()
    nvml = FakeNvml([FakeGpu(energy_mj=lambda: clock.ns // 10_000, power_mw=[90_000, 110_000], reasons=0x4)])
    with TelemetrySampler(PERIOD_S, nvml=nvml, clock=clock) as sampler:
        start = now_ns()
        until(lambda: nvml.calls["nvmlDeviceGetPowerUsage"] > 20)
        end = now_ns()
    stage = sampler.between(start, end)
    (gpu,) = stage.gpus or ()
    assert gpu.energy_j == pytest.approx((end - start) * 100 / 1e9, abs=0.003)
    assert (gpu.energy_source, gpu.max_power_w, gpu.throttle_reasons) == ("counter", 110.0, ("power cap",))
    assert stage.samples > 5
    assert stage.load_1min is not None and stage.memory_used_bytes is not None
    assert stage.process_cpu_percent is not None and stage.process_cpu_percent > 0
    assert (nvml.initialised, sampler.notes) == (0, ())


def test_the_first_sample_is_there_before_the_measurement() -> None:
    sampler = TelemetrySampler(3600.0, nvml=FakeNvml())
    before = now_ns()
    sampler.start()
    assert sampler.between(before, now_ns()).samples == 1
    sampler.stop()


@pytest.mark.parametrize(("energy", "last"), [(5, 1 + LAST_SAMPLES), (pynvml.NVMLError_NotSupported(), 1)])
def test_stop_takes_the_last_samples_and_does_not_wait_for_the_next_tick(energy: object, last: int) -> None:
    """One, and a few more where a counter has yet to step."""
    nvml = FakeNvml([FakeGpu(energy_mj=energy)])
    sampler = TelemetrySampler(3600.0, nvml=nvml, kept_s=36_000.0)
    sampler.start()
    sampler.stop()
    assert sampler.between(0, now_ns()).samples == 1 + last


def test_without_nvml_the_host_is_sampled() -> None:
    nvml = FakeNvml()
    nvml.fail("nvmlInit", pynvml.NVMLError_LibraryNotFound())
    stage, sampler = watched(nvml)
    assert stage.gpus is None
    assert stage.memory_used_bytes is not None
    assert sampler.notes == ("GPUs are not sampled: NVML Shared Library Not Found",)


@pytest.mark.parametrize("function", ["nvmlInit", "nvmlShutdown", *DEVICE_FUNCTIONS])
@pytest.mark.parametrize(
    "error", [pynvml.NVMLError_Unknown(), RuntimeError("broken driver")], ids=["nvml", "other"]
)
def test_each_function_of_nvml_may_raise(function: str, error: Exception) -> None:
    nvml = FakeNvml()
    nvml.fail(function, error)
    stage, _ = watched(nvml, samples=12)
    assert stage.samples >= 12
    assert stage.process_cpu_percent is not None


def test_a_hanging_nvml_hangs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "JOIN_S", 0.05)
    nvml = FakeNvml()
    with TelemetrySampler(PERIOD_S, nvml=nvml) as sampler:
        release = nvml.hang("nvmlDeviceGetPowerUsage")
        try:
            assert nvml.hangs.wait(LIMIT_S)
            start = now_ns()
            asyncio.run(_measurement())
            sampler.stop()
            assert "sampling hangs and was left behind" in sampler.notes
            stage = sampler.between(start, now_ns())
            assert (stage.samples, stage.max_gap_s, stage.cpu_busy_percent) == (0, None, None)
            # The next job's sampler leaves NVML alone, and samples the host.
            other = FakeNvml()
            stage, second = watched(other)
            assert stage.gpus is None and stage.memory_used_bytes is not None
            assert second.notes == ("GPUs are not sampled: NVML hangs since an earlier measurement",)
            assert not other.calls
        finally:
            release.set()
    until(lambda: not sampler._thread.is_alive())
    third, _ = watched(FakeNvml())
    assert third.gpus is not None


async def _measurement() -> None:
    """Stands in for a measurement: an event loop that has to come around."""
    for _ in range(1000):
        await asyncio.sleep(0)


def test_nvml_that_hangs_while_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_SAMPLE_S", 0.05)
    monkeypatch.setattr(module, "JOIN_S", 0.05)
    nvml = FakeNvml()
    release = nvml.hang("nvmlInit")
    try:
        with TelemetrySampler(PERIOD_S, nvml=nvml) as sampler:
            pass
        assert sampler.notes == ("no sample in the first 0.05 s", "sampling hangs and was left behind")
        assert sampler.between(0, now_ns()).gpus is None
    finally:
        release.set()


def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with TelemetrySampler(PERIOD_S, nvml=FakeNvml()) as sampler:
        pass
    assert sampler.notes == ("nothing is sampled: can't start new thread",)
    assert sampler.between(0, now_ns()).samples == 0


def test_a_defect_of_the_summary_is_told_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "summarise", lambda *_, **__: 1 / 0)
    with TelemetrySampler(PERIOD_S, nvml=FakeNvml()) as sampler:
        assert sampler.between(0, 1).samples == 0
    assert sampler.notes == ("samples could not be summed up: ZeroDivisionError: division by zero",)


def test_old_samples_are_dropped() -> None:
    nvml = FakeNvml()
    with TelemetrySampler(PERIOD_S, nvml=nvml, kept_s=3 * PERIOD_S) as sampler:
        until(lambda: nvml.calls["nvmlDeviceGetPowerUsage"] > 10)
    assert sampler.between(0, now_ns()).samples == 3


@pytest.mark.parametrize("period_s", [0.0, -1.0])
def test_a_period_must_be_above_zero(period_s: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        TelemetrySampler(period_s)
