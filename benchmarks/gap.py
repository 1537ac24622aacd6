"""The gap between two jobs on one slot: what a slot does not measure in between, ms.

python -m benchmarks.gap [--jobs 100] [--tokens 20] [--itl-ms 1] [--load 2000]

Real Redis, real worker process, reference server. Three figures of one run, each over the same number of jobs:

- ``job``: from the last byte of a job's last call to the first byte of the next job's first call, less the next
  job's ingest, which is a measured stage (and the same with a larger answer, if asked for);
- ``nothing``: the same of jobs whose measurement is empty: lease, store and receipt alone;
- ``celery``: from the end of a bare Celery task to the beginning of the next, same settings, one chord.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

SLOT, POOL = "gap", "gap"
NOTHING = "benchmarks.gap.nothing"
READY_S = 60.0
SWEEP_S = 600.0
TTFT_MS = 5
WARM_JOBS = 3
"""Left out at the beginning: imports and connections are made then."""


def main() -> None:
    """Measure and print the gaps."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gap", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=20)
    parser.add_argument("--itl-ms", type=float, default=1.0)
    parser.add_argument("--what", nargs="+", choices=("job", "nothing", "celery"), default=None)
    options = parser.parse_args()
    wanted = options.what or ["celery", "nothing", "job"]
    with tempfile.TemporaryDirectory() as name, _redis(Path(name)) as broker:
        folder = Path(name)
        environment = {**os.environ, "CHIMERA_BROKER": broker, "CHIMERA_HOME": str(folder / "home")}
        with _server(options.tokens, options.itl_ms) as server:
            for what in wanted:
                gaps = _MEASURED[what](folder, environment, server, options.jobs)
                print(_line(what, gaps[WARM_JOBS:]), flush=True)


def _line(what: str, gaps_ms: Sequence[float]) -> str:
    cuts = statistics.quantiles(gaps_ms, n=100, method="inclusive")
    busy = 1e3 / (1e3 + statistics.median(gaps_ms))
    return (
        f"{what:8} {len(gaps_ms):4} gaps: median {statistics.median(gaps_ms):6.2f} ms, "
        f"p90 {cuts[89]:6.2f}, p99 {cuts[98]:6.2f}, max {max(gaps_ms):6.2f}; with 1 s jobs busy {busy:.2%}"
    )


def _sweep(folder: Path, environment: dict[str, str], server: str, jobs: int, empty: bool) -> list[float]:
    """Run one configuration ``jobs`` times; return the gaps, ms."""
    name = "nothing" if empty else "job"
    (folder / "data.csv").write_text("a,b\n1,2\n")
    tree = {
        **{"name": name, "workload": {"paths": ["data.csv"], "structured": "off"}, "server": "ollama"},
        **{"model": "ref", "runs": jobs, "warmup": 0, "deadline": 60, "pool": POOL},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(tree))
    results = folder / f"results-{name}"
    with _worker(folder, environment, server, empty), _aggregator(folder, environment):
        command = [
            sys.executable,
            "-m",
            "producer",
            "run",
            str(path),
            "--results",
            str(results),
            "--no-calibrate",
        ]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=SWEEP_S)
    (stages,) = results.glob("*/*/stages.jsonl")
    return _gaps([json.loads(line) for line in stages.read_text().splitlines()], with_calls=not empty)


def _gaps(lines: list[dict[str, Any]], *, with_calls: bool) -> list[float]:
    """Return the time between successive runs in which nothing of either was measured, ms."""
    if with_calls and any(line["outcome"] != "ok" for line in lines):
        sys.exit("a call failed: the gaps mean nothing")
    by_job: dict[str, dict[str, dict[str, Any]]] = {}
    for line in lines:
        by_job.setdefault(line["job_id"], {})[line["stage"]] = line
    runs = sorted(by_job.values(), key=lambda stages: stages["ingest"]["started_ns"])
    gaps = []
    for before, after in itertools.pairwise(runs):
        if with_calls:
            ingest_ns = after["ingest"]["ended_ns"] - after["ingest"]["started_ns"]
            gap_ns = after["analysis"]["timing"]["sent_ns"] - before["report"]["timing"]["end_ns"] - ingest_ns
        else:
            gap_ns = after["ingest"]["started_ns"] - before["report"]["ended_ns"]
        gaps.append(gap_ns / 1e6)
    return gaps


def _bare(folder: Path, environment: dict[str, str], server: str, jobs: int) -> list[float]:
    """Return the gaps between bare Celery tasks of one chord, ms."""
    os.environ["CHIMERA_BROKER"] = environment["CHIMERA_BROKER"]
    from celery import chord

    from contracts.celery_app import make_app
    from contracts.queues import pool_queue

    app = make_app(environment["CHIMERA_BROKER"], max_deadline_s=60)
    queue = pool_queue(POOL)
    nothing, after = app.signature(NOTHING, queue=queue), app.signature(f"{NOTHING}.after", queue=queue)
    with _worker(folder, environment, server, empty=True):
        found: list[list[int]] = chord([nothing.clone() for _ in range(jobs)])(after).get(timeout=SWEEP_S)
    found.sort()
    return [(after[0] - before[1]) / 1e6 for before, after in itertools.pairwise(found)]


_MEASURED: dict[str, Callable[[Path, dict[str, str], str, int], list[float]]] = {
    "celery": _bare,
    "nothing": partial(_sweep, empty=True),
    "job": partial(_sweep, empty=False),
}


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    from producer.embedded_redis import EmbeddedRedis

    (folder / "logs").mkdir()
    embedded = EmbeddedRedis(folder)
    try:
        yield embedded.url
    finally:
        embedded.child.stop_now()


@contextmanager
def _server(tokens: int, itl_ms: float) -> Iterator[str]:
    schedule = ["--ttft-ms", str(TTFT_MS), "--itl-ms", str(itl_ms), "--tokens", str(tokens)]
    command = [sys.executable, "-m", "benchmarks.reference_server", *schedule]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _worker(folder: Path, environment: dict[str, str], server: str, empty: bool) -> Iterator[None]:
    module = "benchmarks.gap_worker" if empty else "worker"
    arguments = ["-m", module, "--slot", SLOT, "--pool", POOL, "--server", server, "--max-deadline", "60"]
    with _celery(folder, environment, arguments, lambda store: store.slot(SLOT) is not None):
        yield


@contextmanager
def _aggregator(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    with _celery(folder, environment, ["-m", "worker", "--aggregator"], lambda store: store.has_aggregator()):
        yield


@contextmanager
def _celery(
    folder: Path, environment: dict[str, str], arguments: list[str], is_ready: Callable[[Any], bool]
) -> Iterator[None]:
    from contracts.redis_client import connect
    from contracts.store import Store

    store = Store(connect(environment["CHIMERA_BROKER"]))
    with (folder / "worker.log").open("a") as log:
        process = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=log, stderr=log)
    try:
        until = time.monotonic() + READY_S
        while not is_ready(store):
            if process.poll() is not None or time.monotonic() > until:
                sys.exit(f"the worker did not come up: {(folder / 'worker.log').read_text()[-2000:]}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
