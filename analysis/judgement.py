"""Stage records → calls with an outcome and cold or warm, by the stated rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.cold import classify
from analysis.models import Call
from analysis.validity import infer_outcome, is_no_measurement
from contracts.records import INGEST_STAGE, StageRecord

_STAGE_RANK = {"warmup": 0, INGEST_STAGE: 1, "analysis": 2, "report": 3}


def in_order(records: Iterable[StageRecord]) -> list[StageRecord]:
    """Sort by run and known stage; else keep the order. Jobs end in any order, a summary has one."""
    return sorted(records, key=lambda r: (r.run, _STAGE_RANK.get(r.stage, len(_STAGE_RANK))))


def judge(records: Sequence[StageRecord]) -> tuple[list[Call], list[Call]]:
    """Return the measured calls and the warm-up calls of one configuration and agent.

    Ingest is no call. Warm-up calls serve as further load times for the cold rule, and for nothing else.
    """
    of_calls = [record for record in records if record.stage != INGEST_STAGE]
    colds = classify([None if is_no_measurement(record) else record.load_ms for record in of_calls])
    measured: list[Call] = []
    warmups: list[Call] = []
    for record, cold in zip(of_calls, colds, strict=True):
        (warmups if record.phase == "warmup" else measured).append(_call(record, cold))
    return measured, warmups


def _call(record: StageRecord, cold: bool | None) -> Call:
    outcome, reason, inferred = infer_outcome(record)
    return Call(
        run=record.run,
        stage=record.stage,
        outcome=outcome,
        outcome_inferred=inferred,
        reason=reason,
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
    )
