"""The disk takes no more when the results are written: it is said, and nothing is lost."""

from __future__ import annotations

import resource
from pathlib import Path

from benchmarks.chaos.parts import Parts
from tests.support.chaos import cheap_sweep, ended
from tests.support.cluster import wait_for

LIMIT = 20_000
"""Bytes that a file may have: more than what is printed, less than the stages. No file system is needed for it, and
writing fails as on a full one (EFBIG for ENOSPC)."""


def test_results_that_can_not_be_written_stay_in_the_store(parts: Parts, tmp_path: Path) -> None:
    parts.start("s0", ttft_ms=10, itl_ms=5, tokens=20)
    server = parts.servers["s0"]
    sweep = cheap_sweep(tmp_path, runs=6)
    full = parts.run(sweep)
    wait_for(server.calls, what="the first job measures")
    resource.prlimit(full.pid, resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
    wait_for(lambda: not full.alive, what="chimera run ends")
    assert full.returncode == 1, full.log.read_text()
    assert "can't write the results" in full.last_words() and "run the sweep again" in full.last_words()
    assert not list(parts.results.rglob("stages.jsonl"))
    (execution,) = parts.executions
    assert parts.store.progress(execution).done == 12

    found = ended(parts, parts.run(sweep))
    assert (found.planned, found.complete, len(parts.attempts)) == (12, 12, 12)
    assert len(server.calls()) == 12 * 2
