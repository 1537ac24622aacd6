"""Model servers that are killed, hang, fail, or have no memory, in mid-sweep: data with a reason, and never a hang."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.stages_io import read_stages
from benchmarks.chaos.model_server import ModelServer
from benchmarks.chaos.parts import Parts
from tests.support.chaos import cheap_sweep, ended, results_of
from tests.support.cluster import wait_for

JOB: dict[str, Any] = {"ttft_ms": 50, "itl_ms": 10, "tokens": 20}
DEADLINE_S = 3


def kill(server: ModelServer) -> None:
    server.stop()


def hang(server: ModelServer) -> None:
    server.freeze()


def fail(server: ModelServer) -> None:
    server.start("http-500")


def lack_memory(server: ModelServer) -> None:
    server.start("out-of-memory")


ILLS = {"killed": kill, "hung": hang, "failing": fail, "full": lack_memory}
EXPECTED = {
    "killed": {"connection", "server_error"},
    "hung": {"timeout", "connection"},
    "failing": {"server_error", "connection"},
    "full": {"server_error", "connection"},
}
"""Outcomes of calls by ill; ``connection``: they were under way when the server was started as another one."""


def test_servers_that_fail_each_in_its_way(parts: Parts, tmp_path: Path) -> None:
    """Four slots fail at once, and one is well: every job has its outcome, and every failure its reason."""
    slots = [*ILLS, "well"]
    parts.start(*slots, **JOB)
    run = parts.run(cheap_sweep(tmp_path, configurations=2, runs=30, deadline=DEADLINE_S))
    for slot in slots:
        wait_for(parts.servers[slot].calls, what=f"slot {slot} measures")
    for slot, ill in ILLS.items():
        ill(parts.servers[slot])
    found = ended(parts, run, servers=False)
    assert found.planned == 60
    (execution,) = parts.executions
    outcomes = [*parts.store.outcomes(execution, parts.store.jobs_done(execution))]
    outcomes += parts.store.other_outcomes(execution)
    for slot, expected in EXPECTED.items():
        failed = [
            stage
            for outcome in outcomes
            if outcome.slot == slot
            for stage in outcome.stages
            if not stage.outcome.valid
        ]
        assert failed and {stage.outcome.value for stage in failed} <= expected | {"lost"}
        assert all(stage.reason for stage in failed)
    assert any("out of memory" in str(s.reason) for o in outcomes if o.slot == "full" for s in o.stages)


@pytest.mark.parametrize("ill", ["killed", "hung"])
def test_a_server_that_comes_back_is_measured_again(parts: Parts, tmp_path: Path, ill: str) -> None:
    parts.start("s0", **JOB)
    server = parts.servers["s0"]
    run = parts.run(cheap_sweep(tmp_path, configurations=1, runs=30, deadline=DEADLINE_S))
    wait_for(server.calls, what="the first job measures")
    (execution,) = parts.executions
    ILLS[ill](server)
    wait_for(lambda: parts.store.progress(execution).failed, what="a job fails")
    if ill == "hung":
        server.thaw()
    else:
        server.start()
    found = ended(parts, run, servers=False)
    assert found.planned == 30
    rows = [row for row in read_stages(results_of(parts)) if row.stage == "report"]
    assert rows[-1].outcome == "ok"
