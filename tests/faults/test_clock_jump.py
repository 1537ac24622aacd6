"""The wall clock of a worker's machine jumps by hours: leases, durations and deadlines do not care."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from analysis.stages_io import read_stages
from benchmarks.chaos.clock import Clock, compiler
from benchmarks.chaos.parts import Parts
from tests.support.chaos import cheap_sweep, ended, results_of
from tests.support.cluster import wait_for

HOUR_S = 3600


@pytest.mark.skipif(compiler() is None, reason="a jumping clock needs a C compiler")
def has_more_calls(parts: Parts, least: int) -> bool:
    return len(parts.servers["s0"].calls()) > least


def test_a_jump_of_the_wall_clock_changes_no_duration(parts: Parts, tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    environments = {"s0": clock.environment}
    parts.start("s0", "s1", environments=environments, ttft_ms=50, itl_ms=20, tokens=20)
    run = parts.run(cheap_sweep(tmp_path, runs=10))
    wait_for(parts.servers["s0"].calls, what="the first job measures")
    for n, seconds in enumerate((HOUR_S, -HOUR_S, 0), 2):
        clock.jump(seconds)
        wait_for(partial(has_more_calls, parts, n * 2), what="a job measures after the jump")
    found = ended(parts, run)
    assert (found.planned, found.complete) == (20, 20)
    rows = [row for row in read_stages(results_of(parts)) if row.slot == "s0"]
    starts = [row.started_at for row in rows if row.started_at is not None]
    assert (max(starts) - min(starts)).total_seconds() > HOUR_S / 2, "the clock did not jump"
    for row in rows:
        assert row.started_ns is not None and row.ended_ns is not None
        assert 0 <= row.ended_ns - row.started_ns < 60e9
        for duration in (row.exec_s, row.wall_s):
            assert duration is None or 0 <= duration < 60
