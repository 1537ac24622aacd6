"""One client, one concurrency, once: a fresh server, the client under the meter, their difference."""

from __future__ import annotations

import os
import tempfile
import time
import urllib.error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fidelity.contestants import Contestant, Job
from benchmarks.fidelity.errors import Errors, errors, in_flight, quantile
from benchmarks.fidelity.matching import match
from benchmarks.fidelity.process import Usage, run_metered
from benchmarks.fidelity.server import Served, fetch_log, reference_server
from benchmarks.fidelity.workload import Workload

SPARE_S = 90.0
SLOWER = 3.0
"""A client may take this many times as long as planned, and ``SPARE_S``, before it is killed."""


@dataclass(frozen=True)
class Placement:
    """CPUs of server and client; ``None``: wherever the kernel puts them."""

    server: frozenset[int] | None = None
    client: frozenset[int] | None = None


@dataclass
class Run:
    """What one run brought."""

    contestant: str
    workload: Workload
    command: list[str] = field(default_factory=list)
    problem: str | None = None
    """Why it brought nothing."""
    notes: list[str] = field(default_factory=list)
    """What went wrong with single requests."""
    usage: Usage | None = None
    errors: Errors = field(default_factory=Errors)
    matched: int = 0
    matched_by: str | None = None
    startup_s: float | None = None
    """From the client's start to the first request at the server."""
    in_flight: float | None = None
    """Mean number of requests with the server at once."""
    late_p99_ms: float | None = None
    """How much later than due the server sent its frames with text."""


def planned_s(contestant: Contestant, workload: Workload) -> float:
    """Return about how long a run takes."""
    busy_s = workload.requests * contestant.request_cpu_s / (os.cpu_count() or 1)
    return contestant.overhead_s + max(workload.ideal_s, busy_s)


def run_once(contestant: Contestant, workload: Workload, tokenizer: Path, place: Placement) -> Run:
    """Run a client once; a failure is a result with its reason."""
    run = Run(contestant.name, workload)
    with tempfile.TemporaryDirectory(prefix="fidelity-") as name:
        try:
            with reference_server(workload, place.server) as url:
                job = Job(url, workload, Path(name), tokenizer, time.time_ns() - time.perf_counter_ns())
                _measure(run, contestant, job, place)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, urllib.error.URLError) as error:
            run.problem = run.problem or f"{type(error).__name__}: {error}"
    return run


def _measure(run: Run, contestant: Contestant, job: Job, place: Placement) -> None:
    command = contestant.command(job)
    run.command = _shown(command, {job.url: "URL", str(job.folder): "RUN", str(job.tokenizer): "TOKENIZER"})
    limit_s = SPARE_S + SLOWER * planned_s(contestant, run.workload)
    environment = {"HF_HOME": str(job.tokenizer.parent / "hf"), **contestant.environment}
    run.usage = run_metered(command, job.folder, limit_s, environment, place.client)
    if run.usage.timed_out:
        run.problem = f"killed after {limit_s:.0f} s"
        return
    if run.usage.code:
        run.problem = f"exit code {run.usage.code}: {_last_line(run.usage.output)}"
        return
    served = fetch_log(job.url)
    records, run.notes = contestant.records(job)
    pairs, run.matched_by = match(records, served)
    run.errors, run.matched = errors(pairs), len(pairs)
    if not pairs:
        first = f": {run.notes[0][:200]}" if run.notes else ""
        run.problem = f"{len(records)} requests reported, {len(served)} served, none is in both{first}"
        return
    _look_at_server(run, served, run.usage.began_ns)


def _look_at_server(run: Run, served: Sequence[Served], began_ns: int) -> None:
    run.startup_s = (served[0].begin_ns - began_ns) / 1e9
    run.in_flight = in_flight(served)
    run.late_p99_ms = quantile([late for s in served for late in s.late_ms], 0.99)


def _shown(command: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Return the command with names for what is another at every run."""
    shown = list(command)
    for value, name in names.items():
        shown = [word.replace(value, name) for word in shown]
    return shown


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it printed nothing"
