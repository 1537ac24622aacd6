"""The clients of this project."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata

from benchmarks.fidelity.contestants.base import Job
from benchmarks.fidelity.record import Record, read_marks

RESULT = "marks.json"


@dataclass(frozen=True)
class Own:
    """A program in ``benchmarks.fidelity.clients``; one process."""

    name: str
    module: str
    distribution: str | None = None
    """Whose version is told."""
    flags: tuple[str, ...] = ()
    peer: bool = False
    overhead_s: float = 2.0
    request_cpu_s: float = 0.02
    environment: Mapping[str, str] = field(default_factory=dict)

    def version(self) -> str:
        if self.distribution is None:
            return f"Python {platform.python_version()}"
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return "not installed: from the source tree"

    def command(self, job: Job) -> list[str]:
        work = job.workload
        return [
            *(sys.executable, "-m", f"benchmarks.fidelity.clients.{self.module}"),
            *("--url", job.url),
            *("--concurrency", str(work.concurrency)),
            *("--requests", str(work.requests)),
            *("--tokens", str(work.tokens)),
            *("--out", str(job.folder / RESULT)),
            *self.flags,
        ]

    def records(self, job: Job) -> tuple[list[Record], list[str]]:
        marks, notes = read_marks(job.folder / RESULT)
        return [m.record() for m in marks], notes


CHIMERA = Own("chimera", "chimera", "chimera-bench")
CHIMERA_TELEMETRY = Own("chimera+telemetry", "chimera", "chimera-bench", flags=("--telemetry",))
HTTPX_PLAIN = Own("httpx-plain", "httpx_plain", "httpx")
MINIMAL = Own("minimal", "minimal")
