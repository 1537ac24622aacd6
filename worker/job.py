"""The story of one job: measure → telemetry → outcome. Knows neither Celery nor Redis."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from contracts.job import JobSpec
from contracts.outcome import HostIdentity, JobOutcome
from worker.lost import lost_agents, lost_stages
from worker.measured import Measured, Started
from worker.measurement.clock import now_ns
from worker.measurement.loop import WatchedLoop
from worker.performing import perform
from worker.sampled import with_telemetry
from worker.telemetry.host import boot_id, host_identity
from worker.telemetry.readers import KeptReaders
from worker.telemetry.sampler import TelemetrySampler

__all__ = ["Started", "measure", "unmeasured"]

_readers = KeptReaders()


def measure(spec: JobSpec, started: Started) -> JobOutcome:
    """Perform the job and return its outcome; a failed measurement is one, too.

    Raises:
        ChimeraError: the job can't be carried out here.
    """
    gpu = started.settings.gpu
    indices = None if gpu is None else [gpu]
    host = host_identity(gpu_indices=indices)
    kept_s = spec.deadline_s + 60
    with (
        TelemetrySampler(gpu_indices=indices, kept_s=kept_s, kept_readers=_readers) as sampler,
        asyncio.Runner(loop_factory=WatchedLoop) as runner,
    ):
        measured = runner.run(perform(spec, started))
    measured = replace(measured, stages=with_telemetry(measured.stages, sampler))
    return _outcome(spec, started, measured, host=host)


def unmeasured(spec: JobSpec, started: Started, reason: str) -> JobOutcome:
    """Return the outcome of a job that could not be carried out: every stage ``lost``, with the reason."""
    nothing = Measured(None, lost_stages(spec, started, reason), agents=lost_agents(spec))
    return _outcome(spec, started, nothing, problem=reason)


def _outcome(
    spec: JobSpec,
    started: Started,
    measured: Measured,
    *,
    host: HostIdentity | None = None,
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
        server=measured.server,
        problem=problem,
        stages=measured.stages,
        agent_result=measured.agent_result,
        agents=measured.agents,
        wall_s=measured.wall_s,
    )
