"""What does not count in the valid figures, each with its reason; and which runs are complete."""

from __future__ import annotations

from itertools import product

from analysis.judgement import NO_CALLS
from analysis.models import ALL_STAGES, Excluded
from analysis.table import Calls, Columns
from contracts.call import Outcome
from contracts.records import LOAD_STAGE, REQUEST_STAGE

_DEFAULT_REASON = {
    Outcome.ABORTED: "the stream ended without the server's final record",
    Outcome.DEGENERATE: "the text is empty, too short or ends in a repetition",
    Outcome.SERVER_ERROR: "the server answered with an error",
    Outcome.TIMEOUT: "the deadline passed",
    Outcome.CONNECTION: "the connection was refused, reset or cut",
    Outcome.LOST: "its worker died, or the job was given up",
}


def excluded(stages: Columns, calls: Calls, runs_planned: int | None) -> tuple[Excluded, ...]:
    """Return the invalid calls, the failed ingests and loads and the planned runs without an outcome, by run."""
    found = []
    if not all(calls.valid):
        left = calls.where([not valid for valid in calls.valid])
        found = [
            Excluded(run=run, stage=stage, reason=_why(outcome, why, suspect))
            for run, stage, outcome, why, suspect in zip(
                left.run, left.stage, left.judged, left.why, left.suspect, strict=True
            )
        ]
    found += [
        Excluded(run=run, stage=stage, reason=_reason(Outcome(outcome), reason))
        for run, stage, outcome, reason in zip(
            stages.run, stages.stage, stages.outcome, stages.reason, strict=True
        )
        if stage in NO_CALLS and outcome is not None and outcome != "ok" and not Outcome(outcome).valid
    ]
    seen = {run for run, warmup in zip(stages.run, stages.warmup, strict=True) if not warmup}
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


def missing_stages(calls: Calls) -> list[tuple[int, str]]:
    """Return (run, stage) of every stage that other runs of the configuration have and this one lacks."""
    stages, runs = list(dict.fromkeys(calls.stage)), sorted(set(calls.run))
    present = set(zip(calls.run, calls.stage, strict=True))
    if len(present) == len(stages) * len(runs):
        return []
    return [entry for entry in product(runs, stages) if entry not in present]


def complete_runs(stages: Columns, calls: Calls, excluded_: tuple[Excluded, ...]) -> frozenset[int]:
    """Return the runs that have calls, all stages that others have, and nothing excluded.

    A failed request does not make its load incomplete, nor a failed step its search: that they fail is what they are to show.
    """
    carried_out = {
        run
        for run, stage, outcome in zip(stages.run, stages.stage, stages.outcome, strict=True)
        if stage == LOAD_STAGE and outcome is not None and Outcome(outcome).valid
    }
    incomplete = {
        entry.run
        for entry in excluded_
        if entry.stage != REQUEST_STAGE and not (entry.stage == LOAD_STAGE and entry.run in carried_out)
    } | {run for run, _ in missing_stages(calls)}
    return frozenset(set(calls.run) - incomplete)


def _why(outcome: Outcome, why: str | None, suspect: tuple[str, ...] | None) -> str:
    if outcome.valid:
        return f"suspect: {'; '.join(suspect or ())}"
    return _reason(outcome, why)


def _reason(outcome: Outcome, reason: str | None) -> str:
    return f"{outcome.value}: {reason or _DEFAULT_REASON[outcome]}"
