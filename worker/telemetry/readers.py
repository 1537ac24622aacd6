"""What the sampler reads from, kept open from one job to the next: opening NVML can take longer than a job."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.telemetry.gpu_reader import GpuReaders, open_gpus
from worker.telemetry.host_reader import HostReader, open_host

KEPT_S = 60.0
"""Older readers are opened anew: a reading that was given up, or a driver that came, gets its chance."""


@dataclass
class Readers:
    """Open readers of host and GPUs; ``gpus`` is ``None`` where there is no NVML."""

    host: HostReader
    gpus: GpuReaders | None
    notes: list[str]
    """What can't be read, and why."""
    opened_s: float = field(default_factory=time.monotonic)

    def close(self) -> None:
        """Give back what reading needed."""
        self.host.close()
        if self.gpus is not None:
            self.gpus.close()


class KeptReaders:
    """One pair of readers that samplers take one after the other.

    A sampler that hangs never gives its readers back: the next one opens its own.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._free: dict[tuple[int, ...] | None, Readers] = {}

    def take(self, indices: Sequence[int] | None) -> Readers | None:
        """Return readers that are open and young enough; ``None``: there are none."""
        with self._guard:
            readers = self._free.pop(_key(indices), None)
        if readers is not None and time.monotonic() - readers.opened_s > KEPT_S:
            readers.close()
            return None
        return readers

    def give_back(self, indices: Sequence[int] | None, readers: Readers) -> None:
        """Keep the readers for the next sampler."""
        with self._guard:
            other, self._free[_key(indices)] = self._free.get(_key(indices)), readers
        if other is not None:
            other.close()


def _key(indices: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if indices is None else tuple(indices)


def open_readers(
    nvml: Any, indices: Sequence[int] | None, notes: list[str], slow_ns: int, *, with_gpus: bool
) -> Readers:
    """Open host and GPUs; never raises for a GPU."""
    host = open_host(notes.append)
    return Readers(host, open_gpus(nvml, indices, notes.append, slow_ns) if with_gpus else None, notes)
