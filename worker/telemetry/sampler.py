"""Samples of host and GPUs beside a measurement, in a thread that cannot disturb or fail it.

The thread keeps the priority of the process. With a lower one, a busy host takes the CPU from it while it
holds the interpreter's lock, and the measurement waits for both: beside three busy processes on two CPUs
up to 0.7 s at nice 19, 0.04 s as it is.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from contracts.telemetry import StageTelemetry
from worker.measurement.clock import now_ns
from worker.telemetry.readers import KeptReaders, Readers, open_readers
from worker.telemetry.reading import describe
from worker.telemetry.sample import GpuKey, Sample
from worker.telemetry.summary import bridge_ns, summarise
from worker.telemetry.ticks import ticks

PERIOD_S = 0.1
KEPT_S = 3600.0
"""Samples older than this are dropped."""
FIRST_SAMPLE_S = 2.0
"""How long ``start`` waits for the first sample: opening NVML can take a second where the driver is not kept loaded."""
JOIN_S = 0.5
"""How long ``stop`` waits for the thread, beside its last samples."""
LAST_SAMPLES = 2
"""Taken at most after the end where a GPU has an energy counter: its last step before the end shows only then."""

_hung: list[threading.Thread] = []
"""Threads of this process that did not come back from NVML."""


class TelemetrySampler:
    """Samples host and GPUs from ``start`` to ``stop``; ``between`` says what it saw.

    ``gpu_indices`` are NVML's: those of ``nvidia-smi``, in PCI bus order, which ``CUDA_VISIBLE_DEVICES`` does
    not change; ``None``: all GPUs of the host. ``nvml`` stands in for the module ``pynvml``.

    A reading that fails is ``None`` in that sample, and is given up after ten failures in a row; a call of
    NVML that hangs hangs this object's thread and nothing else. :attr:`notes` tells of both. With
    ``kept_readers`` what is read from stays open for the next sampler.
    """

    def __init__(
        self,
        period_s: float = PERIOD_S,
        gpu_indices: Sequence[int] | None = None,
        nvml: Any = None,
        clock: Callable[[], int] = now_ns,
        kept_s: float = KEPT_S,
        kept_readers: KeptReaders | None = None,
    ) -> None:
        if period_s <= 0:
            raise ValueError(f"period_s must be above 0, not {period_s}")
        self._period_s = period_s
        self._last_period_s = min(period_s, PERIOD_S)
        self._gpu_indices = gpu_indices
        self._nvml = nvml
        self._clock = clock
        self._kept_readers = kept_readers
        self._samples: deque[Sample] = deque(maxlen=max(round(kept_s / period_s), 2))
        self._guard = threading.Lock()  # a deque can't be copied while it grows
        self._notes: list[str] = []
        self._readers_notes: list[str] = []
        self._gpus: tuple[GpuKey, ...] | None = None
        self._has_sample = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be sampled, and why."""
        return (*self._readers_notes, *self._notes)

    def start(self) -> None:
        """Start sampling; return at the first sample, or without it where that takes too long."""
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads on this system
            self._note(f"nothing is sampled: {describe(error)}")
            return
        if not self._has_sample.wait(FIRST_SAMPLE_S):
            self._note(f"no sample in the first {FIRST_SAMPLE_S:g} s")

    def stop(self) -> None:
        """Take the last samples and end; return also where the thread hangs."""
        self._stopping.set()
        if self._thread.ident is None:
            return
        self._thread.join(JOIN_S + LAST_SAMPLES * self._last_period_s)
        if self._thread.is_alive():
            _hung.append(self._thread)
            self._note("sampling hangs and was left behind")

    def __enter__(self) -> TelemetrySampler:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def between(self, start_ns: int, end_ns: int) -> StageTelemetry:
        """Return what the samples say about the time from ``start_ns`` to ``end_ns`` (of ``clock``).

        Ask after ``stop``: an edge is known only between two samples. Never raises.
        """
        with self._guard:
            samples = list(self._samples)
        try:
            return summarise(samples, start_ns, end_ns, period_s=self._period_s, gpus=self._gpus)
        except Exception as error:  # telemetry must not take a measurement with it, not even by a defect
            self._note(f"samples could not be summed up: {type(error).__name__}: {describe(error)}")
            return StageTelemetry(samples=0, period_s=self._period_s)

    def _run(self) -> None:
        readers: Readers | None = None
        try:
            readers = self._open()
            for _ in ticks(int(self._period_s * 1e9), self._clock, self._stopping.wait):
                self._sample(readers)
            self._sample(readers)
            self._see_counters_step(readers)
        except Exception as error:
            self._note(f"sampling ended: {type(error).__name__}: {describe(error)}")
            if readers:
                readers.close()
        else:
            if self._kept_readers is not None:
                self._kept_readers.give_back(self._gpu_indices, readers)
            else:
                readers.close()
        finally:
            self._has_sample.set()

    def _open(self) -> Readers:
        readers = None if self._kept_readers is None else self._kept_readers.take(self._gpu_indices)
        if readers is None:
            hangs = any(thread.is_alive() for thread in _hung)
            if hangs:
                self._note("GPUs are not sampled: NVML hangs since an earlier measurement")
            readers = open_readers(
                self._nvml,
                self._gpu_indices,
                self._readers_notes,
                bridge_ns(self._period_s),
                with_gpus=not hangs,
            )
        self._readers_notes = readers.notes
        self._gpus = None if readers.gpus is None else readers.gpus.keys
        return readers

    def _sample(self, readers: Readers) -> None:
        gpus = readers.gpus.read(self._clock) if readers.gpus else ()
        sample = Sample(self._clock(), readers.host.read(), gpus)
        with self._guard:
            self._samples.append(sample)
        self._has_sample.set()

    def _see_counters_step(self, readers: Readers) -> None:
        """Sample on, in the same pace, until each energy counter has stepped, or ``LAST_SAMPLES`` times."""
        before = self._counters()
        for _ in range(LAST_SAMPLES):
            if not any(gpu in before and before[gpu] == mj for gpu, mj in self._counters().items()):
                return
            time.sleep(self._last_period_s)
            self._sample(readers)

    def _counters(self) -> dict[int, int]:
        gpus = self._samples[-1].gpus
        return {gpu.gpu: gpu.energy_mj for gpu in gpus if gpu.energy_mj is not None}

    def _note(self, text: str) -> None:
        self._notes.append(text)
