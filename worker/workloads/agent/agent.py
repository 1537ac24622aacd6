"""The Chimera agent: ingest → analysis → report over the files below the roots."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.call import CallResult, Outcome
from contracts.corpus import discover, root_names
from contracts.outcome import AgentResult, StageResult
from contracts.workloads import AgentWorkload
from worker.measurement.clock import now_ns, utc_now
from worker.workloads.agent.digest import table_digest
from worker.workloads.agent.findings import Answer, parse_answer
from worker.workloads.agent.ingest import UNREAD, Ingested, ingest
from worker.workloads.agent.prompts import load_prompts

INGEST, ANALYSIS, REPORT = STAGES = ("ingest", "analysis", "report")

Ask = Callable[[str, str, dict[str, Any] | None], Awaitable[CallResult]]
"""``(stage, prompt, answer_schema)`` → the call; never raises for a failed call."""


@dataclass(frozen=True)
class AgentRun:
    """One run: always the three stages, in order."""

    stages: tuple[StageResult, ...]
    result: AgentResult
    wall_s: float
    """From the start of ingest to the end of the last stage, seconds."""


async def run_agent(
    workload: AgentWorkload,
    roots: list[Path],
    ask: Ask,
    *,
    expected_digest: str | None,
    use_schema: bool,
    inside: Path | None = None,
) -> AgentRun:
    """Perform one run.

    Args:
        workload: budget of the digest; its paths give the roots' names.
        roots: the resolved paths, in order.
        ask: performs one call.
        expected_digest: :func:`contracts.corpus.digest` of the files that the job is about; other
            contents fail the ingest. ``None``: any contents are right.
        use_schema: give the server the JSON schema of the analysis, unless the workload says ``off``.
        inside: the only folder that is read on this machine; ``None``: a workload may name any.
    """
    started = _Start.now()
    try:
        ingested = _ingest(roots, root_names(workload.paths), expected_digest, inside)
    except _IngestFailed as failure:
        stages = (
            started.stage(INGEST, Outcome.LOST, f"ingest failed: {failure}"),
            *(_not_run(stage, Outcome.LOST, "ingest failed") for stage in (ANALYSIS, REPORT)),
        )
        return _run(stages, AgentResult())
    # The digest is part of ingest: nothing of this may take time from a measured call.
    prompts = load_prompts()
    digest = table_digest(ingested.tables, ingested.result.counts, workload.digest_tokens)
    ingest_stage = started.stage(INGEST, Outcome.OK)

    schema = prompts.answer_schema if use_schema and workload.structured == "auto" else None
    analysis_stage, text = await _call(ask, ANALYSIS, prompts.analysis(digest), schema)
    answer = parse_answer(text)
    if text.strip():
        prompt = prompts.report(ingested.result, digest, answer)
        report_stage, report_text = await _call(ask, REPORT, prompt, None)
    else:
        report_stage, report_text = _without_analysis(analysis_stage), ""
    return _run((ingest_stage, analysis_stage, report_stage), _result(ingested, answer, report_text))


class _IngestFailed(Exception):
    """The message says why, for people."""


def _ingest(
    roots: list[Path], names: list[str], expected_digest: str | None, inside: Path | None
) -> Ingested:
    try:
        ingested = ingest(discover(roots, names, inside=inside))
    except OSError as error:
        raise _IngestFailed(str(error)) from error
    if expected_digest is None or ingested.corpus_digest == expected_digest:
        return ingested
    if ingested.corpus_digest is None:
        unread = [f"{name} {why}" for name, why in ingested.result.unparsed.items() if why.startswith(UNREAD)]
        raise _IngestFailed(unread[0] if unread else "a file can't be read")
    raise _IngestFailed(
        f"the files are not those that the job was planned for "
        f"(digest {ingested.corpus_digest}, planned {expected_digest})"
    )


@dataclass(frozen=True)
class _Start:
    """A stage's start."""

    at: datetime
    ns: int

    @classmethod
    def now(cls) -> _Start:
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


async def _call(ask: Ask, stage: str, prompt: str, schema: dict[str, Any] | None) -> tuple[StageResult, str]:
    started = _Start.now()
    call = await ask(stage, prompt, schema)
    return started.stage(stage, call.outcome, call.reason, call), call.text


def _without_analysis(analysis: StageResult) -> StageResult:
    if analysis.outcome.valid:  # a valid outcome must not mark a stage that was never run
        return _not_run(REPORT, Outcome.LOST, "analysis gave no text")
    return _not_run(REPORT, analysis.outcome, f"analysis: {analysis.reason or analysis.outcome.value}")


def _not_run(stage: str, outcome: Outcome, why: str) -> StageResult:
    return _Start.now().stage(stage, outcome, f"not run: {why}")


def _result(ingested: Ingested, answer: Answer, report_text: str) -> AgentResult:
    return AgentResult(
        ingest=ingested.result,
        findings=answer.findings,
        recommendations=answer.recommendations,
        report_text=report_text,
    )


def _run(stages: tuple[StageResult, ...], result: AgentResult) -> AgentRun:
    return AgentRun(stages, result, (stages[-1].ended_ns - stages[0].started_ns) / 1e9)
