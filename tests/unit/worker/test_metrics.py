"""What a slot's measuring process tells its parent, and what the parent serves."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from contracts.call import CallResult, CallTiming, Outcome, ServerCounters
from contracts.configuration import Configuration
from contracts.outcome import JobOutcome, StageResult
from contracts.settings import WorkerSettings
from tests.support.watched import Samples, read, sample
from worker.metrics import WINDOW_S, SlotMetrics, Told

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SLOT = {"slot": "g0", "pool": "h100"}
MS = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def call(*, ttft_ms: int = 120, tok_s: float = 50.0, outcome: str = "ok") -> CallResult:
    timing = CallTiming(wall_anchor=NOW, sent_ns=0, text_ns=(ttft_ms * MS,), end_ns=ttft_ms * MS)
    counters = ServerCounters(tokens=100, eval_tokens=100, eval_ns=int(100 / tok_s * 1e9))
    return CallResult(outcome=Outcome(outcome), timing=timing, counters=counters)


def ended(*calls: CallResult, warmup: CallResult | None = None) -> JobOutcome:
    stages = [
        StageResult(stage="analysis", outcome=c.outcome, started_at=NOW, started_ns=0, ended_ns=1, call=c)
        for c in calls
    ]
    if warmup is not None:
        stages.insert(0, stages[0].model_copy(update={"phase": "warmup", "call": warmup}))
    return JobOutcome(
        job_id="j",
        execution="x",
        sweep="s",
        configuration=Configuration(name="c", model="m"),
        run=1,
        block=1,
        slot="g0",
        pool="h100",
        attempt=1,
        started_at=NOW,
        ended_at=NOW,
        started_ns=0,
        ended_ns=1,
        stages=tuple(stages),
    )


def slot(clock: Clock) -> SlotMetrics:
    return SlotMetrics(WorkerSettings("g0", "h100", "http://127.0.0.1:1", None, 60.0), clock)


def scraped(metrics: SlotMetrics) -> Samples:
    registry = CollectorRegistry()
    registry.register(metrics)
    return read(generate_latest(registry).decode())


def told(*tell: Any) -> list[dict[str, Any]]:
    """Return the lines that are written to the pipe by calls of ``(method, arguments…)``."""
    pipe = Told()
    for method, *arguments in tell:
        getattr(pipe, method)(*arguments)
    os.close(pipe._writing)
    return list(pipe.lines())


def test_jobs_calls_and_histograms() -> None:
    metrics = slot(Clock())
    outcomes = [
        ended(call(), call(ttft_ms=4000, tok_s=20), warmup=call(ttft_ms=59_000)),
        ended(call(), call(outcome="timeout")),
    ]
    for line in told(*(tell for o in outcomes for tell in (("began",), ("ended", o)))):
        metrics.take(line)
    samples = scraped(metrics)
    assert sample(samples, "chimera_jobs_total", **SLOT, outcome="ok") == 1
    assert sample(samples, "chimera_jobs_total", **SLOT, outcome="timeout") == 1
    assert sample(samples, "chimera_calls_total", **SLOT, outcome="ok") == 3
    assert sample(samples, "chimera_calls_total", **SLOT, outcome="timeout") == 1
    # Neither the warm-up nor the call that timed out.
    assert sample(samples, "chimera_ttft_seconds_count", **SLOT) == 3
    assert sample(samples, "chimera_ttft_seconds_bucket", **SLOT, le="0.15") == 2
    assert sample(samples, "chimera_ttft_seconds_sum", **SLOT) == 0.12 + 0.12 + 4
    assert sample(samples, "chimera_throughput_tokens_per_second_bucket", **SLOT, le="20.0") == 1
    assert sample(samples, "chimera_throughput_tokens_per_second_count", **SLOT) == 3


def test_the_busy_share_is_that_of_the_last_minutes() -> None:
    clock = Clock()
    metrics = slot(clock)
    assert sample(scraped(metrics), "chimera_slot_busy_ratio", **SLOT) is None
    clock.now += 10
    metrics.take({"began": True})
    clock.now += 30
    samples = scraped(metrics)
    assert sample(samples, "chimera_slot_busy_ratio", **SLOT) == 0.75
    assert sample(samples, "chimera_lease_age_seconds", **SLOT) == 30
    metrics.take({"ended": True})
    samples = scraped(metrics)
    assert sample(samples, "chimera_slot_busy_seconds_total", **SLOT) == 30
    assert sample(samples, "chimera_lease_age_seconds", **SLOT) is None
    clock.now += 60
    assert sample(scraped(metrics), "chimera_slot_busy_ratio", **SLOT) == 0.3
    clock.now += WINDOW_S
    assert sample(scraped(metrics), "chimera_slot_busy_ratio", **SLOT) == 0


def test_the_busy_time_grows_while_a_job_runs() -> None:
    clock = Clock()
    metrics = slot(clock)

    def busy() -> float | None:
        return sample(scraped(metrics), "chimera_slot_busy_seconds_total", **SLOT)

    metrics.take({"began": True})
    clock.now += 100
    assert busy() == 100
    clock.now += 20
    assert busy() == 120
    clock.now += 1
    metrics.take({"ended": True})
    clock.now += 1000
    assert busy() == 121
    metrics.take({"began": True})
    clock.now += 2
    assert busy() == 123


def test_a_job_without_a_stored_outcome_is_over_but_not_counted() -> None:
    metrics = slot(Clock())
    for line in told(("began",), ("ended", None)):
        metrics.take(line)
    samples = scraped(metrics)
    assert sample(samples, "chimera_lease_age_seconds", **SLOT) is None
    assert not [name for name, _ in samples if name == "chimera_jobs_total"]


def test_a_job_of_very_many_calls_is_told_in_lines_that_are_written_whole() -> None:
    lines = told(("ended", ended(*[call()] * 500)))
    assert len(lines) > 1 and sum(len(line["calls"]) for line in lines) == 500
    assert [line.get("outcome") for line in lines] == [None] * (len(lines) - 1) + ["ok"]
    assert max(len(str(line)) for line in lines) < 4096


def test_what_nobody_reads_blocks_nobody() -> None:
    pipe = Told()
    for _ in range(10_000):
        pipe.began()
    os.close(pipe._reading)
    pipe.began()
    os.close(pipe._writing)


def test_a_forked_process_tells_its_parent() -> None:
    pipe, metrics = Told(), slot(Clock())
    metrics.follow(pipe)
    child = os.fork()
    if child == 0:
        pipe.began()
        pipe.ended(ended(call()))
        os._exit(0)
    os.waitpid(child, 0)
    until = time.monotonic() + 30
    while sample(scraped(metrics), "chimera_jobs_total", **SLOT, outcome="ok") != 1:
        assert time.monotonic() < until
        time.sleep(0.01)
