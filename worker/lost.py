"""The stages of a job that could not be carried out."""

from __future__ import annotations

from contracts.call import Outcome
from contracts.job import JobSpec
from contracts.outcome import AgentOutcome, StageResult
from contracts.records import LOAD_STAGE
from contracts.workloads import AgentPairWorkload, AgentWorkload, PromptsWorkload
from worker.caller import SOLE
from worker.measured import Started
from worker.measurement.clock import now_ns
from worker.workloads.agent import STAGES


def lost_stages(spec: JobSpec, started: Started, reason: str) -> tuple[StageResult, ...]:
    """Return every stage of the job's workload as ``lost``, with the reason."""
    return tuple(
        StageResult(
            stage=stage,
            agent=agent,
            outcome=Outcome.LOST,
            reason=reason,
            started_at=started.at,
            started_ns=started.ns,
            ended_ns=now_ns(),
        )
        for agent, stage in _stages(spec)
    )


def lost_agents(spec: JobSpec) -> tuple[AgentOutcome, ...]:
    """Return the agents of the job, none of which did anything."""
    return tuple(AgentOutcome(role=role) for role in spec.configuration.agents)


def _stages(spec: JobSpec) -> list[tuple[str, str]]:
    match spec.workload:
        case AgentWorkload():
            return [(SOLE, stage) for stage in STAGES]
        case AgentPairWorkload():
            return [(role.label, stage) for role in spec.configuration.agents for stage in STAGES]
        case PromptsWorkload():
            return [(SOLE, LOAD_STAGE)]
