"""What NVML says about the GPUs, one sample at a time."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from worker.telemetry.reading import Reading, describe
from worker.telemetry.sample import GpuKey, GpuSample

Note = Callable[[str], None]
Clock = Callable[[], int]

TEMPERATURE_GPU = 0
"""nvmlTemperatureSensors_t: the GPU die."""
CLOCK_SM = 1
"""nvmlClockType_t: the streaming multiprocessors."""
_NOT_AVAILABLE, _LONG_NOT_AVAILABLE = 2**32 - 1, 2**64 - 1
"""NVML_VALUE_NOT_AVAILABLE, (unsigned) −1, in 32 and 64 bits."""


class GpuReaders:
    """The GPUs that NVML sees, or those of ``indices``, as long as it is open."""

    def __init__(self, nvml: Any, indices: Sequence[int] | None, note: Note, slow_ns: int) -> None:
        self._nvml = nvml
        self._note = note
        count = int(nvml.nvmlDeviceGetCount())
        for index in indices or ():
            if not 0 <= index < count:
                note(f"GPU {index} is not sampled: NVML sees {count} here")
        wanted = range(count) if indices is None else [i for i in indices if 0 <= i < count]
        self._readers = [GpuReader(nvml, index, note) for index in wanted]
        self._slow_ns = slow_ns
        self._told_slow = False

    @property
    def keys(self) -> tuple[GpuKey, ...]:
        """Index and uuid of each GPU."""
        return tuple(reader.key for reader in self._readers)

    def read(self, clock: Clock) -> tuple[GpuSample, ...]:
        """Return a sample of each GPU; never raises.

        A sample that took longer than ``slow_ns`` is left out: which moment it shows is not known.
        """
        samples = []
        for reader in self._readers:
            sample = reader.read(clock)
            if clock() - sample.at_ns <= self._slow_ns:
                samples.append(sample)
            elif not self._told_slow:
                self._told_slow = True
                self._note(
                    f"samples of GPU {sample.gpu} that took over {self._slow_ns / 1e9:g} s are left out"
                )
        return tuple(samples)

    def close(self) -> None:
        """Give NVML back."""
        with suppress(Exception):
            self._nvml.nvmlShutdown()


def open_gpus(nvml: Any, indices: Sequence[int] | None, note: Note, slow_ns: int) -> GpuReaders | None:
    """Return the GPUs' readers; ``None`` where there is no NVML (no driver, no package). Never raises.

    ``nvml`` stands in for the module ``pynvml``; ``None`` is the module itself.
    """
    try:
        nvml = nvml or importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception as error:  # a broken installation must not fail a measurement
        note(f"GPUs are not sampled: {describe(error)}")
        return None
    try:
        return GpuReaders(nvml, indices, note, slow_ns)
    except Exception as error:
        note(f"GPUs are not sampled: {describe(error)}")
        with suppress(Exception):
            nvml.nvmlShutdown()
        return None


class GpuReader:
    """One GPU. Each figure is a reading of its own, so that one that fails takes no other with it."""

    def __init__(self, nvml: Any, index: int, note: Note) -> None:
        self._readings: tuple[Reading[int], ...] = ()
        self.key = GpuKey(index)
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
        except Exception as error:
            note(f"GPU {index} is not sampled: {describe(error)}")
            return
        with suppress(Exception):
            uuid = nvml.nvmlDeviceGetUUID(handle)
            # Bindings before 11.5 return bytes.
            self.key = GpuKey(index, uuid.decode() if isinstance(uuid, bytes) else str(uuid))
        self._readings = tuple(
            Reading(f"GPU {index}: {name}", read, note) for name, read in _figures(nvml, handle).items()
        )

    def read(self, clock: Clock) -> GpuSample:
        """Return the GPU now; what can't be read is ``None``."""
        at_ns = clock()
        return GpuSample(self.key.gpu, at_ns, *[reading() for reading in self._readings])


def _figures(nvml: Any, handle: Any) -> dict[str, Callable[[], int]]:
    """Return what is read of a GPU, in the order of ``GpuSample``'s fields."""

    def figure(read: Callable[[], Any], low: int = 0, high: int = _NOT_AVAILABLE - 1) -> Callable[[], int]:
        return lambda: _checked(read(), low, high)

    return {
        "energy": figure(
            lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle), high=_LONG_NOT_AVAILABLE - 1
        ),
        # A GPU that answers draws power: 0 is a sensor that is not there.
        "power": figure(lambda: nvml.nvmlDeviceGetPowerUsage(handle), low=1),
        "utilisation": figure(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu, high=100),
        "memory": figure(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used, high=_LONG_NOT_AVAILABLE - 1),
        "temperature": figure(
            _first_that_works(
                lambda: nvml.nvmlDeviceGetTemperatureV(handle, TEMPERATURE_GPU),
                lambda: nvml.nvmlDeviceGetTemperature(handle, TEMPERATURE_GPU),
            ),
            low=-273,
        ),
        "SM clock": figure(lambda: nvml.nvmlDeviceGetClockInfo(handle, CLOCK_SM)),
        "throttle reasons": figure(
            _first_that_works(
                lambda: nvml.nvmlDeviceGetCurrentClocksEventReasons(handle),
                lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle),
            ),
            high=_LONG_NOT_AVAILABLE - 1,
        ),
    }


def _checked(value: Any, low: int, high: int) -> int:
    number = int(value)
    if not low <= number <= high:
        raise ValueError(f"it reads {number}")
    return number


def _first_that_works(newer: Callable[[], Any], older: Callable[[], Any]) -> Callable[[], Any]:
    """Return ``newer``, or ``older`` where the driver or the bindings lack it (or it fails)."""
    try:
        newer()
    except Exception:
        return older
    return newer
