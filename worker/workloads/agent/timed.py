"""A stage's start, and the stage that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contracts.call import CallResult, Outcome
from contracts.outcome import StageResult
from worker.measurement.clock import now_ns, utc_now


@dataclass(frozen=True)
class Start:
    """When a stage began."""

    at: datetime
    ns: int

    @classmethod
    def now(cls) -> Start:
        return cls(utc_now(), now_ns())

    def stage(
        self, name: str, outcome: Outcome, reason: str | None = None, call: CallResult | None = None
    ) -> StageResult:
        """Return the stage that started here and ends now."""
        return StageResult(
            stage=name,
            outcome=outcome,
            reason=reason,
            started_at=self.at,
            started_ns=self.ns,
            ended_ns=now_ns(),
            call=call,
        )


def not_run(stage: str, outcome: Outcome, why: str) -> StageResult:
    """Return a stage that was never begun, as of now."""
    return Start.now().stage(stage, outcome, f"not run: {why}")
