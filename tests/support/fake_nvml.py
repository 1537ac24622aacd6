"""A stand-in for the module ``pynvml``: its names and signatures, and answers that a test scripts.

Constants, error classes and structures are the real module's own; functions are the ones defined here, so that
a test can never reach a real driver, and a function that is not here is missing as in older bindings.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pynvml

Script = Any
"""A value (given at each call), an exception (raised at each), a list (one per call, the last one from then
on) or a function without arguments (asked at each call)."""


@dataclass
class FakeGpu:
    """One GPU: an answer for each figure, in NVML's units."""

    name: str = "Fake GPU"
    uuid: str = "GPU-00000000-0000-0000-0000-000000000000"
    energy_mj: Script = 0
    power_mw: Script = 100_000
    utilisation_percent: Script = 50
    memory_used_bytes: Script = 2**30
    memory_total_bytes: int = 8 * 2**30
    temperature_c: Script = 40
    sm_clock_mhz: Script = 1500
    reasons: Script = 0


@dataclass(eq=False)
class FakeNvml:
    """The module. ``calls`` counts the calls of each function; hands out GPUs only between init and shutdown."""

    gpus: list[FakeGpu] = field(default_factory=lambda: [FakeGpu()])
    driver: str = "570.00"
    missing: frozenset[str] = frozenset()
    """Functions that these bindings do not have."""
    calls: Counter[str] = field(default_factory=Counter)
    initialised: int = 0

    def __post_init__(self) -> None:
        self._failing: dict[str, tuple[Exception, int]] = {}
        self._hanging: dict[str, threading.Event] = {}
        self.hangs = threading.Event()
        """Set while a function hangs."""
        self._scripts: dict[tuple[int, str], Callable[[], Any]] = {}

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("nvml") and name in object.__getattribute__(self, "missing"):
            raise AttributeError(f"module 'pynvml' has no attribute '{name}'")
        return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        real = getattr(pynvml, name)
        if callable(real) and not isinstance(real, type):
            raise AttributeError(f"the fake of pynvml has no {name}")
        return real

    def fail(self, function: str, error: Exception, every: int = 1) -> None:
        """From now on, let each ``every``-th call of ``function`` raise ``error``."""
        self._failing[function] = (error, every)

    def hang(self, function: str) -> threading.Event:
        """From now on, let ``function`` hang until the event that is returned is set."""
        return self._hanging.setdefault(function, threading.Event())

    def nvmlInit(self) -> None:
        self._called("nvmlInit", needs_init=False)
        self.initialised += 1

    def nvmlShutdown(self) -> None:
        self._called("nvmlShutdown")
        self.initialised -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        self._called("nvmlSystemGetDriverVersion")
        return self.driver

    def nvmlDeviceGetCount(self) -> int:
        self._called("nvmlDeviceGetCount")
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        self._called("nvmlDeviceGetHandleByIndex")
        if not 0 <= index < len(self.gpus):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return index

    def nvmlDeviceGetName(self, handle: int) -> str:
        self._called("nvmlDeviceGetName")
        return self.gpus[handle].name

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        self._called("nvmlDeviceGetUUID")
        return self.gpus[handle].uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        return self._answer("nvmlDeviceGetTotalEnergyConsumption", handle, "energy_mj")

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        return self._answer("nvmlDeviceGetPowerUsage", handle, "power_mw")

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        gpu = self._answer("nvmlDeviceGetUtilizationRates", handle, "utilisation_percent")
        return pynvml.c_nvmlUtilization_t(gpu=gpu, memory=0)

    def nvmlDeviceGetMemoryInfo(self, handle: int, version: Any = None) -> Any:
        used = self._answer("nvmlDeviceGetMemoryInfo", handle, "memory_used_bytes")
        total = self.gpus[handle].memory_total_bytes
        return pynvml.c_nvmlMemory_t(total=total, free=total - used, used=used)

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return self._temperature("nvmlDeviceGetTemperature", handle, sensor)

    def nvmlDeviceGetTemperatureV(
        self, handle: int, sensor: int, version: int = pynvml.nvmlTemperature_v1
    ) -> int:
        return self._temperature("nvmlDeviceGetTemperatureV", handle, sensor)

    def nvmlDeviceGetClockInfo(self, handle: int, type: int) -> int:
        if type != pynvml.NVML_CLOCK_SM:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return self._answer("nvmlDeviceGetClockInfo", handle, "sm_clock_mhz")

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: int) -> int:
        return self._answer("nvmlDeviceGetCurrentClocksEventReasons", handle, "reasons")

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: int) -> int:
        return self._answer("nvmlDeviceGetCurrentClocksThrottleReasons", handle, "reasons")

    def _temperature(self, function: str, handle: int, sensor: int) -> int:
        if sensor != pynvml.NVML_TEMPERATURE_GPU:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return self._answer(function, handle, "temperature_c")

    def _answer(self, function: str, handle: int, figure: str) -> int:
        self._called(function)
        # One script for both names of a figure: its list goes on whichever is called.
        script = self._scripts.setdefault((handle, figure), _teller(getattr(self.gpus[handle], figure)))
        answer: int = script()
        return answer

    def _called(self, function: str, needs_init: bool = True) -> None:
        self.calls[function] += 1
        if function in self._hanging:
            self.hangs.set()
            self._hanging[function].wait()
        error, every = self._failing.get(function, (None, 1))
        if error is not None and self.calls[function] % every == 0:
            raise error
        if needs_init and not self.initialised:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)


def _teller(script: Script) -> Callable[[], Any]:
    """Return a function that gives the script's next answer."""
    if callable(script) and not isinstance(script, BaseException):
        told: Callable[[], Any] = script
        return told
    if isinstance(script, list):
        answers: Iterable[Any] = itertools.chain(script, itertools.repeat(script[-1]))
    else:
        answers = itertools.repeat(script)
    steps = iter(answers)

    def tell() -> Any:
        answer = next(steps)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return tell
