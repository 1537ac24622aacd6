"""Rows of stages → calls with an outcome and cold or warm, by the stated rules."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress

from analysis.cold import classify
from analysis.models import Call
from analysis.rows import Row
from analysis.table import Calls, Columns, Values
from analysis.validity import infer_outcome
from contracts.call import Outcome
from contracts.records import INGEST_STAGE, LOAD_STAGE, REQUEST_STAGE

UNLOAD_STAGE = "unload"
"""The model was taken out of the server's memory before the run; no call."""

NO_CALLS = frozenset({INGEST_STAGE, LOAD_STAGE})
"""Measured stages that hold no call of their own."""

_STAGE_RANK = {
    UNLOAD_STAGE: 0,
    "warmup": 1,
    INGEST_STAGE: 2,
    LOAD_STAGE: 2,
    "analysis": 3,
    "report": 4,
    REQUEST_STAGE: 5,
}
_RUN, _STAGE, _STEP, _REQUEST = (Row._fields.index(name) for name in ("run", "stage", "step", "request"))
_OUTCOMES: dict[str | None, Outcome | None] = {None: None, **{o.value: o for o in Outcome}}
_OK, _TRUNCATED = Outcome.OK, Outcome.TRUNCATED
_VALID: dict[str | None, bool] = {None: True, **{o.value: o.valid for o in Outcome}}


def rank_of(stage: str) -> int:
    """Return the place of a stage in its run; stages that are not known come last, in the order of their records."""
    return _STAGE_RANK.get(stage, len(_STAGE_RANK))


def in_order(rows: Iterable[Values]) -> list[Values]:
    """Sort by run and known stage; else keep the order. Jobs end in any order, a summary has one."""
    last = len(_STAGE_RANK)
    return sorted(
        rows,
        key=lambda row: (row[_RUN], _STAGE_RANK.get(row[_STAGE], last), row[_STEP] or 0, row[_REQUEST] or 0),
    )


def judge(stages: Columns) -> tuple[Calls, Calls]:
    """Return the measured calls and the warm-up calls of one configuration and agent.

    Ingest, unload and a load as a whole are no calls. Warm-up calls serve as further load times for the cold rule, and for
    nothing else. ``stages`` are in order (:func:`in_order`).
    """
    called = [
        stage not in NO_CALLS and not (warmup and stage == UNLOAD_STAGE)
        for stage, warmup in zip(stages.stage, stages.warmup, strict=True)
    ]
    calls = Columns(list(compress(stages.rows, called)))
    nothing = [
        not (tokens or prompt or decode or load)
        for tokens, prompt, decode, load in zip(
            calls.tokens, calls.prompt_eval_ms, calls.eval_ms, calls.load_ms, strict=True
        )
    ]
    first = _first_after_unload(stages, calls)
    loads = [None if none else load for none, load in zip(nothing, calls.load_ms, strict=True)]
    measured: list[Values] = []
    warmups: list[Values] = []
    for row, none, recorded, cold, after, warmup, suspect, tokens, reason, chars in zip(
        calls.rows,
        nothing,
        calls.outcome,
        classify(loads, first),
        first,
        calls.warmup,
        calls.suspect,
        calls.tokens,
        calls.reason,
        calls.response_chars,
        strict=True,
    ):
        outcome, why, inferred = infer_outcome(_OUTCOMES[recorded], reason, tokens, nothing=none, chars=chars)
        succeeded = outcome is _OK or outcome is _TRUNCATED
        valid = succeeded and not suspect
        judged = (*row, outcome, succeeded, why, inferred, cold, valid, after)
        (warmups if warmup else measured).append(judged)
    return Calls(measured), Calls(warmups)


def unloaded_runs(stages: Columns) -> set[int]:
    """Return the runs before which the model was unloaded with success."""
    if UNLOAD_STAGE not in stages.stage:
        return set()
    return {
        run
        for run, stage, warmup, outcome in zip(
            stages.run, stages.stage, stages.warmup, stages.outcome, strict=True
        )
        if warmup and stage == UNLOAD_STAGE and _VALID[outcome]
    }


def call_of(row: Values) -> Call:
    """Return one call of :class:`analysis.table.Calls` as a summary holds it."""
    one = dict(zip(Calls.NAMES, row, strict=True))
    outcome = one["judged"]
    return Call(
        run=one["run"],
        stage=one["stage"],
        step=one["step"],
        request=one["request"],
        outcome=outcome,
        outcome_inferred=one["inferred"],
        reason=one["why"],
        degeneration=one["degeneration"] if outcome is Outcome.DEGENERATE else None,
        suspect=one["suspect"],
        cold=one["cold"],
        ttft_ms=one["ttft_ms"],
        throughput_tok_s=one["throughput_tok_s"],
        throughput_source=one["throughput_source"],
        tokens=one["tokens"],
        prompt_tokens=one["prompt_tokens"],
        cached_tokens=one["cached_tokens"],
        duration_ms=one["total_duration_ms"],
        prompt_eval_ms=one["prompt_eval_ms"],
        eval_ms=one["eval_ms"],
        eval_tokens=one["eval_tokens"],
        load_ms=one["load_ms"],
        response_chars=one["response_chars"],
        text_hash=one["text_hash"],
    )


def _first_after_unload(stages: Columns, calls: Columns) -> list[bool]:
    """Whether each call is the first of its run, and the model was unloaded before it."""
    waiting = unloaded_runs(stages)
    if not waiting:
        return [False] * len(calls)
    found = []
    for run in calls.run:
        found.append(run in waiting)
        waiting.discard(run)
    return found
