"""When a job started, and what its measurement came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.outcome import AgentOutcome, AgentResult, ServerIdentity, StageResult
from contracts.settings import WorkerSettings
from worker.measurement.clock import now_ns


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
    """What came out of the server's side of a job; the fields are those of :class:`contracts.outcome.JobOutcome`."""

    server: ServerIdentity | None
    stages: tuple[StageResult, ...]
    agent_result: AgentResult = field(default_factory=AgentResult)
    agents: tuple[AgentOutcome, ...] = ()
    wall_s: float | None = None
