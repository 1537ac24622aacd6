"""Which run's texts and execution times the report shows."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.models import Call, ShownRun, StageDuration
from contracts.call import Outcome
from contracts.records import INGEST_STAGE, StageRecord

REPORT_STAGE = "report"
_ANALYSIS_STAGE = "analysis"


def choose(records: Sequence[StageRecord], calls: Sequence[Call]) -> ShownRun | None:
    """Choose the last complete run with a report; else the last with a valid report call, any text, any record.

    ``records`` are in order of run and stage; ``calls`` are the measured ones among them.
    """
    measured = [record for record in records if record.phase == "measured"]
    if not measured:
        return None
    valid = [call.run for call in calls if call.stage == REPORT_STAGE and call.outcome.valid]
    with_text = [record.run for record in measured if record.text]
    complete = _complete(calls)
    whole = [run for run in valid if run in complete]
    if whole:
        return _shown(whole[-1], "the last complete run", measured, calls)
    if valid:
        why = "no run is complete; the last run with a valid report call"
        return _shown(valid[-1], why, measured, calls)
    if with_text:
        why = "no run has a valid report call; the last run with any text"
        return _shown(with_text[-1], why, measured, calls)
    return _shown(measured[-1].run, "no run has a valid report call; the last run", measured, calls)


def _complete(calls: Sequence[Call]) -> set[int]:
    """Runs with a valid call of every stage that any run has a call of."""
    stages = {call.stage for call in calls}
    valid: dict[int, set[str]] = {}
    for call in calls:
        if call.valid:
            valid.setdefault(call.run, set()).add(call.stage)
    return {run for run, of_run in valid.items() if of_run == stages}


def _shown(run: int, why: str, measured: Sequence[StageRecord], calls: Sequence[Call]) -> ShownRun:
    records = [record for record in measured if record.run == run]
    stages = {record.stage: record for record in records}
    outcomes: dict[str, Outcome] = {call.stage: call.outcome for call in calls if call.run == run}
    texts = [record for record in records if record.text and record.stage in outcomes]
    report = stages.get(REPORT_STAGE)
    text = report if report is not None and report.text else (texts[-1] if texts else None)
    ingest, analysis = stages.get(INGEST_STAGE), stages.get(_ANALYSIS_STAGE)
    return ShownRun(
        run=run,
        why=why,
        text_stage=text.stage if text else None,
        text_outcome=outcomes[text.stage] if text else None,
        text=text.text if text else None,
        files_total=ingest.files_total if ingest else None,
        data_summary=ingest.data_summary if ingest else None,
        findings=analysis.findings if analysis else None,
        recommendations=analysis.recommendations if analysis else None,
        wall_s=next((record.wall_s for record in records if record.wall_s is not None), None),
        stages=tuple(StageDuration(stage=r.stage, duration_ms=r.total_duration_ms) for r in records),
    )
