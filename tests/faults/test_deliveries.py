"""Messages that come twice: forced, and by a visibility timeout that is shorter than a job."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.chaos.parts import Parts
from benchmarks.chaos.trapped import VISIBILITY
from contracts.redis_client import connect
from tests.support.chaos import cheap_sweep, ended
from tests.support.cluster import wait_for


def queues(parts: Parts) -> list[str]:
    """The queues that hold jobs."""
    client = connect(parts.redis.url)
    found = [str(key) for key in client.scan_iter("chimera.*")]
    return [key for key in found if "aggregate" not in key and client.type(key) == "list"]


def double(parts: Parts) -> int:
    """Queue a copy of every message that is queued or handed out; return how many."""
    client = connect(parts.redis.url)
    waiting = [(queue, str(text)) for queue in queues(parts) for text in client.lrange(queue, 0, -1)]
    handed_out = [json.loads(str(text)) for text in client.hvals("unacked")]
    copies = waiting + [
        (routing_key, json.dumps(message))
        for message, _, routing_key in handed_out
        if "aggregate" not in routing_key
    ]
    for queue, text in copies:
        client.lpush(queue, text)
    return len(copies)


def test_every_message_comes_several_times(parts: Parts, tmp_path: Path) -> None:
    parts.start("s0", "s1", ttft_ms=20, itl_ms=10, tokens=20)
    run = parts.run(cheap_sweep(tmp_path, runs=8))
    wait_for(lambda: parts.deliveries, what="the first job is delivered")
    copies = double(parts) + double(parts)
    assert copies >= 6
    found = ended(parts, run)
    assert (found.planned, found.complete) == (16, 16)
    wait_for(lambda: not queues(parts), what="all copies are delivered")
    wait_for(lambda: len(parts.deliveries) >= 16 + copies, what="each copy was a delivery")
    assert sum(len(server.calls()) for server in parts.servers.values()) == 16 * 2


def test_a_job_that_outlasts_the_visibility_timeout_is_measured_once(parts: Parts, tmp_path: Path) -> None:
    environments = {slot: {VISIBILITY: "1"} for slot in ("s0", "s1")}
    parts.start(*environments, environments=environments, ttft_ms=100, itl_ms=200, tokens=30)
    run = parts.run(cheap_sweep(tmp_path, configurations=1, runs=1, deadline=60))
    wait_for(lambda: len(parts.deliveries) > 1, what="the job is handed out again while it runs")
    found = ended(parts, run)
    assert (found.planned, found.complete) == (1, 1)
    assert sum(len(server.calls()) for server in parts.servers.values()) == 2
