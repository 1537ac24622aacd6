"""From the last outcome to the report: how long, and in how much memory.

python -m benchmarks.aggregation [--shapes 1000x100 100x1000] [--processes 1 2] [--pace 8 50 0]

Real Redis, the aggregator's own functions, no Celery: outcomes of configurations × runs jobs (each of warm-up, ingest and
four calls) are put into the store with what is made of them when they come. In a sweep in randomised blocks the callbacks
of all configurations come during the last block, as fast as its jobs end: ``--pace`` is how many a second, 0 is all at
once. Each aggregator is a process of its own that has done its imports, as one has that serves a queue.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from analysis.prepared import pack_rows, prepare, unpack_rows
from analysis.results_folder import SUMMARY_FILE
from analysis.rows import Row
from contracts.call import CallResult, CallTiming, Outcome, ServerCounters
from contracts.configuration import Configuration
from contracts.diagnosis import Diagnosis
from contracts.jobs import JobMaker
from contracts.manifest import Manifest
from contracts.outcome import (
    AgentResult,
    HostIdentity,
    IngestResult,
    JobOutcome,
    ServerIdentity,
    StageResult,
)
from contracts.redis_client import connect
from contracts.store import Store
from contracts.store.jobs import pack
from contracts.store.keys import execution_key
from contracts.sweep import SweepSpec
from contracts.telemetry import GpuTelemetry, StageTelemetry
from producer.embedded_redis import EmbeddedRedis
from producer.plan import configurations
from worker.aggregation import aggregate_configuration, finalise

STAGES = ("warmup", "ingest", "analysis", "report", "summary", "review")
SLOTS = 8
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
FRAMES = 8
"""Pieces of text of each answer."""
DISTINCT = 256
"""Runs that are made in full; the jobs are these under other names."""
MB = 10**6


@dataclass(frozen=True)
class Figures:
    """Of one shape with one number of processes."""

    callbacks_s: float
    """From the last outcome to the end of the last callback; as are the next two, to what they are named after."""
    summary_s: float
    report_s: float
    peak_bytes: int
    """Of the largest aggregator."""
    documents: dict[str, int]
    """File name → bytes."""


def main() -> None:
    """Print a line for each shape and number of processes."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.aggregation", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--shapes", nargs="+", default=["1000x100", "100x1000"], metavar="CONFIGURATIONSxRUNS"
    )
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--pace", nargs="+", type=float, default=[0.0], metavar="JOBS_PER_S")
    options = parser.parse_args()
    header = (
        "shape",
        "processes",
        "jobs/s",
        "last outcome → last callback is done, s",
        "→ summary, s",
        "→ report, s",
        "peak, MB",
        "summary.json, MB",
        "report.md",
        "report.html",
    )
    print("| " + " | ".join(header) + " |\n|" + " ---: |" * len(header))
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "logs").mkdir()
        server = EmbeddedRedis(home)
        try:
            for shape in options.shapes:
                points, runs = map(int, shape.split("x"))
                for processes, pace in itertools.product(options.processes, options.pace):
                    found = measure(server.url, points, runs, processes, pace)
                    sizes = [
                        f"{found.documents[file] / MB:.1f}"
                        for file in ("summary.json", "report.md", "report.html")
                    ]
                    cells = (
                        shape,
                        str(processes),
                        f"{pace:g}" if pace else "all at once",
                        f"{found.callbacks_s:.1f}",
                        f"{found.summary_s:.1f}",
                        f"{found.report_s:.1f}",
                        f"{found.peak_bytes / MB:.0f}",
                    )
                    print("| " + " | ".join((*cells, *sizes)) + " |", flush=True)
        finally:
            server.child.stop_now()


def measure(url: str, points: int, runs: int, processes: int, pace: float = 0.0) -> Figures:
    """Fill an empty store, start the aggregators, fire the callbacks, ``pace`` a second, and wait for the report."""
    client = connect(url)
    client.flushall()
    store = Store(client)
    plan = manifest(points, runs)
    store.begin(plan)
    fill(store, plan, runs)
    context = multiprocessing.get_context("spawn")
    pipes, children = [], []
    for number in range(processes):
        here, there = context.Pipe()
        share = [
            (c.id, place / pace if pace else 0.0) for place, c in enumerate(plan.configurations, start=1)
        ][number::processes]
        child = context.Process(target=_aggregate, args=(url, plan.execution, share, there))
        child.start()
        pipes.append(here)
        children.append(child)
    try:
        for pipe in pipes:
            _told(pipe)  # its imports are done
        began = time.perf_counter()
        for pipe in pipes:
            pipe.send(began)
        ends = [_told(pipe) for pipe in pipes]
        last = began + (points / pace if pace else 0.0)
        return Figures(
            callbacks_s=max(end["callbacks"] for end in ends) - last,
            summary_s=max(end["summary"] for end in ends) - last,
            report_s=max(end["finished"] for end in ends) - last,
            peak_bytes=max(end["peak"] for end in ends),
            documents={name: sum(map(len, parts)) for name, parts in store.documents(plan.execution)},
        )
    finally:
        for child in children:
            child.join(timeout=30)
            if child.is_alive():
                child.kill()


