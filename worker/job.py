"""The story of one job: prepare → warm up → measure → outcome. Knows neither Celery nor Redis."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
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
from contracts.workloads import AgentWorkload
from worker.measurement.clock import now_ns
from worker.measurement.loop import WatchedLoop
from worker.preparation import NotPrepared, prepare
from worker.servers import CallRequest, ModelServer, open_server
from worker.telemetry.host import boot_id, host_identity
from worker.telemetry.readers import KeptReaders
from worker.telemetry.sampler import TelemetrySampler
from worker.workloads.agent import STAGES, run_agent

IDENTIFY_S = 10.0
LATELY_NS = 5 * 10**9
"""Facts of a server are asked for anew after this."""
LOADED_NS = 100 * 10**6
"""A server that had the model takes less for finding it (Ollama tells some 10 ms)."""
KNOWN = 64

_readers = KeptReaders()
_lately: dict[tuple[object, ...], tuple[int, ServerIdentity]] = {}
"""When a job of this process asked a server who it is, and the answer."""


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
    result: AgentResult = field(default_factory=AgentResult)
    wall_s: float | None = None


def measure(spec: JobSpec, started: Started) -> JobOutcome:
    """Perform the job and return its outcome, whatever happens to it."""
    gpu = started.settings.gpu
    indices = None if gpu is None else [gpu]
    host = host_identity(gpu_indices=indices)
    kept_s = spec.deadline_s + 60
    with (
        TelemetrySampler(gpu_indices=indices, kept_s=kept_s, kept_readers=_readers) as sampler,
        asyncio.Runner(loop_factory=WatchedLoop) as runner,
    ):
        measured = runner.run(_measure(spec, started))
    stages = (
        stage.model_copy(update={"telemetry": sampler.between(*_measured_ns(stage))})
        for stage in measured.stages
    )
    return _outcome(
        spec,
        started,
        host=host,
        server=measured.server,
        stages=tuple(stages),
        agent_result=measured.result,
        wall_s=measured.wall_s,
    )


def _measured_ns(stage: StageResult) -> tuple[int, int]:
    """Return the time that a stage's energy belongs to: the call's own, without pauses and earlier sendings."""
    if stage.call is None:
        return stage.started_ns, stage.ended_ns
    return stage.call.timing.sent_ns, stage.call.timing.end_ns


def unmeasured(spec: JobSpec, started: Started, reason: str) -> JobOutcome:
    """Return the outcome of a job that could not be carried out: every stage ``lost``, with the reason."""
    return _outcome(spec, started, problem=reason, stages=_lost(started, reason))


async def _measure(spec: JobSpec, started: Started) -> Measured:
    assert isinstance(spec.workload, AgentWorkload)
    workload = spec.workload
    server = open_server(spec.server, started.settings.server)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + spec.deadline_s

    async def call(
        prompt: str, parameters: Parameters, schema: dict[str, Any] | None = None, min_words: int = 0
    ) -> CallResult:
        request = CallRequest(
            model=spec.configuration.model,
            prompt=prompt,
            system=None,
            parameters=parameters,
            answer_schema=schema,
            min_words=min_words,
        )
        return await server.call(request, timeout_s=max(deadline - loop.time(), 0.001))

    async def ask(stage: str, prompt: str, schema: dict[str, Any] | None) -> CallResult:
        return await call(prompt, spec.configuration.parameters, schema, spec.workload.min_words)

    try:
        before = _met_lately(server, spec) or await _identity(server, spec.configuration.model)
        try:
            prepared = await prepare(spec, server, call)
        except NotPrepared as error:
            return Measured(before, (error.stage, *_lost(started, f"not run: {error}")))
        data_root = os.environ.get(DATA_ROOT)
        base = Path(data_root or spec.base_dir)
        run = await run_agent(
            workload,
            resolve_roots(workload.paths, base),
            ask,
            expected_digest=spec.corpus_digest,
            use_schema=workload.structured == "auto" and server.supports_schema,
            inside=Path(data_root) if data_root else None,
        )
        identity = await _identity_after(server, spec, (*prepared, *run.stages)) or before
        return Measured(identity, (*prepared, *run.stages), run.result, run.wall_s)
    finally:
        await server.aclose()


def _key(server: ModelServer, spec: JobSpec) -> tuple[object, ...]:
    """Return all that a server's facts depend on: they change with the model's loading."""
    given = spec.configuration.parameters
    return server.kind, server.url, spec.configuration.model, given.num_ctx, given.num_gpu


def _met_lately(server: ModelServer, spec: JobSpec) -> ServerIdentity | None:
    """Return who the server was when an earlier job asked it, if that was lately; else it has to be asked.

    What an OpenAI-compatible server takes depends on which one it is, so it is always asked.
    """
    known = _lately.get(_key(server, spec))
    if server.kind == "openai" or known is None or now_ns() - known[0] > LATELY_NS:
        return None
    return known[1]


async def _identity_after(
    server: ModelServer, spec: JobSpec, stages: Iterable[StageResult]
) -> ServerIdentity | None:
    """Return who the server is after the calls: some facts, as Ollama's context, are there only while it has the model.

    Not asked again where it was asked lately and nothing in the calls speaks for another server, or for a model that
    was loaded since.
    """
    known = _met_lately(server, spec)
    if known is not None and all(_as_before(stage) for stage in stages):
        return known
    _lately.pop(_key(server, spec), None)
    identity = await _identity(server, spec.configuration.model)
    if identity is not None:
        if len(_lately) >= KNOWN:
            _lately.clear()
        _lately[_key(server, spec)] = (now_ns(), identity)
    return identity


def _as_before(stage: StageResult) -> bool:
    if stage.stage == "unload" or not stage.outcome.valid:
        return False
    return stage.call is None or (stage.call.counters.load_ns or 0) < LOADED_NS


async def _identity(server: ModelServer, model: str) -> ServerIdentity | None:
    """Ask who the server is."""
    try:
        async with asyncio.timeout(IDENTIFY_S):
            return await server.identify(model)
    except (ChimeraError, TimeoutError):
        return None  # the calls will say what is wrong


def _lost(started: Started, reason: str) -> tuple[StageResult, ...]:
    return tuple(
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
        load=spec.load,
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
