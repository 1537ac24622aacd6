"""Stage records → calls with an outcome and cold or warm, by the stated rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.cold import classify
from analysis.models import Call
from analysis.validity import infer_outcome, is_no_measurement
from contracts.call import Outcome
from contracts.records import INGEST_STAGE, StageRecord

UNLOAD_STAGE = "unload"
"""The model was taken out of the server's memory before the run; no call."""

_STAGE_RANK = {UNLOAD_STAGE: 0, "warmup": 1, INGEST_STAGE: 2, "analysis": 3, "report": 4}


def in_order(records: Iterable[StageRecord]) -> list[StageRecord]:
    """Sort by run and known stage; else keep the order. Jobs end in any order, a summary has one."""
    return sorted(records, key=lambda r: (r.run, _STAGE_RANK.get(r.stage, len(_STAGE_RANK))))


def judge(records: Sequence[StageRecord]) -> tuple[list[Call], list[Call]]:
    """Return the measured calls and the warm-up calls of one configuration and agent.

    Ingest and unload are no calls. Warm-up calls serve as further load times for the cold rule, and for
    nothing else. ``records`` are in order (:func:`in_order`).
    """
    of_calls = [record for record in records if is_call(record)]
    first = first_calls_after_unload(records)
    colds = classify(
        [None if is_no_measurement(record) else record.load_ms for record in of_calls],
        [first.get(record.run) is record for record in of_calls],
    )
    measured: list[Call] = []
    warmups: list[Call] = []
    for record, cold in zip(of_calls, colds, strict=True):
        (warmups if record.phase == "warmup" else measured).append(_call(record, cold))
    return measured, warmups


def is_call(record: StageRecord) -> bool:
    """Whether the stage is an LLM call."""
    return record.stage != INGEST_STAGE and not is_unload(record)


def is_unload(record: StageRecord) -> bool:
    """Whether the stage took the model out of the server's memory."""
    return record.stage == UNLOAD_STAGE and record.phase == "warmup"


def measured_calls(records: Iterable[StageRecord]) -> list[StageRecord]:
    """Return the records of the measured calls: those that :func:`judge` makes calls of, in their order."""
    return [record for record in records if is_call(record) and record.phase == "measured"]


def first_calls_after_unload(records: Sequence[StageRecord]) -> dict[int, StageRecord]:
    """Return run → its first call, of the runs before which the model was unloaded with success."""
    unloaded = {r.run for r in records if is_unload(r) and (r.outcome is None or r.outcome.valid)}
    first: dict[int, StageRecord] = {}
    for record in records:
        if record.run in unloaded and is_call(record):
            first.setdefault(record.run, record)
    return first


def _call(record: StageRecord, cold: bool | None) -> Call:
    outcome, reason, inferred = infer_outcome(record)
    return Call(
        run=record.run,
        stage=record.stage,
        outcome=outcome,
        outcome_inferred=inferred,
        reason=reason,
        degeneration=record.degeneration if outcome is Outcome.DEGENERATE else None,
        suspect=record.suspect,
        cold=cold,
        ttft_ms=record.ttft_ms,
        throughput_tok_s=record.throughput_tok_s,
        throughput_source=record.throughput_source,
        tokens=record.tokens,
        prompt_tokens=record.prompt_tokens,
        cached_tokens=record.cached_tokens,
        duration_ms=record.total_duration_ms,
        prompt_eval_ms=record.prompt_eval_ms,
        eval_ms=record.eval_ms,
        eval_tokens=record.eval_tokens,
        load_ms=record.load_ms,
        response_chars=record.response_chars,
        text_hash=record.text_hash,
    )
