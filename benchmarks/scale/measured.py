"""The parts of the benchmark: plan, publish, a sweep with the window, and a plain chord."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from analysis.results_folder import SUMMARY_FILE
from benchmarks.scale.cluster import Cluster, cluster, connections, cpu_s, peak_mb, wait_for
from benchmarks.scale.figures import pace_of
from benchmarks.scale.names import AFTER, POOL
from benchmarks.scale.sweep import write_sweep
from contracts.queues import AGGREGATE, FINALISE, pool_queue

SLOTS = 2
LOOK_S = 0.2

Figures = dict[str, float | None]
Say = Callable[[str], None]


def planned(jobs: int, configurations: int) -> Figures:
    """Plan a sweep in a process of its own."""
    with cluster() as made:
        sweep = write_sweep(made.folder, jobs, configurations)
        return _rate("plan", _produce(made, "plan", str(sweep)))


def published(jobs: int, configurations: int) -> Figures:
    """Publish all jobs of a sweep at once, with no worker there."""
    with cluster() as made:
        sweep = write_sweep(made.folder, jobs, configurations)
        return _queued(made, jobs, lambda: _produce(made, "publish", str(sweep)))


def chord(jobs: int, limit_s: float) -> Figures:
    """Publish a plain chord, then have it carried out within ``limit_s``."""
    with cluster() as made:
        figures = _queued(made, jobs, lambda: _produce(made, "chord", str(jobs)))
        made.start_slots(SLOTS)
        assert made.aggregator is not None
        begin = time.monotonic()
        done = wait_for(lambda: any(one["name"] == AFTER for one in made.noted("task")), seconds=limit_s)
        figures |= _carried_out(made)
        figures["ended"] = float(done)
        figures["wall_s"] = time.monotonic() - begin
        if done:
            (after,) = (one for one in made.noted("task") if one["name"] == AFTER)
            figures["last_to_callback_s"] = (after["end"] - pace_of(made.noted("job")).last_ns) / 1e9
        return figures


def swept(jobs: int, configurations: int, limit_s: float) -> Figures:
    """Run a sweep to its report by ``chimera run``, on slots whose jobs take no time."""
    with cluster() as made:
        sweep = write_sweep(made.folder, jobs, configurations)
        made.start_slots(SLOTS)
        begin = time.monotonic()
        results = str(made.folder / "results")
        run = made.python("run", "-m", "producer", "run", str(sweep), "--results", results, "--no-calibrate")
        peaks: dict[str, float | None] = {}

        def ended() -> bool:
            now = peak_mb(run.pid)
            peaks["producer_peak_mb"] = now or peaks.get("producer_peak_mb")
            newest = made.store.running_executions()
            if newest and "connections_of_a_worker" not in peaks and made.noted("job"):
                peaks.update(_connections(made, run.pid))
            if newest:
                peaks["producer_following_mb"] = now
            return not run.alive

        if not wait_for(ended, seconds=limit_s):
            raise SystemExit(f"the sweep of {jobs} jobs did not end within {limit_s:g} s: {run.last_words()}")
        if run.returncode != 0:
            raise SystemExit(f"chimera run failed: {run.log.read_text()[-2000:]}")
        figures = {**_carried_out(made), **peaks, "wall_s": time.monotonic() - begin}
        return figures | _ending(made) | _stored(made, jobs)


def _ending(made: Cluster) -> Figures:
    last = pace_of(made.noted("job")).last_ns
    ends = {
        name: [one for one in made.noted("task") if one["name"] == name] for name in (AGGREGATE, FINALISE)
    }
    (summary,) = (one for one in made.noted("document") if one["name"] == SUMMARY_FILE)
    return {
        "last_to_callback_s": (max(one["end"] for one in ends[AGGREGATE]) - last) / 1e9,
        "last_to_summary_s": (summary["end"] - last) / 1e9,
        "last_to_report_s": (max(one["end"] for one in ends[FINALISE]) - last) / 1e9,
        "summary_of_one_s": max(one["end"] - one["begin"] for one in ends[AGGREGATE]) / 1e9,
        "finaliser_s": max(one["end"] - one["begin"] for one in ends[FINALISE]) / 1e9,
    }


def _stored(made: Cluster, jobs: int) -> Figures:
    keys = list(made.client.scan_iter("chimera:x:*:outcomes"))
    taken = sum(int(made.client.memory_usage(key, samples=0) or 0) for key in keys)
    stored = sum(made.client.hlen(key) for key in keys)
    if stored != jobs:
        raise SystemExit(f"{stored} outcomes are stored, {jobs} jobs were asked for")
    (stages,) = (made.folder / "results").glob("*/*/stages.jsonl")
    return {"stored_outcome_bytes": taken / jobs, "stages_bytes": stages.stat().st_size / jobs}


def _carried_out(made: Cluster) -> Figures:
    """Return what is told by the processes' notes and by Redis; they still run."""
    assert made.aggregator is not None
    pace = pace_of(made.noted("job"))
    sizes = [one["bytes"] for one in made.noted("callback")]
    slots_cpu_s = sum(cpu_s(child.pid) for child in made.slots.values()) - made.idle_cpu_s
    return {
        "worker_cpu_ms": slots_cpu_s * 1e3 / pace.jobs,
        "workload_ms": pace.workload_ms,
        "redis_cpu_ms": (made.redis_cpu_s() - made.idle_redis_cpu_s) * 1e3 / pace.jobs,
        "aggregator_cpu_s": cpu_s(made.aggregator.pid),
        "jobs_per_s": pace.jobs_per_s,
        "gap_p50_ms": pace.gap_p50_ms,
        "gap_p99_ms": pace.gap_p99_ms,
        "between_ms": pace.between_ms,
        "deliveries": float(pace.jobs),
        "callback_bytes": float(max(sizes)) if sizes else None,
        "aggregator_peak_mb": peak_mb(made.aggregator.pid, children=True),
        "worker_peak_mb": max(
            (mb for child in made.slots.values() if (mb := peak_mb(child.pid, children=True)) is not None),
            default=None,
        ),
        "redis_peak_mb": made.memory()[1],
    }


