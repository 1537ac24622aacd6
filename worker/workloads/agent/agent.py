"""The Chimera agent: ingest → analysis → report over the files below the roots."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.call import CallResult, Outcome
from contracts.outcome import AgentResult, StageResult
from contracts.workloads import CorpusWorkload
from worker.workloads.agent.findings import parse_answer
from worker.workloads.agent.material import INGEST, Material, read_material
from worker.workloads.agent.prompts import load_prompts
from worker.workloads.agent.timed import Start, not_run

STAGES = (INGEST, "analysis", "report")
_, ANALYSIS, REPORT = STAGES

Ask = Callable[[str, str, dict[str, Any] | None], Awaitable[CallResult]]
"""``(stage, prompt, answer_schema)`` → the call; never raises for a failed call."""


@dataclass(frozen=True)
class AgentRun:
    """One run: always the three stages, in order."""

    stages: tuple[StageResult, ...]
    result: AgentResult

    @property
    def wall_s(self) -> float:
        """From the start of ingest to the end of the last stage, seconds."""
        return (self.stages[-1].ended_ns - self.stages[0].started_ns) / 1e9


async def run_agent(
    workload: CorpusWorkload,
    roots: list[Path],
    ask: Ask,
    *,
    expected_digest: str | None,
    use_schema: bool,
    inside: Path | None = None,
) -> AgentRun:
    """Perform one run: :func:`read_material`, then :func:`ask_agent`."""
    material = read_material(workload, roots, expected_digest=expected_digest, inside=inside)
    return await ask_agent(material, ask, use_schema=use_schema and workload.structured == "auto")


async def ask_agent(material: Material, ask: Ask, *, use_schema: bool, persona: bool = False) -> AgentRun:
    """Perform the calls of one run, whose files are read.

    Args:
        ask: performs one call.
        use_schema: give the server the JSON schema of the analysis.
        persona: the calls' system prompt says what the report is to hold.
    """
    if material.result is None:
        lost = (not_run(stage, Outcome.LOST, "ingest failed") for stage in (ANALYSIS, REPORT))
        return AgentRun((material.stage, *lost), AgentResult())
    prompts = load_prompts()
    schema = prompts.answer_schema if use_schema else None
    analysis_stage, text = await _call(ask, ANALYSIS, material.analysis_prompt, schema)
    answer = parse_answer(text)
    if text.strip():
        prompt = prompts.report(material.result, material.digest, answer, persona=persona)
        report_stage, report_text = await _call(ask, REPORT, prompt, None)
    else:
        report_stage, report_text = _without_analysis(analysis_stage), ""
    return AgentRun(
        (material.stage, analysis_stage, report_stage),
        AgentResult(
            ingest=material.result,
            findings=answer.findings,
            recommendations=answer.recommendations,
            report_text=report_text,
        ),
    )


async def _call(ask: Ask, stage: str, prompt: str, schema: dict[str, Any] | None) -> tuple[StageResult, str]:
    started = Start.now()
    call = await ask(stage, prompt, schema)
    return started.stage(stage, call.outcome, call.reason, call), call.text


def _without_analysis(analysis: StageResult) -> StageResult:
    if analysis.outcome.valid:  # a valid outcome must not mark a stage that was never run
        return not_run(REPORT, Outcome.LOST, "analysis gave no text")
    return not_run(REPORT, analysis.outcome, f"analysis: {analysis.reason or analysis.outcome.value}")
