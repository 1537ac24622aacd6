"""``stages.jsonl``: one flat line per stage, and the CSV of the same columns.

This is the file that ``chimera report`` reads. ``COLUMNS_REQUIRED`` must be there; every other
column may be missing or empty, and then is ``None``: not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import AwareDatetime

from contracts.base import SCHEMA_VERSION, Strict
from contracts.call import ArrivalClock, CallTiming, Degeneration, Outcome
from contracts.diagnosis import Diagnosis
from contracts.formulas import (
    counted_tokens,
    duration_ms,
    frame_tokens,
    gaps_ms,
    itl_mean_ms,
    ms,
    reasoning_ttft_ms,
    throughput_tok_s,
    ttft_ms,
)
from contracts.outcome import JobOutcome, Phase, StageResult
from contracts.telemetry import StageTelemetry

COLUMNS_REQUIRED = ("config", "agent", "run", "stage")


class StageRecord(Strict):
    """One stage of one run. Times in ms of the client's clock unless a field says otherwise."""

    schema_version: Literal[1] = SCHEMA_VERSION
    config: str
    agent: str
    run: int
    stage: str
    phase: Phase = "measured"
    outcome: Outcome | None = None
    """``None`` in foreign data: then it is inferred by the rule that the report states."""
    reason: str | None = None
    agents: int | None = None
    """How many agents ran at the same time; 1: this one was measured alone, to compare with; ``None``: the workload knows
    one agent only."""
    server: str | None = None
    """Which of the slot's further servers the agent used; ``None``: the slot's own."""
    step: int | None = None
    """1-based step of a load, as are the five below of a load (:class:`contracts.outcome.AskedLoad`)."""
    request: int | None = None
    turn: int | None = None
    asked_concurrency: int | None = None
    asked_rate: float | None = None
    asked_input_tokens: int | None = None
    asked_output_tokens: int | None = None
    due_ns: int | None = None
    """When the request was scheduled, and ``sent_ns`` when it was sent, by the clock of started_ns."""
    sent_ns: int | None = None
    degeneration: Degeneration | None = None
    suspect: tuple[str, ...] | None = None
    """Why the worker itself does not trust the call's times; empty: nothing spoke against them."""
    ttft_ms: float | None = None
    reasoning_ttft_ms: float | None = None
    connect_ms: float | None = None
    arrival_clock: ArrivalClock | None = None
    throughput_tok_s: float | None = None
    throughput_source: Literal["server", "client"] | None = None
    tokens: int | None = None
    tokens_source: Literal["server", "stream"] | None = None
    """Who counted ``tokens``: the server at the end, or we, what it told frame by frame. ``None`` in foreign data."""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    total_duration_ms: float | None = None
    prompt_eval_ms: float | None = None
    """The server's, as are eval_ms and load_ms."""
    eval_ms: float | None = None
    eval_tokens: int | None = None
    """Tokens that eval_ms covers; ``None`` in foreign data: then all of them."""
    load_ms: float | None = None
    itl_mean_ms: float | None = None
    gaps_ms: tuple[float, ...] | None = None
    """Times between successive text frames; tokens per frame are the server's choice."""
    frame_tokens: Literal["told", "one", "unknown"] | None = None
    """Whether the tokens of each frame are told by the server, one each by the counts, or unknown."""
    response_chars: int | None = None
    reasoning_chars: int | None = None
    text_hash: str | None = None
    sendings: int | None = None
    """Sendings of the call; above 1 where earlier ones certainly generated nothing."""
    finish_reason: str | None = None
    structured: bool | None = None
    exec_s: float | None = None
    """The agent's own duration of the run, s."""
    wall_s: float | None = None
    """Wall time of the run (all agents), s."""
    model: str | None = None
    parameters: dict[str, int | float] | None = None
    sweep: str | None = None
    execution: str | None = None
    config_id: str | None = None
    job_id: str | None = None
    block: int | None = None
    load: int | None = None
    """Load of its plot that the run belongs to, 1-based; ``None``: the order knew no plots."""
    attempt: int | None = None
    slot: str | None = None
    pool: str | None = None
    host: str | None = None
    server_version: str | None = None
    """As the server tells, as are the three below."""
    model_digest: str | None = None
    quantisation: str | None = None
    context: int | None = None
    """Context length that the server ran the model with, tokens; num_ctx is what was asked for."""
    model_layers: int | None = None
    model_context_max: int | None = None
    model_bytes: int | None = None
    model_vram_bytes: int | None = None
    applied: dict[str, int | float] | None = None
    """Parameters that the server says the call ran with."""
    boot_id: str | None = None
    """started_ns and ended_ns can be compared only within one boot of one host."""
    started_at: AwareDatetime | None = None
    """UTC."""
    started_ns: int | None = None
    ended_ns: int | None = None
    timing: CallTiming | None = None
    diagnosis: Diagnosis | None = None
    telemetry: StageTelemetry | None = None
    text: str | None = None
    """The model's answer."""
    files_total: int | None = None
    data_summary: str | None = None
    findings: tuple[str, ...] | None = None
    recommendations: tuple[str, ...] | None = None


INGEST_STAGE = "ingest"
LOAD_STAGE = "load"
"""A load as a whole: no call, as ingest is none."""
REQUEST_STAGE = "request"
"""One request of a load."""


