"""The fake of NVML against the module that it stands in for."""

from __future__ import annotations

import inspect

import pynvml
import pytest

from tests.support.fake_nvml import FakeGpu, FakeNvml
from worker.telemetry import throttling
from worker.telemetry.gpu import gpu_identities
from worker.telemetry.gpu_reader import CLOCK_SM, TEMPERATURE_GPU

FUNCTIONS = sorted(name for name in vars(FakeNvml) if name.startswith("nvml"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_are_the_real_modules(name: str) -> None:
    real = inspect.signature(inspect.unwrap(getattr(pynvml, name)))
    fake = inspect.signature(getattr(FakeNvml(), name))
    assert [(p.name, p.default, p.kind) for p in fake.parameters.values()] == [
        (p.name, p.default, p.kind) for p in real.parameters.values()
    ]


def test_constants_errors_and_structures_are_the_real_modules() -> None:
    nvml = FakeNvml()
    assert nvml.NVMLError_NotSupported is pynvml.NVMLError_NotSupported
    assert nvml.nvmlClocksEventReasonSwPowerCap == pynvml.nvmlClocksEventReasonSwPowerCap
    assert nvml.NVML_CLOCK_SM == pynvml.NVML_CLOCK_SM == CLOCK_SM
    assert pynvml.NVML_TEMPERATURE_GPU == TEMPERATURE_GPU


def test_a_function_that_the_fake_lacks_is_never_the_real_one() -> None:
    with pytest.raises(AttributeError, match="nvmlDeviceGetFanSpeed"):
        _ = FakeNvml().nvmlDeviceGetFanSpeed


def test_it_answers_between_init_and_shutdown_only() -> None:
    nvml = FakeNvml()
    with pytest.raises(pynvml.NVMLError_Uninitialized):
        nvml.nvmlDeviceGetCount()
    nvml.nvmlInit()
    assert nvml.nvmlDeviceGetCount() == 1
    nvml.nvmlShutdown()
    with pytest.raises(pynvml.NVMLError_Uninitialized):
        nvml.nvmlDeviceGetPowerUsage(0)


def test_scripts_and_failures() -> None:
    nvml = FakeNvml([FakeGpu(power_mw=[1, 2, ValueError("no")])])
    nvml.nvmlInit()
    assert [nvml.nvmlDeviceGetPowerUsage(0) for _ in range(2)] == [1, 2]
    with pytest.raises(ValueError, match="no"):
        nvml.nvmlDeviceGetPowerUsage(0)
    nvml.fail("nvmlDeviceGetMemoryInfo", pynvml.NVMLError_Unknown(), every=3)
    failed = []
    for call in range(1, 7):
        try:
            nvml.nvmlDeviceGetMemoryInfo(0)
        except pynvml.NVMLError_Unknown:
            failed.append(call)
    assert failed == [3, 6]


def test_the_named_bits_are_nvmls() -> None:
    """Every reason of the real module has a name here or is no throttling, and no other bit is named."""
    known = 0
    for bit in throttling.THROTTLING:
        known |= bit
    assert known & throttling.NOT_THROTTLING == 0
    assert known | throttling.NOT_THROTTLING == (
        pynvml.nvmlClocksEventReasonAll | pynvml.nvmlClocksThrottleReasonAll
    )


def test_gpu_identities_by_the_fake() -> None:
    nvml = FakeNvml([FakeGpu(name="A", uuid="GPU-a"), FakeGpu(name="B", uuid="GPU-b", memory_total_bytes=4)])
    identities = gpu_identities([1, 7], nvml)
    assert identities is not None
    assert [(g.index, g.name, g.uuid, g.driver, g.memory_total_bytes) for g in identities] == [
        (1, "B", "GPU-b", "570.00", 4)
    ]
    assert nvml.initialised == 0
