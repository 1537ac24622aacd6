"""What the benchmark has to know of a client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.fidelity.record import Record
from benchmarks.fidelity.workload import Workload


class Absent(Exception):
    """The client can't take part; the words say why."""


@dataclass(frozen=True)
class Job:
    """One run of one client."""

    url: str
    workload: Workload
    folder: Path
    """Empty, its own; what the client reads and writes lies there."""
    tokenizer: Path
    """A tokenizer in Hugging Face's layout, for clients that want one."""
    clock_offset_ns: int
    """Unix time − ``perf_counter_ns``, for clients that tell Unix times."""


class Contestant(Protocol):
    """A client."""

    @property
    def name(self) -> str: ...

    @property
    def peer(self) -> bool:
        """Whether it is somebody else's."""

    @property
    def overhead_s(self) -> float:
        """About how long it takes beside the requests, for the plan."""

    @property
    def request_cpu_s(self) -> float:
        """About how much CPU time it takes per request, for the plan."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables to set."""

    def version(self) -> str:
        """Return its version. Raises Absent."""

    def command(self, job: Job) -> list[str]:
        """Write the client's input into the job's folder and return the command line."""

    def records(self, job: Job) -> tuple[list[Record], list[str]]:
        """Return what it reported, and what it says went wrong.

        Raises:
            OSError, ValueError, KeyError, TypeError: its export is missing or not as expected.
        """
