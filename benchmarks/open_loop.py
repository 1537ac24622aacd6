"""Open and closed loops against a server whose every answer is known beforehand: what Chimera says beside what theory says.

The reference server gives ``--parallel`` answers at a time, each of the same length, to requests in the order of their arrival:
a queue with ``c`` servers and constant service time (with Poisson arrivals M/D/c). Who knows the moments at which requests are
due knows when each answer begins and ends: a request begins at its due time, or when the first place becomes free. So each
request's latency from its scheduled time is checked, not only their distribution.

``python -m benchmarks.open_loop`` prints the tables; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.configuration import Configuration, Parameters
from contracts.formulas import NS_PER_MS
from contracts.job import JobSpec
from contracts.load import StepFigures, is_served, step_figures
from contracts.outcome import StageResult
from contracts.records import REQUEST_STAGE
from contracts.sweep import ServerSpec
from contracts.workloads import PromptsWorkload
from worker.measurement.loop import WatchedLoop
from worker.servers import open_server
from worker.workloads.prompts import run_prompts
from worker.workloads.prompts.stages import served

TTFT_MS, ITL_MS, TOKENS, PARALLEL = 40.0, 6.0, 11, 4
SERVICE_MS = TTFT_MS + (TOKENS - 1) * ITL_MS
CAPACITY = PARALLEL * 1e3 / SERVICE_MS
"""40 requests a second."""
SHARES = (0.3, 0.9, 1.5)
"""Of the capacity: well below, near, beyond."""
USERS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Simulated:
    """When a request's answer begins and ends, if all were exact. ns."""

    first_ns: int
    end_ns: int


