"""Clock marks, the collector's pause, host and GPU identity."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest

from worker.measurement.quiet import no_gc
from worker.measurement.timing import CallClock
from worker.telemetry.gpu import gpu_identities
from worker.telemetry.host import boot_id, host_identity


def test_marks_make_a_timing() -> None:
    clock = CallClock()
    clock.mark_sent()
    clock.mark_headers()
    clock.mark_end(clock.headers_ns)
    clock.mark_end()
    timing = clock.timing([clock.headers_ns or 0])
    assert clock.begun_ns <= timing.sent_ns <= (timing.headers_ns or 0) == timing.end_ns
    assert timing.text_ns == (timing.headers_ns,)


def test_a_call_that_was_never_sent_begins_where_it_began() -> None:
    clock = CallClock()
    timing = clock.timing()
    assert timing.sent_ns == clock.begun_ns <= timing.end_ns
    assert timing.headers_ns is None and timing.text_ns == ()


def test_collector_is_off_inside_overlapping_blocks() -> None:
    first, second = no_gc(), no_gc()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_collector_is_restored_after_a_failure_and_left_off_where_it_was() -> None:
    with pytest.raises(KeyError), no_gc():
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with no_gc():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_host() -> None:
    host = host_identity()
    assert host.host and host.os and host.python.startswith("3.")
    assert host.cpu_count and host.memory_total_bytes
    assert boot_id() == boot_id()


class FakeNvml:
    """NVML with two GPUs; what is in ``broken`` raises."""

    def __init__(self, *broken: str) -> None:
        self.broken = broken
        self.open = 0

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            if name in self.broken:
                raise RuntimeError(name)
            return self.answer(name, *arguments)

        return call

    def answer(self, name: str, index: int = 0) -> Any:
        if name == "nvmlInit":
            self.open += 1
        if name == "nvmlShutdown":
            self.open -= 1
        return {
            "nvmlSystemGetDriverVersion": b"550.1",
            "nvmlDeviceGetCount": 2,
            "nvmlDeviceGetHandleByIndex": index,
            "nvmlDeviceGetName": f"GPU {index}",
            "nvmlDeviceGetUUID": f"GPU-{index}",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=16),
        }.get(name)


def test_gpus() -> None:
    nvml = FakeNvml()
    gpus = gpu_identities(None, nvml)
    assert gpus is not None
    assert [(g.index, g.name, g.uuid, g.driver, g.memory_total_bytes) for g in gpus] == [
        (0, "GPU 0", "GPU-0", "550.1", 16),
        (1, "GPU 1", "GPU-1", "550.1", 16),
    ]
    assert [g.index for g in gpu_identities([1, 7], nvml) or ()] == [1]
    assert nvml.open == 0


def test_gpu_fields_that_nvml_does_not_give() -> None:
    gpus = gpu_identities(None, FakeNvml("nvmlDeviceGetName", "nvmlSystemGetDriverVersion")) or ()
    assert [(g.name, g.driver, g.memory_total_bytes) for g in gpus] == [(None, None, 16)] * 2
    assert [g.uuid for g in gpu_identities(None, FakeNvml("nvmlDeviceGetHandleByIndex")) or ()] == [None] * 2
    assert gpu_identities(None, FakeNvml("nvmlDeviceGetCount", "nvmlShutdown")) == ()


def test_no_nvml() -> None:
    assert gpu_identities(None, FakeNvml("nvmlInit")) is None
