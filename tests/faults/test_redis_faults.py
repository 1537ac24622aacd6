"""Redis is killed, frozen, and short of memory: everybody waits, and goes on."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chaos.parts import Parts
from producer.processes import Child
from tests.support.chaos import cheap_sweep, ended, for_a_while
from tests.support.cluster import wait_for

JOB: dict[str, Any] = {"ttft_ms": 20, "itl_ms": 10, "tokens": 20}
"""Two calls of 210 ms: whatever is done to Redis, it is in the middle of a job."""


def started(parts: Parts, tmp_path: Path, **sweep: int) -> Child:
    """Start two slots and a sweep; return it when it is well under way."""
    parts.start("s0", "s1", **JOB)
    run = parts.run(cheap_sweep(tmp_path, **sweep))
    wait_for(lambda: parts.executions and done(parts) >= 2, what="the first jobs are done")
    return run


def done(parts: Parts) -> int:
    (execution,) = parts.executions
    return parts.store.progress(execution).done


def is_done(parts: Parts, least: int) -> bool:
    return done(parts) >= least


@pytest.mark.parametrize("outages_s", [(1, 3, 1), (25,)], ids=["1-3-1", "25"])
def test_a_killed_redis_is_waited_for(parts: Parts, tmp_path: Path, outages_s: tuple[int, ...]) -> None:
    """The last time, the chord's last part, its callback and the finaliser are on their way."""
    run = started(parts, tmp_path, configurations=1, runs=12)
    for least, outage_s in zip((8, 10, 12)[-len(outages_s) :], outages_s, strict=True):
        wait_for(partial(is_done, parts, least), what=f"{least} jobs are done")
        parts.redis.restart(after_s=outage_s)
    found = ended(parts, run)
    assert (found.planned, found.complete) == (12, 12)
    if max(outages_s) > 10:  # shorter ones are over before a client gives up its tries
        text = run.log.read_text()
        assert "Redis is away; waiting for it" in text and "Redis is back" in text


def test_a_frozen_redis_is_waited_for(parts: Parts, tmp_path: Path) -> None:
    run = started(parts, tmp_path, runs=8)
    parts.redis.freeze()
    time.sleep(30)  # what is tested is the time itself: every lease and sign of life ends meanwhile
    parts.redis.thaw()
    found = ended(parts, run)
    assert (found.planned, found.complete) == (16, 16)


def test_a_redis_without_memory_is_waited_for(parts: Parts, tmp_path: Path) -> None:
    run = started(parts, tmp_path, runs=8)
    parts.redis.refuse_writes()
    wait_for(
        lambda: "memory" in run.log.read_text(), seconds=30, what="it is said that Redis has no memory left"
    )
    before = done(parts)
    assert for_a_while(lambda: run.alive and done(parts) == before, seconds=3)
    parts.redis.limit_memory(0)
    found = ended(parts, run)
    assert (found.planned, found.complete) == (16, 16)
