"""Sweeps of next to nothing for tests of faults, and what their end must show."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.chaos.audit import Audit, audit
from benchmarks.chaos.parts import POOL, Parts
from producer.processes import Child
from tests.support.cluster import wait_for
from tests.support.sweeps import write_sweep

PATIENCE_S = 150.0
"""A lost job costs at most: lease 10 s, two looks of the reconciler 10 s, start of a worker; twice, on a busy machine."""


def cheap_sweep(folder: Path, *, configurations: int = 2, runs: int = 5, **changes: Any) -> Path:
    """Write a sweep of ``configurations`` × ``runs`` jobs of two calls each over one file."""
    (folder / "data.csv").write_text("a,b\n1,2\n")
    workload = {"kind": "agent", "paths": ["data.csv"], "structured": "off"}
    axes = {"temperature": [round(0.1 * n, 1) for n in range(1, configurations + 1)]}
    return write_sweep(
        folder, **{"workload": workload, "axes": axes, "runs": runs, "deadline": 5, "pool": POOL, **changes}
    )


def results_of(parts: Parts) -> Path:
    """Return the one results folder."""
    (folder,) = parts.results.glob("*/*")
    return folder


def ended(parts: Parts, run: Child, *, seconds: float = PATIENCE_S, servers: bool = True) -> Audit:
    """Wait until the sweep has ended well, check that nothing is lost or doubled, and return what is left to check.

    ``servers``: their logs are checked too; not where one was frozen, and noted late what happened meanwhile.
    """
    wait_for(lambda: not run.alive, seconds=seconds, what=f"the sweep completes: {run.last_words()}")
    assert run.returncode == 0, run.log.read_text()
    (execution,) = parts.executions
    calls = {slot: server.calls() for slot, server in parts.servers.items()} if servers else None
    found = audit(parts.store, execution, results_of(parts), calls)
    assert not found.complaints, "\n".join(found.complaints)
    return found


def for_a_while(holds: Callable[[], bool], *, seconds: float) -> bool:
    """Return whether something holds at every look over a time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not holds():
            return False
        time.sleep(0.05)
    return True
