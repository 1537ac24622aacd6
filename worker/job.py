"""The story of one job: prepare → warm up → measure → outcome. Knows neither Celery nor Redis."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.call import CallResult, Outcome
from contracts.configuration import Parameters
from contracts.corpus import resolve_roots
from contracts.failures import ChimeraError
from contracts.job import JobSpec
from contracts.outcome import AgentResult, HostIdentity, JobOutcome, ServerIdentity, StageResult
from contracts.settings import DATA_ROOT, WorkerSettings
from worker.measurement.clock import now_ns
from worker.servers import CallRequest, ModelServer, open_server
from worker.telemetry.host import boot_id, host_identity
from worker.workloads.agent import STAGES, WARMUP_PROMPT, run_agent

WARMUP_TOKENS = 8
"""Length limit of a warm-up answer: enough to load the model and its first kernels."""
IDENTIFY_S = 10.0


@dataclass(frozen=True)
class Started:
    """When, where and as which delivery a job started."""

    settings: WorkerSettings
    attempt: int
    at: datetime
    ns: int

    @classmethod
    def now(cls, settings: WorkerSettings, attempt: int) -> Started:
        return cls(settings, attempt, datetime.now(UTC), now_ns())


@dataclass(frozen=True)
class Measured:
    """What came out of the server's side of a job."""

    server: ServerIdentity | None
    stages: tuple[StageResult, ...]
    result: AgentResult
    wall_s: float | None


def measure(spec: JobSpec, started: Started) -> JobOutcome:
    """Perform the job and return its outcome, whatever happens to it."""
    gpu = started.settings.gpu
    host = host_identity(gpu_indices=None if gpu is None else [gpu])
    measured = asyncio.run(_measure(spec, started))
    return _outcome(
        spec,
        started,
        host=host,
        server=measured.server,
        stages=measured.stages,
        agent_result=measured.result,
        wall_s=measured.wall_s,
    )


def unmeasured(spec: JobSpec, started: Started, reason: str) -> JobOutcome:
    """Return the outcome of a job that could not be carried out: every stage ``lost``, with the reason."""
    stages = tuple(
        StageResult(
            stage=stage,
            outcome=Outcome.LOST,
            reason=reason,
            started_at=started.at,
            started_ns=started.ns,
            ended_ns=now_ns(),
        )
        for stage in STAGES
    )
    return _outcome(spec, started, problem=reason, stages=stages)


async def _measure(spec: JobSpec, started: Started) -> Measured:
    server = open_server(spec.server, started.settings.server)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + spec.deadline_s

    async def call(prompt: str, parameters: Parameters, schema: dict[str, Any] | None) -> CallResult:
        request = CallRequest(
            model=spec.configuration.model,
            prompt=prompt,
            system=None,
            parameters=parameters,
            answer_schema=schema,
        )
        return await server.call(request, timeout_s=max(deadline - loop.time(), 0.001))

    async def ask(stage: str, prompt: str, schema: dict[str, Any] | None) -> CallResult:
        return await call(prompt, spec.configuration.parameters, schema)

    try:
        before = await _identity(server, spec.configuration.model)
        short = spec.configuration.parameters.model_copy(update={"num_predict": WARMUP_TOKENS})
        warmups = [await _warmup(call(WARMUP_PROMPT, short, None)) for _ in range(spec.warmup)]
        base = Path(os.environ.get(DATA_ROOT) or spec.base_dir)
        run = await run_agent(
            spec.workload,
            resolve_roots(spec.workload.paths, base),
            ask,
            expected_digest=spec.corpus_digest,
            use_schema=spec.workload.structured == "auto" and server.supports_schema,
        )
        # Asked again: some facts, as Ollama's context, are there only while the model is loaded.
        identity = await _identity(server, spec.configuration.model) or before
        return Measured(identity, (*warmups, *run.stages), run.result, run.wall_s)
    finally:
        await server.aclose()


async def _identity(server: ModelServer, model: str) -> ServerIdentity | None:
    """Ask who the server is; this also opens the connection that the calls then use."""
    try:
        async with asyncio.timeout(IDENTIFY_S):
            return await server.identify(model)
    except (ChimeraError, TimeoutError):
        return None  # the calls will say what is wrong


async def _warmup(call: Any) -> StageResult:
    at, begin = datetime.now(UTC), now_ns()
    result: CallResult = await call
    return StageResult(
        stage="warmup",
        phase="warmup",
        outcome=result.outcome,
        reason=result.reason,
        started_at=at,
        started_ns=begin,
        ended_ns=now_ns(),
        call=result,
    )


def _outcome(
    spec: JobSpec,
    started: Started,
    *,
    stages: tuple[StageResult, ...],
    host: HostIdentity | None = None,
    server: ServerIdentity | None = None,
    agent_result: AgentResult | None = None,
    wall_s: float | None = None,
    problem: str | None = None,
) -> JobOutcome:
    return JobOutcome(
        job_id=spec.job_id,
        execution=spec.execution,
        sweep=spec.sweep,
        configuration=spec.configuration,
        run=spec.run,
        block=spec.block,
        slot=started.settings.slot,
        pool=started.settings.pool,
        attempt=started.attempt,
        started_at=started.at,
        ended_at=datetime.now(UTC),
        started_ns=started.ns,
        ended_ns=now_ns(),
        boot_id=boot_id(),
        host=host,
        server=server,
        problem=problem,
        stages=stages,
        agent_result=agent_result or AgentResult(),
        wall_s=wall_s,
    )
