"""What does not count in the valid figures, each with its reason; and which runs are complete."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.models import ALL_STAGES, Call, Excluded
from contracts.call import Outcome
from contracts.records import INGEST_STAGE, StageRecord

_DEFAULT_REASON = {
    Outcome.ABORTED: "the stream ended without the server's final record",
    Outcome.DEGENERATE: "the text is empty, too short or ends in a repetition",
    Outcome.SERVER_ERROR: "the server answered with an error",
    Outcome.TIMEOUT: "the deadline passed",
    Outcome.CONNECTION: "the connection was refused, reset or cut",
    Outcome.LOST: "its worker died, or the job was given up",
}


def excluded(
    records: Sequence[StageRecord], calls: Sequence[Call], runs_planned: int | None
) -> tuple[Excluded, ...]:
    """Return the invalid calls, the failed ingests and the planned runs without an outcome, by run."""
    found = [Excluded(run=call.run, stage=call.stage, reason=_why(call)) for call in calls if not call.valid]
    found += [
        Excluded(run=record.run, stage=record.stage, reason=_reason(record.outcome, record.reason))
        for record in records
        if record.stage == INGEST_STAGE and record.outcome is not None and not record.outcome.valid
    ]
    seen = {record.run for record in records if record.phase == "measured"}
    found += [
        Excluded(
            run=run,
            stage=ALL_STAGES,
            reason="no outcome: the run was planned, but no measured stage of it is recorded",
        )
        for run in range(1, (runs_planned or 0) + 1)
        if run not in seen
    ]
    return tuple(sorted(found, key=lambda entry: entry.run))


def missing_stages(calls: Sequence[Call]) -> list[tuple[int, str]]:
    """Return (run, stage) of every stage that other runs of the configuration have and this one lacks."""
    stages = list(dict.fromkeys(call.stage for call in calls))
    present = {(call.run, call.stage) for call in calls}
    runs = sorted({call.run for call in calls})
    return [(run, stage) for run in runs for stage in stages if (run, stage) not in present]


def complete_runs(calls: Sequence[Call], excluded_: Sequence[Excluded]) -> frozenset[int]:
    """Return the runs that have calls, all stages that others have, and nothing excluded."""
    incomplete = {entry.run for entry in excluded_} | {run for run, _ in missing_stages(calls)}
    return frozenset({call.run for call in calls} - incomplete)


def _why(call: Call) -> str:
    if call.outcome.valid:
        return f"suspect: {'; '.join(call.suspect or ())}"
    return _reason(call.outcome, call.reason)


def _reason(outcome: Outcome, reason: str | None) -> str:
    return f"{outcome.value}: {reason or _DEFAULT_REASON[outcome]}"
