"""Readers of host and GPU: real formats in, plain numbers out, and never an exception."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import psutil
import pynvml
import pytest

from tests.support.fake_nvml import FakeGpu, FakeNvml
from worker.telemetry.gpu_reader import GpuReaders, open_gpus
from worker.telemetry.host_reader import ProcReader, PsutilReader, open_host
from worker.telemetry.reading import GIVE_UP_AFTER
from worker.telemetry.sample import GpuSample

STAT = """cpu  100 10 30 800 50 4 6 20 7 3
cpu0 50 5 15 400 25 2 3 10 4 2
intr 12345 1 2 3
"""
MEMINFO = """MemTotal:       16316412 kB
MemFree:         1000000 kB
MemAvailable:    6316412 kB
Buffers:          100000 kB
"""


def lacking(*figures: str) -> GpuSample:
    nothing: dict[str, Any] = dict.fromkeys(figures)
    return WHOLE._replace(**nothing)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "stat").write_text(STAT)
    (tmp_path / "meminfo").write_text(MEMINFO)
    return tmp_path


def test_host_by_proc(proc: Path) -> None:
    """busy = user + nice + system + irq + softirq; the guests' times are in user and nice already."""
    notes: list[str] = []
    reader = ProcReader(notes.append, proc)
    sample = reader.read()
    assert (sample.cpu_busy, sample.cpu_steal, sample.cpu_total) == (150, 20, 1020)
    assert sample.memory_used_bytes == 10_000_000 * 1024
    assert sample.load_1min is not None and sample.load_1min >= 0
    assert sample.process_cpu_ns is not None and sample.process_cpu_ns > 0
    reader.close()
    assert notes == []


def test_proc_is_read_anew_each_time(proc: Path) -> None:
    reader = ProcReader(print, proc)
    reader.read()
    (proc / "stat").write_text(STAT.replace("cpu  100", "cpu  190"))
    assert reader.read().cpu_busy == 240
    reader.close()


def test_a_kernel_without_steal(proc: Path) -> None:
    (proc / "stat").write_text("cpu 1 2 3 4 5 6 7\n")
    sample = ProcReader(print, proc).read()
    assert (sample.cpu_busy, sample.cpu_steal, sample.cpu_total) == (19, None, 28)


@pytest.mark.parametrize("text", ["", "nonsense", "cpu  x y z a b c d e\n", "\x00\xff"])
def test_what_cannot_be_parsed_is_none_and_given_up(proc: Path, text: str) -> None:
    (proc / "stat").write_text(text)
    (proc / "meminfo").write_text(text)
    notes: list[str] = []
    reader = ProcReader(notes.append, proc)
    for _ in range(GIVE_UP_AFTER + 3):
        sample = reader.read()
        assert (sample.cpu_busy, sample.memory_used_bytes) == (None, None)
        assert sample.process_cpu_ns is not None
    assert [note.split(" is not read any more")[0] for note in notes] == [
        str(proc / "stat"),
        str(proc / "meminfo"),
    ]
    reader.close()


def test_files_that_are_not_there(tmp_path: Path) -> None:
    sample = ProcReader(print, tmp_path / "none").read()
    assert (sample.cpu_busy, sample.cpu_total, sample.memory_used_bytes) == (None, None, None)


def test_without_proc_it_is_psutil(tmp_path: Path) -> None:
    reader = open_host(print, tmp_path)
    assert isinstance(reader, PsutilReader)
    sample = reader.read()
    assert sample.cpu_busy is not None and sample.cpu_total is not None
    assert 0 < sample.cpu_busy <= sample.cpu_total
    assert sample.memory_used_bytes is not None
    assert 0 < sample.memory_used_bytes < psutil.virtual_memory().total
    reader.close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_this_hosts_proc_says_what_psutil_says() -> None:
    notes: list[str] = []
    reader = open_host(notes.append)
    before = psutil.cpu_times()
    sample = reader.read()
    after = psutil.cpu_times()
    tick_s = 100  # USER_HZ, as psutil has it: os.sysconf("SC_CLK_TCK")
    assert sample.cpu_total is not None and sample.cpu_steal is not None
    assert before.steal <= sample.cpu_steal / tick_s <= after.steal
    assert before.user + before.nice - 1 <= (sample.cpu_busy or 0) / tick_s
    assert sample.memory_used_bytes is not None
    assert 0 < sample.memory_used_bytes < psutil.virtual_memory().total
    reader.close()
    assert notes == []


