"""Cures of Celery's and kombu's weaknesses, each by itself: with the reconciler at work nobody would see that one fails."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

from celery import states
from celery.app.task import Context

from benchmarks.chaos.parts import Parts
from contracts.celery_app import make_app
from contracts.queues import AGGREGATE, AGGREGATE_QUEUE
from tests.support.chaos import cheap_sweep
from tests.support.cluster import wait_for

RUNS = 4
QUICK_S = 40.0
"""Start of a worker, lease, and several looks for such messages; the defaults look every 100 s."""


def test_a_chord_part_that_is_counted_while_redis_is_away_fires_the_callback(parts: Parts) -> None:
    app = make_app(parts.redis.url, max_deadline_s=60)
    body = app.signature(AGGREGATE, args=("aggregate", "x", "c"), queue=AGGREGATE_QUEUE)
    app.backend.set_chord_size("group", 1)
    request = Context(id="task", group="group", group_index=0, chord=body)
    counted: list[Any] = []

    def count() -> None:
        app.backend.on_chord_part_return(request, states.SUCCESS, {"job_id": "j"})
        counted.append(request.id)

    parts.redis.kill()
    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    parts.redis.start()
    thread.join(timeout=QUICK_S)
    assert not thread.is_alive() and len(counted) == 1
    assert parts.store.client.llen(AGGREGATE_QUEUE) == 1


def fed(parts: Parts) -> bool:
    return any(parts.store.feeding(x).units == RUNS for x in parts.executions)


def test_a_killed_workers_message_comes_back_without_anybodys_care(parts: Parts, tmp_path: Path) -> None:
    """No producer and no aggregator live: nothing but the other workers' looking for such messages sends it again."""
    parts.start("s0", "s1", ttft_ms=50, itl_ms=10, tokens=60)
    run = parts.run(cheap_sweep(tmp_path, configurations=1, runs=RUNS))
    wait_for(lambda: fed(parts) and parts.servers["s0"].calls(), what="all is published, s0 measures")
    for process in (run, *parts.aggregators, parts.workers["s0"]):
        os.kill(process.pid, signal.SIGKILL)
    (execution,) = parts.executions
    wait_for(lambda: parts.store.progress(execution).done == RUNS - 1, what="s1 has done the others")
    client = parts.store.client
    client.zadd(
        "unacked_index", {str(tag): 0.0 for tag in client.zrange("unacked_index", 0, -1)}
    )  # the timeout passes
    wait_for(
        lambda: parts.store.progress(execution).done == RUNS, seconds=QUICK_S, what="all jobs are measured"
    )
    assert len(parts.deliveries) == RUNS + 1