def records_of(outcome: JobOutcome) -> Iterator[StageRecord]:
    """Yield the lines of one job, in the order of its stages.

    Ingest's line carries the data summary; the analysis' line carries findings and recommendations.
    """
    for stage in outcome.stages:
        yield _record(outcome, stage)


def _record(outcome: JobOutcome, stage: StageResult) -> StageRecord:
    one = next((one for one in outcome.agents if one.role.label == stage.agent), None)
    model, parameters = outcome.configuration.model, outcome.configuration.parameters
    server, result, exec_s, agents = outcome.server, outcome.agent_result, outcome.wall_s, None
    if one is not None:
        model, parameters, agents = one.role.model, one.role.parameters, len(outcome.agents)
        server, result, exec_s = one.server, one.result, one.exec_s
    fields: dict[str, object] = {
        "config": outcome.configuration.name,
        "agent": stage.agent,
        "run": outcome.run,
        "stage": stage.stage,
        "phase": stage.phase,
        "outcome": stage.outcome,
        "reason": stage.reason,
        "agents": agents,
        "server": one.role.server if one is not None else None,
        "exec_s": exec_s,
        "wall_s": outcome.wall_s,
        "model": model,
        "parameters": parameters.given(),
        "sweep": outcome.sweep,
        "execution": outcome.execution,
        "config_id": outcome.configuration.id,
        "job_id": outcome.job_id,
        "block": outcome.block,
        "load": outcome.load,
        "attempt": outcome.attempt,
        "slot": outcome.slot,
        "pool": outcome.pool,
        "host": outcome.host.host if outcome.host else None,
        "server_version": server.version if server else None,
        "model_digest": server.digest if server else None,
        "quantisation": server.quantisation if server else None,
        "context": server.context if server else None,
        "model_layers": server.layers if server else None,
        "model_context_max": server.context_max if server else None,
        "model_bytes": server.size_bytes if server else None,
        "model_vram_bytes": server.vram_bytes if server else None,
        "telemetry": stage.telemetry,
        "boot_id": outcome.boot_id,
        "started_at": stage.started_at,
        "started_ns": stage.started_ns,
        "ended_ns": stage.ended_ns,
    }
    if stage.asked is not None:
        asked = stage.asked
        fields |= {
            "step": asked.step,
            "request": asked.request,
            "turn": asked.turn,
            "asked_concurrency": asked.concurrency,
            "asked_rate": asked.rate,
            "asked_input_tokens": asked.input_tokens,
            "asked_output_tokens": asked.output_tokens,
            "due_ns": asked.due_ns,
        }
    ingest = result.ingest
    if stage.stage == INGEST_STAGE and ingest is not None:
        fields |= {
            "total_duration_ms": ms(stage.ended_ns - stage.started_ns),
            "files_total": ingest.files_total,
            "data_summary": ingest.data_summary,
        }
    if stage.stage == LOAD_STAGE:
        fields["total_duration_ms"] = ms(stage.ended_ns - stage.started_ns)
    if stage.stage == "analysis":
        fields |= {
            "findings": result.findings,
            "recommendations": result.recommendations,
        }
    if stage.call is not None:
        timing, counters = stage.call.timing, stage.call.counters
        rate, source = throughput_tok_s(timing, counters)
        tokens, source_of_tokens = counted_tokens(timing, counters)
        fields |= {
            "degeneration": stage.call.degeneration,
            "suspect": stage.call.diagnosis.suspect if stage.call.diagnosis else None,
            "sent_ns": timing.sent_ns,
            "ttft_ms": ttft_ms(timing),
            "reasoning_ttft_ms": reasoning_ttft_ms(timing),
            "connect_ms": ms(timing.connect_ns),
            "arrival_clock": timing.clock,
            "throughput_tok_s": rate,
            "throughput_source": source,
            "tokens": tokens,
            "tokens_source": source_of_tokens,
            "prompt_tokens": counters.prompt_tokens,
            "cached_tokens": counters.cached_tokens,
            "total_duration_ms": duration_ms(timing),
            "prompt_eval_ms": ms(counters.prompt_eval_ns),
            "eval_ms": ms(counters.eval_ns),
            "eval_tokens": counters.eval_tokens,
            "load_ms": ms(counters.load_ns),
            "itl_mean_ms": itl_mean_ms(timing, tokens),
            "gaps_ms": gaps_ms(timing),
            "frame_tokens": frame_tokens(timing, tokens) if timing.text_ns else None,
            "response_chars": len(stage.call.text)
            if stage.call.text_chars is None
            else stage.call.text_chars,
            "reasoning_chars": stage.call.reasoning_chars,
            "text_hash": stage.call.text_hash,
            "sendings": len(stage.call.earlier_sendings) + 1,
            "applied": stage.call.applied or None,
            "finish_reason": stage.call.finish_reason,
            "structured": stage.call.structured,
            "timing": timing,
            "diagnosis": stage.call.diagnosis,
            "text": stage.call.text if stage.call.text_chars is None else None,
        }
    # Every value comes from a model that was validated, with the field's own type.
    return StageRecord.model_construct(**fields)  # type: ignore[arg-type]