FIGURES = {
    "nvmlDeviceGetTotalEnergyConsumption": "energy_mj",
    "nvmlDeviceGetPowerUsage": "power_mw",
    "nvmlDeviceGetUtilizationRates": "utilisation_percent",
    "nvmlDeviceGetMemoryInfo": "memory_used_bytes",
    "nvmlDeviceGetTemperatureV": "temperature_c",
    "nvmlDeviceGetClockInfo": "sm_clock_mhz",
    "nvmlDeviceGetCurrentClocksEventReasons": "throttle_mask",
}
WHOLE = GpuSample(0, 0, 17, 95_500, 83, 2**33, 61, 1410, 0x4)


def gpu() -> FakeGpu:
    return FakeGpu(
        uuid="GPU-x",
        energy_mj=17,
        power_mw=95_500,
        utilisation_percent=83,
        memory_used_bytes=2**33,
        temperature_c=61,
        sm_clock_mhz=1410,
        reasons=0x4,
    )


def opened(nvml: FakeNvml, notes: list[str], indices: list[int] | None = None) -> GpuReaders:
    readers = open_gpus(nvml, indices, notes.append, slow_ns=1000)
    assert readers is not None
    return readers


def read(readers: GpuReaders) -> GpuSample:
    (sample,) = readers.read(lambda: 0)
    return sample


def test_all_figures_of_a_gpu() -> None:
    notes: list[str] = []
    nvml = FakeNvml([gpu()])
    readers = opened(nvml, notes)
    assert readers.keys == ((0, "GPU-x"),)
    assert read(readers) == WHOLE
    readers.close()
    assert (nvml.initialised, notes) == (0, [])


def test_only_the_pinned_gpu_is_sampled() -> None:
    """NVML's index, whatever ``CUDA_VISIBLE_DEVICES`` says."""
    nvml = FakeNvml([FakeGpu(uuid="GPU-0"), gpu(), FakeGpu(uuid="GPU-2")])
    readers = opened(nvml, [], [1])
    assert readers.keys == ((1, "GPU-x"),)
    assert read(readers) == WHOLE._replace(gpu=1)


def test_an_index_that_nvml_does_not_know_is_left_out_and_told() -> None:
    notes: list[str] = []
    readers = opened(FakeNvml([gpu()]), notes, [-1, 0, 4])
    assert [key.gpu for key in readers.keys] == [0]
    assert notes == ["GPU -1 is not sampled: NVML sees 1 here", "GPU 4 is not sampled: NVML sees 1 here"]


def test_nvml_without_a_gpu() -> None:
    readers = opened(FakeNvml([]), [])
    assert (readers.keys, readers.read(lambda: 0)) == ((), ())


@pytest.mark.parametrize(
    "error", [pynvml.NVMLError_LibraryNotFound(), OSError("broken"), AttributeError("x")]
)
def test_no_nvml(error: Exception) -> None:
    notes: list[str] = []
    nvml = FakeNvml()
    nvml.fail("nvmlInit", error)
    assert open_gpus(nvml, None, notes.append, slow_ns=1) is None
    assert len(notes) == 1 and notes[0].startswith("GPUs are not sampled: ")


def test_nvml_is_given_back_where_it_cannot_count() -> None:
    nvml = FakeNvml()
    nvml.fail("nvmlDeviceGetCount", pynvml.NVMLError_Unknown())
    assert open_gpus(nvml, None, print, slow_ns=1) is None
    assert nvml.initialised == 0


@pytest.mark.parametrize("function", ["nvmlDeviceGetHandleByIndex", "nvmlDeviceGetUUID"])
def test_a_gpu_without_handle_or_uuid_is_still_named(function: str) -> None:
    notes: list[str] = []
    nvml = FakeNvml([gpu()])
    nvml.fail(function, pynvml.NVMLError_GpuIsLost())
    readers = opened(nvml, notes)
    assert readers.keys == ((0, None),)
    lost = function == "nvmlDeviceGetHandleByIndex"
    assert read(readers) == (GpuSample(0, 0) if lost else WHOLE)
    assert notes == (["GPU 0 is not sampled: GPU is lost"] if lost else [])