def manifest(points: int, runs: int) -> Manifest:
    """Return the manifest of a sweep of so many configurations, over three axes that reload nothing."""
    spec = SweepSpec.model_validate(
        {
            "name": "scale",
            "workload": {"paths": ["corpus"]},
            "server": "ollama",
            "model": "m:1",
            "axes": axes(points),
            "runs": runs,
            "order": {"kind": "blocks", "seed": 1},
        }
    )
    return Manifest(
        sweep="scale",
        execution=f"{START:%Y%m%dT%H%M%S}.000Z-00000000",
        sweep_id="0" * 16,
        corpus_digest="0" * 16,
        created_at=START,
        spec=spec,
        configurations=configurations(spec),
        order_seed=1,
        versions={"python": ".".join(map(str, sys.version_info[:3]))},
    )


def axes(points: int) -> dict[str, list[float]]:
    """Return axes whose product has ``points`` points: a power of ten."""
    exponent = len(str(points)) - 1
    if points != 10**exponent:
        raise SystemExit(f"{points} configurations: must be a power of ten")
    names = ("temperature", "top_p", "repeat_penalty", "top_k")[: max(exponent, 1)]
    values = {name: [round(0.1 + 0.1 * i, 1) for i in range(10)] for name in names[:3]}
    if len(names) > 3:
        values["top_k"] = list(range(10, 110, 10))
    return values if exponent else {"temperature": [0.1]}


def fill(store: Store, plan: Manifest, runs: int) -> None:
    """Put the outcomes and their prepared rows into the store, as the script does that workers use."""
    rng = random.Random(1)
    some = [
        outcome(plan.configurations[0], number, number, rng)
        for number in range(min(DISTINCT, len(plan.configurations) * runs))
    ]
    rows = [unpack_rows(prepare(one)) or [] for one in some]
    packed = [pack(one) for one in some]
    maker = JobMaker.of(plan, "")
    head = Row._fields.index
    for place, c in enumerate(plan.configurations):
        pipe = store.client.pipeline(transaction=False)
        for run, job_id in enumerate(maker.job_ids(c, runs), start=1):
            chosen = rng.randrange(len(some))
            made = []
            for row in rows[chosen]:
                fields = list(row)
                fields[head("config")], fields[head("config_id")] = c.name, c.id
                fields[head("parameters")] = c.parameters.given()
                fields[head("run")] = fields[head("block")] = run
                fields[head("slot")] = f"s{(run + place) % SLOTS}"
                fields[head("started_us")] += 10**6 * (run * len(plan.configurations) + place)
                made.append(Row._make(fields))
            pipe.hset(execution_key(plan.execution, "outcomes"), job_id, packed[chosen])
            pipe.hset(execution_key(plan.execution, "prepared"), job_id, pack_rows(made))
        pipe.execute()


