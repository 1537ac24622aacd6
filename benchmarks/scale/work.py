"""A workload that measures nothing: it returns at once an outcome like a real one, with six stages."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from functools import cache

from benchmarks.scale.names import WARMUPS
from contracts.call import CallResult, CallTiming, Outcome, ServerCounters
from contracts.job import JobSpec
from contracts.outcome import AgentResult, HostIdentity, IngestResult, JobOutcome, ServerIdentity, StageResult
from worker.job import Started
from worker.measurement.clock import now_ns
from worker.telemetry.host import boot_id, host_identity

TOKENS = 32
TTFT_NS, ITL_NS, NOISE = 50_000_000, 10_000_000, 0.03
WORDS = 60
FIGURES = 0.05
"""Share of the words that are figures, which the aggregator checks against the ingested files."""
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_VOCABULARY = [
    hashlib.sha256(str(n).encode()).hexdigest()[: 3 + n % 7].translate(_LETTERS) for n in range(2000)
]


def outcome_of(spec: JobSpec, started: Started) -> JobOutcome:
    """Return the outcome of a job: three warm-up calls, ingest, analysis and report, all ``ok``.

    The times of the calls are made up, around a schedule; ``started_ns`` and ``ended_ns`` of the job are real.
    """
    rng = random.Random(spec.job_id)
    stages = [_stage("warmup", started, rng, measured=False) for _ in range(WARMUPS)]
    stages += [
        StageResult(
            stage="ingest",
            outcome=Outcome.OK,
            started_at=started.at,
            started_ns=started.ns,
            ended_ns=started.ns + rng.randrange(1_000_000, 2_000_000),
        ),
        _stage("analysis", started, rng),
        _stage("report", started, rng),
    ]
    return JobOutcome(
        job_id=spec.job_id,
        execution=spec.execution,
        sweep=spec.sweep,
        configuration=spec.configuration,
        run=spec.run,
        block=spec.block,
        load=spec.load,
        slot=started.settings.slot,
        pool=started.settings.pool,
        attempt=started.attempt,
        started_at=started.at,
        ended_at=datetime.now(UTC),
        started_ns=started.ns,
        ended_ns=now_ns(),
        boot_id=boot_id(),
        host=_host(),
        server=ServerIdentity(
            kind=spec.server.kind, url=started.settings.server, model=spec.configuration.model
        ),
        stages=tuple(stages),
        agent_result=AgentResult(
            ingest=IngestResult(
                files_total=1, counts={"csv": 1, "json": 0, "md": 0}, data_summary="one file"
            ),
            findings=(_text(rng, 12), _text(rng, 12)),
            report_text=_text(rng, WORDS),
        ),
        wall_s=2 * (TTFT_NS + (TOKENS - 1) * ITL_NS) / 1e9,
    )


def _stage(name: str, started: Started, rng: random.Random, *, measured: bool = True) -> StageResult:
    begin = started.ns
    first = begin + round(TTFT_NS * rng.gauss(1, NOISE))
    times = [first]
    for _ in range(TOKENS - 1):
        times.append(times[-1] + round(ITL_NS * rng.gauss(1, NOISE)))
    text = _text(rng, WORDS)
    call = CallResult(
        outcome=Outcome.OK,
        http_status=200,
        finish_reason="stop",
        text=text,
        text_hash=hashlib.sha256(text.encode()).hexdigest()[:16],
        timing=CallTiming(
            wall_anchor=started.at,
            sent_ns=begin,
            headers_ns=first - 10_000,
            text_ns=tuple(times),
            end_ns=times[-1] + 100_000,
            clock="kernel",
        ),
        counters=ServerCounters(
            prompt_tokens=200,
            tokens=TOKENS,
            prompt_eval_ns=TTFT_NS - 5_000_000,
            eval_ns=times[-1] - first + ITL_NS,
            eval_tokens=TOKENS,
            load_ns=1_000_000,
            total_ns=times[-1] - begin,
        ),
    )
    return StageResult(
        stage=name,
        phase="measured" if measured else "warmup",
        outcome=Outcome.OK,
        started_at=started.at + timedelta(microseconds=1),
        started_ns=begin,
        ended_ns=call.timing.end_ns,
        call=call,
    )


def _text(rng: random.Random, words: int) -> str:
    return " ".join(
        str(rng.randrange(1000)) if rng.random() < FIGURES else rng.choice(_VOCABULARY) for _ in range(words)
    )


@cache
def _host() -> HostIdentity:
    return host_identity(gpu_indices=None)
