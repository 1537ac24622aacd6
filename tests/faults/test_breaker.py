"""A model server that dies and comes back: its slot is taken out, asked, and put back; no job fails for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster import Cluster, calls_of, start_reference_server, wait_for
from tests.support.sweeps import write_sweep
from worker.breaking import PAUSE_SCALE

QUICK = {"ttft_ms": 5, "itl_ms": 1, "tokens": 50}


def test_the_only_slot_is_taken_out_and_comes_back(
    cluster: Cluster, tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PAUSE_SCALE, "0.05")
    server, url = start_reference_server(tmp_path, "first", ttft_ms=200, itl_ms=20, tokens=50)
    try:
        cluster.aggregator()
        cluster.slot("s0", url)
        run = cluster.start_run(write_sweep(tmp_path, runs=8, axes={"temperature": [0.5]}, deadline=20))
        wait_for(lambda: calls_of(url), what="the first job measures")
        (execution,) = cluster.store.running_executions()
    finally:
        server.stop_now()
    wait_for(lambda: cluster.store.breaker("s0"), what="the slot is taken out")
    port = int(url.rpartition(":")[2])
    again, _ = start_reference_server(tmp_path, "again", port=port, **QUICK)
    try:
        wait_for(lambda: not run.alive, seconds=120, what="the sweep ends")
    finally:
        again.stop_now()
    assert run.returncode == 0, run.log.read_text()
    outcomes = cluster.outcomes(execution)
    assert len(outcomes) == 8 and not any(outcome.failed for outcome in outcomes)
    assert cluster.store.breaker("s0") is None
    lines = [line for _, line in cluster.store.told(execution)[0]]
    assert [line for line in lines if "is taken out: 3 jobs in a row failed by its server" in line]
    assert lines.index("slot s0 is back: its server answers again") > 0