def simulate(due_ns: Sequence[int], places: int, ttft_ns: int, service_ns: int) -> list[Simulated]:
    """Return what becomes of requests that arrive when they are due, at ``places`` servers with constant service time."""
    free = [0] * places
    made = []
    for due in due_ns:
        begin = max(due, heapq.heappop(free))
        heapq.heappush(free, begin + service_ns)
        made.append(Simulated(begin + ttft_ns, begin + service_ns))
    return made


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.open_loop", description=__doc__)
    parser.add_argument("--requests", type=int, default=300, help="of each load")
    parser.add_argument("--kind", choices=("ollama", "openai", "llama.cpp"), default="openai")
    options = parser.parse_args()
    arguments = ("--ttft-ms", TTFT_MS, "--itl-ms", ITL_MS, "--parallel", PARALLEL)
    flavour = "llama.cpp" if options.kind == "llama.cpp" else "vllm"
    command = [
        sys.executable,
        "-m",
        "benchmarks.reference_server",
        "--flavour",
        flavour,
        *map(str, arguments),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            _open_loops(url, options.kind, options.requests)
            _closed_loops(url, options.kind, options.requests)
        finally:
            server.terminate()
    return 0


def _open_loops(url: str, kind: str, requests: int) -> None:
    print(
        f"Open loop: {PARALLEL} places x {SERVICE_MS:g} ms = {CAPACITY:g} requests/s; {requests} requests each\n"
    )
    print("| arrivals | asked /s | offered /s | achieved /s | at a time | keeps up | TTFT from due p50 / p99 ms | from sent p50 / p99 ms "
          "| simulated p50 / p99 ms | not served |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    errors = []
    for arrivals in ("constant", "poisson"):
        for share in SHARES:
            rate = round(share * CAPACITY, 3)
            stages = _measure(url, kind, requests, Parameters(rate=rate), arrivals)
            figures = step_figures([served(stage) for stage in stages], concurrency=None, slo=None)
            expected = simulate(
                [_due(stage) for stage in stages],
                PARALLEL,
                round(TTFT_MS * NS_PER_MS),
                round(SERVICE_MS * NS_PER_MS),
            )
            _print_open(arrivals, rate, stages, figures, expected)
            errors.append((arrivals, rate, stages, expected))
    print(
        "\nError of each request's latency from its scheduled time (to the end) and of its TTFT, measured - simulated, ms\n"
    )
    print(
        "| arrivals | asked /s | latency: median | p1 ... p99 | all | TTFT: median | p1 ... p99 | sent after due: median | largest |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for arrivals, rate, stages, expected in errors:
        pairs = [(s, e) for s, e in zip(stages, expected, strict=True) if is_served(s.outcome)]
        latency = sorted((_end(s) - e.end_ns) / NS_PER_MS for s, e in pairs)
        ttft = sorted((_first(s) - e.first_ns) / NS_PER_MS for s, e in pairs)
        late = sorted((_sent(s) - _due(s)) / NS_PER_MS for s, _ in pairs)
        print(
            f"| {arrivals} | {rate:g} | {_at(latency, 0.5):.2f} | {_at(latency, 0.01):.2f} ... {_at(latency, 0.99):.2f} "
            f"| {latency[0]:.2f} ... {latency[-1]:.2f} | {_at(ttft, 0.5):.2f} | {_at(ttft, 0.01):.2f} ... {_at(ttft, 0.99):.2f} "
            f"| {_at(late, 0.5):.2f} | {late[-1]:.2f} |"
        )


def _print_open(
    arrivals: str, rate: float, stages: list[StageResult], figures: StepFigures, expected: list[Simulated]
) -> None:
    counted = [place for place in figures.counted if is_served(stages[place].outcome)]
    from_due = sorted((_first(stages[i]) - _due(stages[i])) / NS_PER_MS for i in counted)
    from_sent = sorted((_first(stages[i]) - _sent(stages[i])) / NS_PER_MS for i in counted)
    theory = sorted((expected[i].first_ns - _due(stages[i])) / NS_PER_MS for i in counted)
    print(
        f"| {arrivals} | {rate:g} | {figures.offered_rate or 0:.2f} | {figures.achieved_rate or 0:.2f} "
        f"| {figures.achieved_concurrency or 0:.2f} | {'yes' if figures.keeps_up else 'no'} | {_ends(from_due)} | {_ends(from_sent)} "
        f"| {_ends(theory)} | {sum(not is_served(stage.outcome) for stage in stages)} |"
    )


def _closed_loops(url: str, kind: str, requests: int) -> None:
    print(f"\nClosed loop, {requests} requests each\n")
    print(
        "| users | achieved /s | by theory | at a time | TTFT p50 ms | by theory | output tok/s | by theory | not served |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for users in USERS:
        stages = _measure(url, kind, requests, Parameters(concurrency=users), "constant")
        figures = step_figures([served(stage) for stage in stages], concurrency=users, slo=None)
        counted = [i for i in figures.counted if is_served(stages[i].outcome)]
        ttft = [(_first(stages[i]) - _sent(stages[i])) / NS_PER_MS for i in counted]
        rate = min(users, PARALLEL) * 1e3 / SERVICE_MS
        # Who comes back waits until those before it have been served: users / rate from one coming to the next.
        waits_ms = users / rate * 1e3 - SERVICE_MS
        print(
            f"| {users} | {figures.achieved_rate or 0:.2f} | {rate:.2f} | {figures.achieved_concurrency or 0:.2f} "
            f"| {statistics.median(ttft):.2f} | {TTFT_MS + waits_ms:.2f} | {figures.output_tok_s or 0:.1f} | {rate * TOKENS:.1f} "
            f"| {sum(not is_served(stage.outcome) for stage in stages)} |"
        )


def _measure(url: str, kind: str, requests: int, parameters: Parameters, arrivals: str) -> list[StageResult]:
    """Carry out one load as a job does; return its requests."""
    workload = PromptsWorkload.model_validate(
        {
            "kind": "prompts",
            "synthetic": {"input_tokens": 50, "output_tokens": TOKENS},
            "requests": requests,
            "arrivals": arrivals,
        }
    )
    spec = JobSpec(
        kind="prompts",
        sweep="open-loop",
        execution="benchmark",
        configuration=Configuration(name="c", model="ref", parameters=parameters),
        run=1,
        block=1,
        workload=workload,
        corpus_digest="",
        base_dir="/",
        server=ServerSpec.model_validate({"kind": kind}),
        warmup=0,
        deadline_s=300,
        pool="default",
    )

    async def run() -> list[StageResult]:
        server = open_server(spec.server, url)
        end_s = time.monotonic() + spec.deadline_s
        try:
            await server.models()
            done = await run_prompts(spec, server, file=None, left_s=lambda: end_s - time.monotonic())
        finally:
            await server.aclose()
        return [stage for stage in done.stages if stage.stage == REQUEST_STAGE]

    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        return runner.run(run())


def _due(stage: StageResult) -> int:
    assert stage.asked is not None and stage.asked.due_ns is not None
    return stage.asked.due_ns


def _sent(stage: StageResult) -> int:
    assert stage.call is not None
    return stage.call.timing.sent_ns


def _first(stage: StageResult) -> int:
    assert stage.call is not None
    return stage.call.timing.text_ns[0]


def _end(stage: StageResult) -> int:
    assert stage.call is not None
    return stage.call.timing.end_ns


def _at(ordered: Sequence[float], part: float) -> float:
    return ordered[round(part * (len(ordered) - 1))]


def _ends(ordered: Sequence[float]) -> str:
    return f"{_at(ordered, 0.5):.1f} / {_at(ordered, 0.99):.1f}"


if __name__ == "__main__":
    sys.exit(main())