def _connections(made: Cluster, producer: int) -> Figures:
    assert made.aggregator is not None
    return {
        "connections_of_a_worker": float(max(connections(child.pid) for child in made.slots.values())),
        "connections_of_the_aggregator": float(connections(made.aggregator.pid)),
        "connections_of_the_producer": float(connections(producer)),
    }


def _queued(made: Cluster, jobs: int, publish: Callable[[], dict[str, Any]]) -> Figures:
    before = made.memory()[0]
    figures = _rate("publish", publish())
    waiting = sum(int(made.client.llen(key)) for key in made.client.scan_iter(pool_queue(POOL) + "*"))
    if waiting != jobs:
        raise SystemExit(f"{waiting} messages are queued, {jobs} jobs were published")
    return {**figures, "queued_message_bytes": (made.memory()[0] - before) * 1e6 / jobs}


def _rate(what: str, told: dict[str, Any]) -> Figures:
    return {
        f"{what}_per_s": told["jobs"] / told["seconds"],
        f"{what}_cpu_ms": told["cpu_s"] * 1e3 / told["jobs"],
        f"{what}_peak_mb": told["peak_mb"],
    }


def _produce(made: Cluster, what: str, argument: str) -> dict[str, Any]:
    """Run a producer process to its end; return what it says."""
    child = made.python(f"producer-{what}", "-m", "benchmarks.scale.producers", what, argument)
    child.wait(3600)
    if child.returncode != 0:
        raise SystemExit(f"{what} failed: {child.log.read_text()[-2000:]}")
    # Celery's results may complain after it, when the interpreter ends.
    (line,) = (line for line in child.log.read_text().splitlines() if line.startswith("{"))
    told: dict[str, Any] = json.loads(line)
    return told


def versions() -> dict[str, str]:
    """Return what the figures depend on beside the code."""
    with Path("/proc/cpuinfo").open() as lines:
        cpu = next(
            (line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown CPU"
        )
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return {
        "python": sys.version.split()[0],
        "celery": version("celery"),
        "kombu": version("kombu"),
        "cpu": cpu,
        "commit": commit.stdout.strip(),
    }
