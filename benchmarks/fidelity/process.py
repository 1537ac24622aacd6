"""One run of a contestant under the meter, with a time limit that always holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The meter kills what hangs; a meter that hangs itself is killed from here.
GRACE_S = 15.0
STOP_S = 5.0


@dataclass(frozen=True)
class Usage:
    """What a command and its descendants used."""

    began_ns: int
    """``perf_counter_ns`` when it was started."""
    wall_s: float
    cpu_s: float
    """User and system time of all processes."""
    peak_mb: float
    """Highest sum of the processes' resident memory, 1 MB = 10⁶ bytes, sampled 5 times a second; a page
    that two processes share counts twice."""
    code: int
    timed_out: bool
    output: str
    """The end of its standard output and error."""


def run_metered(
    command: Sequence[str],
    folder: Path,
    limit_s: float,
    environment: Mapping[str, str],
    cpus: frozenset[int] | None = None,
) -> Usage:
    """Run ``command`` and return what it used; at the limit it and all its descendants are killed.

    Raises:
        RuntimeError: the meter itself failed.
    """
    out, log = folder / "usage.json", folder / "output.txt"
    places = ",".join(str(cpu) for cpu in sorted(cpus)) if cpus is not None else ""
    meter = [sys.executable, "-m", "benchmarks.fidelity.meter"]
    process = subprocess.Popen(
        [*meter, str(out), str(limit_s), places, str(log), "--", *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        process.wait(limit_s + GRACE_S)
    except BaseException as error:
        _stop(process)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
    output = log.read_text(errors="replace")[-4000:] if log.exists() else ""
    if not out.exists():
        raise RuntimeError(f"the meter ended with {process.returncode}: {output[-300:]}")
    return Usage(**json.loads(out.read_text()), output=output)


def _stop(meter: subprocess.Popen[bytes]) -> None:
    """End the meter, which kills all below it; failing that, its whole process group."""
    meter.terminate()
    try:
        meter.wait(STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(meter.pid, signal.SIGKILL)
        meter.wait()