@pytest.mark.parametrize("function", FIGURES)
def test_a_figure_that_is_not_supported_takes_no_other_with_it(function: str) -> None:
    notes: list[str] = []
    nvml = FakeNvml([gpu()])
    for name in (function, *OLDER.get(function, ())):
        nvml.fail(name, pynvml.NVMLError_NotSupported())
    readers = opened(nvml, notes)
    before = nvml.calls.copy()
    for _ in range(3):
        assert read(readers) == lacking(FIGURES[function])
    assert sum((nvml.calls - before)[name] for name in (function, *OLDER.get(function, ()))) == 1
    assert len(notes) == 1 and "is not read any more: Not Supported" in notes[0]


OLDER = {
    "nvmlDeviceGetTemperatureV": ("nvmlDeviceGetTemperature",),
    "nvmlDeviceGetCurrentClocksEventReasons": ("nvmlDeviceGetCurrentClocksThrottleReasons",),
}


@pytest.mark.parametrize("newer", OLDER)
def test_older_drivers_and_bindings_have_older_names(newer: str) -> None:
    driver, bindings = FakeNvml([gpu()]), FakeNvml([gpu()], missing=frozenset({newer}))
    driver.fail(newer, pynvml.NVMLError_FunctionNotFound())
    for nvml in (driver, bindings):
        notes: list[str] = []
        assert read(opened(nvml, notes)) == WHOLE
        assert notes == []


@pytest.mark.parametrize("function", FIGURES)
def test_a_figure_that_fails_now_and_then_is_none_now_and_then(function: str) -> None:
    notes: list[str] = []
    nvml = FakeNvml([gpu()])
    readers = opened(nvml, notes)
    nvml.fail(function, pynvml.NVMLError_Unknown(), every=3)
    samples = [read(readers) for _ in range(6 * GIVE_UP_AFTER)]
    missing = samples.count(lacking(FIGURES[function]))
    assert missing == 2 * GIVE_UP_AFTER
    assert samples.count(WHOLE) == len(samples) - missing
    assert notes == []


def test_a_figure_that_keeps_failing_is_given_up_with_a_note() -> None:
    notes: list[str] = []
    nvml = FakeNvml([gpu()])
    readers = opened(nvml, notes)
    nvml.fail("nvmlDeviceGetPowerUsage", pynvml.NVMLError_Unknown())
    for _ in range(GIVE_UP_AFTER + 5):
        assert read(readers) == WHOLE._replace(power_mw=None)
    assert nvml.calls["nvmlDeviceGetPowerUsage"] == GIVE_UP_AFTER
    assert notes == [
        f"GPU 0: power is not read any more after {GIVE_UP_AFTER} failures in a row: Unknown Error"
    ]


@pytest.mark.parametrize(
    ("field", "value", "figure"),
    [
        ("power_mw", 2**32 - 1, "power_mw"),  # NVML_VALUE_NOT_AVAILABLE
        ("power_mw", 0, "power_mw"),
        ("energy_mj", 2**64 - 1, "energy_mj"),
        ("utilisation_percent", 101, "utilisation_percent"),
        ("sm_clock_mhz", 2**32 - 1, "sm_clock_mhz"),
        ("temperature_c", -300, "temperature_c"),
        ("reasons", "text", "throttle_mask"),
    ],
)
def test_a_figure_that_cannot_be_is_none(field: str, value: Any, figure: str) -> None:
    made = gpu()
    setattr(made, field, value)
    assert read(opened(FakeNvml([made]), [])) == lacking(figure)


def test_a_sample_whose_moment_is_not_known_is_left_out() -> None:
    notes: list[str] = []
    readers = opened(FakeNvml([gpu()]), notes)
    times = iter([0, 1001, 2000, 3000, 4000, 5001])
    assert [len(readers.read(lambda: next(times))) for _ in range(3)] == [0, 1, 0]
    assert len(notes) == 1
