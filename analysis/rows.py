"""One stage of one run as a row, and many rows as columns: what the statistics of a configuration read.

A row is made of a record (:func:`row_of`) and holds only what figures are made of: no text, no times of single tokens.
A sweep of 100,000 jobs has 600,000 of them, so they are plain tuples, and functions over them work column by column.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from analysis.gaps import packed_gaps
from contracts.call import Degeneration
from contracts.formulas import itl_gaps_ms
from contracts.records import StageRecord
from contracts.telemetry import GpuTelemetry, StageTelemetry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LATEST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The last time of the calendar, as a row's ``started_us``."""


class Sampled(NamedTuple):
    """What telemetry tells of one stage (:class:`contracts.telemetry.StageTelemetry`); ``None``: not known."""

    samples: int
    gpus: int | None
    power_w: float | None
    energy_j: float | None
    peak_memory_bytes: int | None
    """The highest of any GPU, as is the one below."""
    peak_temperature_c: int | None
    throttled: bool | None
    reasons: tuple[str, ...]
    """What held back any of the GPUs, sorted."""
    cpu_busy_percent: float | None
    cpu_steal_percent: float | None


class Row(NamedTuple):
    """One stage. Names are those of :class:`contracts.records.StageRecord`; those before ``agent`` are the same in a whole run of one agent."""

    config: str
    run: int
    config_id: str | None
    model: str | None
    parameters: dict[str, int | float] | None
    block: int | None
    load: int | None
    slot: str | None
    pool: str | None
    host: str | None
    model_digest: str | None
    quantisation: str | None
    context: int | None
    model_layers: int | None
    model_context_max: int | None
    model_vram_bytes: int | None
    wall_s: float | None
    attempt: int | None
    exec_s: float | None
    agents: int | None
    server: str | None
    agent: str
    stage: str
    warmup: bool
    """Its phase is not ``measured``."""
    outcome: str | None
    reason: str | None
    degeneration: Degeneration | None
    suspect: tuple[str, ...] | None
    ttft_ms: float | None
    reasoning_ttft_ms: float | None
    connect_ms: float | None
    arrival_clock: str | None
    throughput_tok_s: float | None
    throughput_source: Literal["server", "client"] | None
    tokens: int | None
    prompt_tokens: int | None
    cached_tokens: int | None
    total_duration_ms: float | None
    prompt_eval_ms: float | None
    eval_ms: float | None
    eval_tokens: int | None
    load_ms: float | None
    itl_mean_ms: float | None
    frame_tokens: str | None
    gaps: bytes | None
    """Its single gaps, counted (:mod:`analysis.gaps`); ``None``: none is an inter-token latency."""
    response_chars: int | None
    text_hash: str | None
    has_text: bool
    sendings: int | None
    applied: dict[str, int | float] | None
    loop_lag_max_ns: int | None
    arrival_lag_max_ns: int | None
    host_steal_percent: float | None
    """As the worker took it at the call's start and end."""
    sampled: tuple[Any, ...] | None
    """A :class:`Sampled`."""
    started_us: int | None
    """µs since 1970, UTC."""
    started_ns: int | None
    ended_ns: int | None
    sent_ns: int | None
    tokens_source: str | None
    step: int | None
    request: int | None
    asked_concurrency: int | None
    asked_rate: float | None
    due_ns: int | None


OF_RUN = Row._fields.index("agent")
"""Columns that are the same in a whole run of our own."""


def row_of(record: StageRecord) -> Row:
    """Return the row of a record."""
    diagnosis, telemetry = record.diagnosis, record.telemetry
    return Row(
        record.config,
        record.run,
        record.config_id,
        record.model,
        record.parameters,
        record.block,
        record.load,
        record.slot,
        record.pool,
        record.host,
        record.model_digest,
        record.quantisation,
        record.context,
        record.model_layers,
        record.model_context_max,
        record.model_vram_bytes,
        record.wall_s,
        record.attempt,
        record.exec_s,
        record.agents,
        record.server,
        record.agent,
        record.stage,
        record.phase == "warmup",
        None if record.outcome is None else record.outcome.value,
        record.reason,
        record.degeneration,
        record.suspect,
        record.ttft_ms,
        record.reasoning_ttft_ms,
        record.connect_ms,
        record.arrival_clock,
        record.throughput_tok_s,
        record.throughput_source,
        record.tokens,
        record.prompt_tokens,
        record.cached_tokens,
        record.total_duration_ms,
        record.prompt_eval_ms,
        record.eval_ms,
        record.eval_tokens,
        record.load_ms,
        record.itl_mean_ms,
        record.frame_tokens,
        packed_gaps(_itl_gaps(record)),
        record.response_chars,
        record.text_hash,
        bool(record.text),
        record.sendings,
        record.applied,
        diagnosis.loop_lag_max_ns if diagnosis else None,
        diagnosis.arrival_lag_max_ns if diagnosis else None,
        diagnosis.host_cpu_steal_percent if diagnosis else None,
        _sampled(telemetry) if telemetry else None,
        None if record.started_at is None else (record.started_at - _EPOCH) // _MICROSECOND,
        record.started_ns,
        record.ended_ns,
        record.sent_ns,
        record.tokens_source,
        record.step,
        record.request,
        record.asked_concurrency,
        record.asked_rate,
        record.due_ns,
    )


def time_of(microseconds: int) -> datetime:
    """Return the UTC time of a row's ``started_us``.

    Raises:
        OverflowError: it is beyond the calendar.
    """
    return _EPOCH + timedelta(microseconds=microseconds)


def power_w(telemetry: StageTelemetry) -> float | None:
    """Mean power of all sampled GPUs together, W; ``None`` where there is none or one is not known."""
    powers = [gpu.mean_power_w for gpu in telemetry.gpus or ()]
    known = [power for power in powers if power is not None]
    return sum(known) if known and len(known) == len(powers) else None


def _sampled(telemetry: StageTelemetry) -> Sampled:
    gpus: Sequence[GpuTelemetry] = telemetry.gpus or ()
    return Sampled(
        telemetry.samples,
        None if telemetry.gpus is None else len(telemetry.gpus),
        power_w(telemetry),
        telemetry.energy_j,
        max((g.peak_memory_bytes for g in gpus if g.peak_memory_bytes is not None), default=None),
        max((g.peak_temperature_c for g in gpus if g.peak_temperature_c is not None), default=None),
        telemetry.throttled,
        tuple(sorted({reason for gpu in gpus for reason in gpu.throttle_reasons or ()})),
        telemetry.cpu_busy_percent,
        telemetry.cpu_steal_percent,
    )


def _itl_gaps(record: StageRecord) -> Sequence[float]:
    """Single gaps where the tokens of each frame are known: elsewhere a gap is no inter-token latency."""
    if record.timing is not None:
        return itl_gaps_ms(record.timing, record.tokens) or ()
    return (record.gaps_ms or ()) if record.frame_tokens == "one" else ()
