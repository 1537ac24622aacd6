"""Factories of records, outcomes and manifests."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings

from contracts.call import CallResult, CallTiming, Outcome, ServerCounters
from contracts.configuration import Configuration, Parameters
from contracts.diagnosis import Diagnosis
from contracts.floor import MeasurementFloor
from contracts.manifest import Manifest, OrderedJob, SlotIdentity
from contracts.outcome import (
    AgentResult,
    GpuIdentity,
    HostIdentity,
    IngestResult,
    JobOutcome,
    ServerIdentity,
    StageResult,
)
from contracts.records import StageRecord
from contracts.sweep import SweepSpec
from contracts.telemetry import GpuTelemetry, StageTelemetry
from tests.support.factories import ManifestFactory, OutcomeFactory, RecordFactory

# Time limits of single examples say nothing on a shared machine.
settings.register_profile("chimera", deadline=None)
settings.load_profile("chimera")

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOST = HostIdentity(
    host="node-1",
    pid=4711,
    os="linux",
    machine="x86_64",
    cpu="Test CPU",
    cpu_count=8,
    python="3.11.7",
    chimera="0.1.0",
    gpus=(GpuIdentity(index=0, name="RTX Test"),),
)
SERVER = ServerIdentity(
    **{"kind": "ollama", "url": "http://127.0.0.1:11434", "version": "0.12", "model": "m:1", "digest": "abc"},
    **{"context": 2048, "context_max": 8192, "layers": 99, "size_bytes": 2**32, "vram_bytes": 2**32},
)
FLOOR = MeasurementFloor(
    **{"slot": "s0", "host": "node-1", "boot_id": "boot", "measured_at": START, "duration_s": 12.0},
    **{"chimera": "0.1.0", "python": "3.11.7", "clock": "kernel", "concurrency": 4, "calls": 120},
    **{"timer_resolution_ns": 40, "ttft_error_median_ms": 0.112, "ttft_error_p99_ms": 0.5},
    **{"ttft_error_max_ms": 1.9, "itl_error_median_percent": -0.01, "itl_error_p99_percent": 0.4},
    **{"itl_error_max_percent": 0.7, "gap_error_p99_ms": 0.3, "suspect_calls": 0, "server_late_p99_ms": 0.4},
)
GPU = GpuTelemetry(
    **{"index": 0, "uuid": "GPU-0", "energy_j": 30.0, "energy_source": "counter", "mean_power_w": 300.0},
    **{"peak_memory_bytes": 5 * 2**30, "peak_temperature_c": 66, "throttle_reasons": (), "throttled": False},
)
TELEMETRY = StageTelemetry(
    samples=6, period_s=0.1, max_gap_s=0.11, gpus=(GPU,), cpu_busy_percent=20.0, cpu_steal_percent=0.5
)


@pytest.fixture(scope="session")
def floor() -> MeasurementFloor:
    """TTFT 0.5 ms, ITL 0.4 %."""
    return FLOOR


@pytest.fixture(scope="session")
def record() -> RecordFactory:
    """A plain valid call; keywords override any column."""

    def make(**columns: Any) -> StageRecord:
        fields = {
            **{"config": "c", "agent": "chimera", "run": 1, "stage": "analysis", "outcome": "ok"},
            **{"ttft_ms": 500.0, "throughput_tok_s": 100.0, "tokens": 1000, "total_duration_ms": 11_000.0},
            **{"prompt_eval_ms": 200.0, "eval_ms": 10_000.0, "load_ms": 250.0, "response_chars": 4000},
        }
        return StageRecord.model_validate(fields | columns)

    return make


@pytest.fixture(scope="session")
def outcome() -> OutcomeFactory:
    """A job's outcome: warm-up, ingest, analysis, report, with texts; ``aborted`` cuts the report."""

    def make(
        configuration: Configuration,
        run: int,
        *,
        aborted: bool = False,
        text: str = "A report.",
        unload: bool = False,
    ) -> JobOutcome:
        started = START + timedelta(minutes=run)
        base = run * 10**11

        def call(ms: int, first_ms: int, words: str, complete: bool = True, load_ms: int = 20) -> CallResult:
            counters = ServerCounters(
                prompt_tokens=300,
                tokens=50 + run,
                eval_tokens=50 + run,
                prompt_eval_ns=100_000_000 + run,
                eval_ns=400_000_000 + 7 * run,
                load_ns=load_ms * 10**6,
            )
            return CallResult(
                outcome=Outcome.OK if complete else Outcome.ABORTED,
                reason=None if complete else "the stream ended without the final record",
                text=words,
                text_hash=hashlib.sha256(words.encode()).hexdigest()[:16],
                diagnosis=Diagnosis(loop_lag_max_ns=300_000 + run, arrival_lag_max_ns=200_000),
                timing=CallTiming(
                    wall_anchor=started,
                    sent_ns=base,
                    connect_ns=210_000,
                    clock="kernel",
                    headers_ns=base + 10**6,
                    text_ns=(base + first_ms * 10**6, base + min(first_ms + 392, ms - 5) * 10**6),
                    end_ns=base + ms * 10**6,
                ),
                counters=counters if complete else ServerCounters(),
            )

        def stage(name: str, ms: int, made: CallResult | None) -> StageResult:
            return StageResult(
                stage=name,
                phase="warmup" if name in ("warmup", "unload") else "measured",
                outcome=made.outcome if made else Outcome.OK,
                reason=made.reason if made else None,
                started_at=started,
                started_ns=base,
                ended_ns=base + ms * 10**6,
                call=made,
                telemetry=TELEMETRY if made else None,
            )

        return JobOutcome(
            job_id=f"{configuration.name}-{run}",
            execution="20261121T120000Z-abcdef01",
            sweep="demo",
            configuration=configuration,
            run=run,
            block=run,
            slot="s0",
            pool="default",
            attempt=1,
            started_at=started,
            ended_at=started + timedelta(seconds=2),
            started_ns=base,
            ended_ns=base + 2 * 10**9,
            boot_id="boot",
            host=HOST,
            server=SERVER,
            stages=(
                stage("unload", 40, None) if unload else stage("warmup", 300, call(300, 100, "hi")),
                stage("ingest", 30, None),
                stage(
                    "analysis",
                    600,
                    call(600, 130 + run, "An analysis.", load_ms=110 + run if unload else 20),
                ),
                stage("report", 700, call(700, 140 + run, text, complete=not aborted)),
            ),
            agent_result=AgentResult(
                ingest=IngestResult(files_total=3, counts={"csv": 3}, data_summary="Total files analyzed: 3"),
                findings=("Finding one",),
                recommendations=(),
            ),
            wall_s=1.33,
        )

    return make


