"""Everything that a run showed, as JSON."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.fidelity.checks import Check
from benchmarks.fidelity.errors import spread
from benchmarks.fidelity.options import Options
from benchmarks.fidelity.process import ROOT
from benchmarks.fidelity.run import Run
from benchmarks.fidelity.summary import Row
from benchmarks.fidelity.table import ratio

FORMAT = 1


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    processor = None
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {
        "cpus": os.cpu_count(),
        "processor": processor,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
        "revision": _revision(),
    }


def _revision() -> str | None:
    """Return the commit that is measured, with ``-dirty`` behind it if files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def as_dict(
    options: Options,
    about: dict[str, Any],
    versions: dict[str, str],
    runs: Sequence[Run],
    rows: Sequence[Row],
    targets: Sequence[Check],
    reference: str,
) -> dict[str, Any]:
    """Return the JSON tree. Times are in the unit that the key names; absent is ``null``."""
    bases = {r.concurrency: r for r in rows if r.contestant == reference}
    return {
        "format": FORMAT,
        **about,
        "seed": options.seed,
        "pinned": options.pin,
        "versions": versions,
        "commands": {run.contestant: run.command for run in runs if run.command},
        "rows": [
            {
                **asdict(row),
                "server_was_late": row.server_was_late,
                "ttft_ratio": ratio(row, bases[row.concurrency].ttft_error_ms)
                if row.concurrency in bases
                else None,
                "cpu_ratio": _cpu_ratio(row, bases.get(row.concurrency)),
            }
            for row in rows
        ],
        "runs": [_run(run) for run in runs],
        "targets": [asdict(check) for check in targets],
    }


def _cpu_ratio(row: Row, base: Row | None) -> float | None:
    return row.cpu_s / base.cpu_s if row.cpu_s is not None and base is not None and base.cpu_s else None


def _without(tree: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if name != key}


def _run(run: Run) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "contestant": run.contestant,
        "workload": asdict(run.workload),
        "problem": run.problem,
        "notes": run.notes[:20],
        "matched": run.matched,
        "matched_by": run.matched_by,
        "startup_s": run.startup_s,
        "in_flight": run.in_flight,
        "server_late_p99_ms": run.late_p99_ms,
        "usage": None if run.usage is None else _without(asdict(run.usage), "output"),
    }
    kinds = {
        "ttft_ms": run.errors.ttft_ms,
        "itl_percent": run.errors.itl_percent,
        "gap_ms": run.errors.gap_ms,
    }
    for name, values in kinds.items():
        found = spread(values)
        figures[f"{name}_error"] = None if found is None else asdict(found)
    return figures
