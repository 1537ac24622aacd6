"""What a reader should know of a configuration's calls, beyond what was excluded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.cold import MIN_LOADS, WARM_CEILING_MS
from analysis.exclusions import missing_stages
from analysis.models import Call, Note
from contracts.records import StageRecord

_SHORT = 0.1
_ENOUGH_FOR_A_MEDIAN = 3


def notes(records: Sequence[StageRecord], calls: Sequence[Call]) -> tuple[Note, ...]:
    """Return all notes; ``calls`` are the measured ones among ``records``."""
    return (
        *_identity(records),
        *_inferred(calls),
        *_incomplete(calls),
        *_without_throughput(calls),
        *_sources(calls),
        *_cold_unknown(calls),
        *_prompt_cache(calls),
        *_short_answers(calls),
    )


def _identity(records: Sequence[StageRecord]) -> Iterator[Note]:
    models = dict.fromkeys(record.model for record in records if record.model is not None)
    if len(models) > 1:
        yield Note(text=f"several models under one configuration's name: {', '.join(models)}")
    ids = {record.config_id for record in records if record.config_id is not None}
    given = {repr(sorted(record.parameters.items())) for record in records if record.parameters is not None}
    if len(ids) > 1 or len(given) > 1:
        yield Note(text="records with different parameters stand under one configuration's name")


def _inferred(calls: Sequence[Call]) -> Iterator[Note]:
    count = sum(call.outcome_inferred for call in calls)
    if count:
        yield Note(
            text=f"the outcome of {_of(count, calls)} is inferred, not recorded (see the validity rule)"
        )


def _incomplete(calls: Sequence[Call]) -> Iterator[Note]:
    for run, stage in missing_stages(calls):
        yield Note(run=run, stage=stage, text="no record of this stage, which other runs have")


def _without_throughput(calls: Sequence[Call]) -> Iterator[Note]:
    for call in calls:
        if call.outcome.valid and call.throughput_tok_s is None:
            text = "valid, but without a throughput: no token count or no time to divide it by"
            yield Note(run=call.run, stage=call.stage, text=text)


def _sources(calls: Sequence[Call]) -> Iterator[Note]:
    by_client = [call for call in calls if call.throughput_source == "client"]
    if by_client:
        yield Note(
            text=f"throughput of {_of(len(by_client), calls)} is the decode rate that the client saw, "
            "(tokens − 1) / (last text − first text): the server reported no eval time"
        )


def _cold_unknown(calls: Sequence[Call]) -> Iterator[Note]:
    valid = [call for call in calls if call.outcome.valid]
    unknown = [call for call in valid if call.cold is None]
    if not unknown:
        return
    if all(call.load_ms is None for call in valid):
        why = "the server reports no load time"
    elif any(call.load_ms is None for call in unknown):
        why = "the load time of some calls is not known"
    else:
        why = (
            f"fewer than {MIN_LOADS} load times are known, all are 0, or all are above {WARM_CEILING_MS:g} ms"
        )
    yield Note(text=f"cold or warm is unknown for {_of(len(unknown), valid, 'valid call')}: {why}")


def _prompt_cache(calls: Sequence[Call]) -> Iterator[Note]:
    cached = [call for call in calls if call.cached_tokens]
    if not cached:
        return
    tokens = sum(call.cached_tokens or 0 for call in cached)
    prompt = [call.prompt_tokens for call in cached]
    of_prompt = "" if None in prompt else f" of {sum(p or 0 for p in prompt)}"
    yield Note(
        text=f"{_of(len(cached), calls)} took part of the prompt from the server's prompt cache ({tokens}{of_prompt} "
        "prompt tokens): their TTFT can't be compared with that of uncached prompts"
    )


def _short_answers(calls: Sequence[Call]) -> Iterator[Note]:
    """A few words can have the best rate of a sweep: name answers below a tenth of the median length."""
    counted = [(call, call.tokens) for call in calls if call.outcome.valid and call.tokens is not None]
    if len(counted) < _ENOUGH_FOR_A_MEDIAN:
        return
    median = float(np.median([tokens for _, tokens in counted]))
    for call, tokens in counted:
        if tokens < _SHORT * median:
            text = f"only {tokens} tokens, where the median of the valid calls is {median:g}: its rate says little"
            yield Note(run=call.run, stage=call.stage, text=text)


def _of(count: int, calls: Sequence[Call], noun: str = "call") -> str:
    return f"{count} of {len(calls)} {noun}{'s' * (len(calls) != 1)}"