@pytest.fixture(scope="session")
def configurations() -> tuple[Configuration, ...]:
    return (
        Configuration(name="b_first", model="m:1", parameters=Parameters(num_gpu=80, temperature=0.6)),
        Configuration(name="a_second", model="m:1", parameters=Parameters(num_gpu=60, temperature=1.0)),
    )


@pytest.fixture(scope="session")
def manifest(configurations: tuple[Configuration, ...]) -> ManifestFactory:
    def make(runs: int = 3, **fields: Any) -> Manifest:
        spec = SweepSpec.model_validate(
            {
                **{"name": "demo", "workload": {"paths": ["corpus"]}, "server": "ollama", "model": "m:1"},
                **{"runs": runs},
            }
        )
        order = [
            OrderedJob(job_id=f"{c.name}-{run}", configuration=c.name, run=run, block=run)
            for run in range(1, runs + 1)
            for c in configurations
        ]
        return Manifest(
            **{
                "sweep": "demo",
                "execution": "20261121T120000Z-abcdef01",
                "sweep_id": "abcdef0123456789",
                "corpus_digest": "0" * 16,
                "created_at": START,
                "finished_at": START + timedelta(minutes=10),
                "spec": spec,
                "configurations": configurations,
                "order_seed": 7,
                "order": tuple(order),
                "versions": {"chimera": "0.1.0"},
                "slots": (SlotIdentity(slot="s0", pool="default", host=HOST, server=SERVER),),
            }
            | fields
        )

    return make
