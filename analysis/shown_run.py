"""Which run's texts and execution times the report shows."""

from __future__ import annotations

from collections import Counter

from analysis.grounded import RecordsOfRun
from analysis.judgement import rank_of
from analysis.models import ShownRun, StageDuration
from analysis.table import Calls, Columns, first_known
from contracts.call import Outcome
from contracts.records import INGEST_STAGE

REPORT_STAGE = "report"
_ANALYSIS_STAGE = "analysis"


def choose(stages: Columns, calls: Calls, records: RecordsOfRun) -> ShownRun | None:
    """Choose the last complete run with a report; else the last with a valid report call, any text, any record.

    ``stages`` are in order of run and stage; ``calls`` are the measured ones among them.
    """
    measured = [run for run, warmup in zip(stages.run, stages.warmup, strict=True) if not warmup]
    if not measured:
        return None
    valid = {
        run
        for run, stage, succeeded in zip(calls.run, calls.stage, calls.succeeded, strict=True)
        if succeeded and stage == REPORT_STAGE
    }
    whole = valid & _complete(calls)
    if whole:
        return _shown(max(whole), "the last complete run", calls, records)
    if valid:
        return _shown(max(valid), "no run is complete; the last run with a valid report call", calls, records)
    with_text = [
        run
        for run, warmup, has_text in zip(stages.run, stages.warmup, stages.has_text, strict=True)
        if has_text and not warmup
    ]
    if with_text:
        why = "no run has a valid report call; the last run with any text"
        return _shown(max(with_text), why, calls, records)
    return _shown(max(measured), "no run has a valid report call; the last run", calls, records)


def _complete(calls: Calls) -> set[int]:
    """Runs with a valid call of every stage that any run has a call of."""
    stages = len(set(calls.stage))
    valid = {(run, stage) for run, stage, ok in zip(calls.run, calls.stage, calls.valid, strict=True) if ok}
    return {run for run, count in Counter(run for run, _ in valid).items() if count == stages}


def _shown(run: int, why: str, calls: Calls, records_of_run: RecordsOfRun) -> ShownRun:
    records = sorted(
        (record for record in records_of_run(run) if record.phase == "measured"),
        key=lambda record: rank_of(record.stage),
    )
    stages = {record.stage: record for record in records}
    outcomes: dict[str, Outcome] = {
        stage: outcome
        for of, stage, outcome in zip(calls.run, calls.stage, calls.judged, strict=True)
        if of == run
    }
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
        wall_s=first_known([*(record.exec_s for record in records), *(record.wall_s for record in records)]),
        stages=tuple(StageDuration(stage=r.stage, duration_ms=r.total_duration_ms) for r in records),
    )