def outcome(c: Configuration, run: int, index: int, rng: random.Random) -> JobOutcome:
    """Return the outcome of one job: warm-up, ingest and four short calls, one second in all."""
    at, t0 = START + timedelta(seconds=index), index * 10**9
    sampled = StageTelemetry(
        **{
            "samples": 6,
            "period_s": 0.1,
            "max_gap_s": 0.11,
            "cpu_busy_percent": 20.0,
            "cpu_steal_percent": 0.0,
        },
        gpus=(
            GpuTelemetry(
                **{"index": 0, "uuid": "GPU-0", "energy_j": 30 + rng.random(), "energy_source": "counter"},
                **{"mean_power_w": 300.0, "peak_memory_bytes": 5 * 2**30, "peak_temperature_c": 66},
                **{"throttle_reasons": (), "throttled": False},
            ),
        ),
    )
    stages = [
        StageResult(
            stage=stage,
            phase="warmup" if stage == "warmup" else "measured",
            outcome=Outcome.OK,
            started_at=at + timedelta(milliseconds=150 * place),
            started_ns=t0 + place * 150_000_000,
            ended_ns=t0 + (place + 1) * 150_000_000,
            call=None if stage == "ingest" else _call(at, t0 + place * 150_000_000, rng),
            telemetry=sampled,
        )
        for place, stage in enumerate(STAGES)
    ]
    slot = index % SLOTS
    return JobOutcome(
        job_id=f"{c.id}-{run}",
        execution="x",
        sweep="scale",
        configuration=c,
        run=run,
        block=run,
        slot=f"s{slot}",
        pool="default",
        attempt=1,
        started_at=at,
        ended_at=at + timedelta(seconds=1),
        started_ns=t0,
        ended_ns=t0 + 10**9,
        boot_id="boot",
        host=HostIdentity(
            **{"host": f"node-{slot}", "pid": 1, "os": "linux", "machine": "x86_64", "cpu": "Test CPU"},
            **{"cpu_count": 8, "python": "3.11.7", "chimera": "0.1.0", "gpus": ()},
        ),
        server=ServerIdentity(
            **{"kind": "ollama", "url": "http://127.0.0.1:11434", "software": "Ollama", "version": "0.12"},
            **{"model": c.model, "digest": "abc", "quantisation": "Q4_K_M", "context": 2048, "layers": 34},
        ),
        stages=tuple(stages),
        agent_result=AgentResult(
            ingest=IngestResult(files_total=3, counts={"csv": 3}, data_summary="Total files analyzed: 3"),
            findings=("A finding.",),
        ),
        wall_s=1.0,
    )


def _call(at: datetime, sent: int, rng: random.Random) -> CallResult:
    first = sent + 50_000_000 + rng.randrange(2_000_000)
    arrivals = tuple(first + place * 10**6 + rng.randrange(10**5) for place in range(FRAMES))
    return CallResult(
        outcome=Outcome.OK,
        finish_reason="stop",
        text="A short answer about 3 files.",
        text_hash=f"{rng.getrandbits(64):016x}",
        timing=CallTiming(
            **{"wall_anchor": at, "due_ns": sent, "sent_ns": sent, "connect_ns": 10**5, "clock": "kernel"},
            **{"headers_ns": first - 10**6, "text_ns": arrivals, "end_ns": arrivals[-1] + 10**5},
        ),
        counters=ServerCounters(
            **{"prompt_tokens": 300, "tokens": FRAMES, "eval_tokens": FRAMES, "prompt_eval_ns": 4 * 10**7},
            **{"eval_ns": FRAMES * 10**6 + rng.randrange(10**5), "load_ns": 2 * 10**7, "total_ns": 10**8},
        ),
        diagnosis=Diagnosis(loop_lag_max_ns=10**5, arrival_lag_max_ns=2 * 10**4, host_cpu_steal_percent=0.0),
    )


class _Publisher:
    """Stands for Celery: notes that the finaliser is wanted."""

    wanted = False

    def finalise(self) -> None:
        self.wanted = True

    def publish_block(self, block: int, units: list[Any]) -> None:
        raise AssertionError("the number of runs is fixed")

    def decide(self, block: int) -> None:
        raise AssertionError("the number of runs is fixed")


class _Noted(Store):
    """Notes when the summary is stored."""

    summary = 0.0

    def put_document(self, execution: str, name: str, parts: Iterable[str]) -> None:
        super().put_document(execution, name, parts)
        if name == SUMMARY_FILE:
            self.summary = time.perf_counter()


def _aggregate(url: str, execution: str, due: Sequence[tuple[str, float]], pipe: Connection) -> None:
    """One aggregator: its callbacks, each from its time on, and the finaliser where it is the one that sees none due."""
    store, publisher = _Noted(connect(url)), _Publisher()
    pipe.send("ready")
    began = pipe.recv()
    for configuration_id, after_s in due:
        time.sleep(max(0.0, began + after_s - time.perf_counter()))
        aggregate_configuration(store, execution, configuration_id, publisher)
    callbacks = time.perf_counter()
    if publisher.wanted:
        finalise(store, execution)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = {"callbacks": callbacks, "summary": store.summary, "finished": time.perf_counter(), "peak": peak}
    pipe.send(found)


def _told(pipe: Connection, within_s: float = 1200.0) -> Any:
    if not pipe.poll(within_s):
        raise SystemExit(f"an aggregator did not answer within {within_s:.0f} s")
    return pipe.recv()


if __name__ == "__main__":
    main()
