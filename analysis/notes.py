"""What a reader should know of a configuration's calls, beyond what was excluded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.cold import MIN_LOADS, WARM_CEILING_MS
from analysis.exclusions import missing_stages
from analysis.judgement import first_calls_after_unload, is_unload, measured_calls
from analysis.models import Call, Note, SameText
from analysis.same_text import same_text_words
from analysis.telemetry import throttle_reasons
from contracts.records import StageRecord

MANY_SUSPECT = 0.1
"""Above this share of suspect calls, those that are left may be a selection."""
STEAL_PERCENT = 1.0
DISAGREE_PERCENT = 5.0
"""Server and client count a few tokens differently; more than that is another thing that is measured."""
_MOST_NAMED = 5
_SHORT = 0.1
_ENOUGH_FOR_A_MEDIAN = 3


def notes(
    records: Sequence[StageRecord], calls: Sequence[Call], texts: Sequence[SameText]
) -> tuple[Note, ...]:
    """Return all notes; ``calls`` are the measured ones among ``records``, in the same order."""
    measured = measured_calls(records)
    return (
        *_identity(records),
        *_suspect(calls),
        *_unload(records, calls),
        *_inferred(calls),
        *_incomplete(calls),
        *_without_throughput(calls),
        *_sources(calls),
        *_rates_disagree(measured, calls),
        *_cold_unknown(calls),
        *_prompt_cache(calls),
        *_short_answers(calls),
        *_different_texts(texts),
        *_throttled(measured),
        *_stolen(measured),
    )


def _identity(records: Sequence[StageRecord]) -> Iterator[Note]:
    models = dict.fromkeys(record.model for record in records if record.model is not None)
    if len(models) > 1:
        yield Note(
            rule="several-identities",
            text=f"several models under one configuration's name: {', '.join(models)}",
        )
    ids = {record.config_id for record in records if record.config_id is not None}
    given = {repr(sorted(record.parameters.items())) for record in records if record.parameters is not None}
    if len(ids) > 1 or len(given) > 1:
        yield Note(
            rule="several-identities",
            text="records with different parameters stand under one configuration's name",
        )


def _inferred(calls: Sequence[Call]) -> Iterator[Note]:
    count = sum(call.outcome_inferred for call in calls)
    if count:
        yield Note(
            rule="outcome-inferred",
            text=f"the outcome of {_of(count, calls)} is inferred, not recorded (see the validity rule)",
        )


def _incomplete(calls: Sequence[Call]) -> Iterator[Note]:
    for run, stage in missing_stages(calls):
        yield Note(
            rule="missing-stage", run=run, stage=stage, text="no record of this stage, which other runs have"
        )


def _without_throughput(calls: Sequence[Call]) -> Iterator[Note]:
    for call in calls:
        if call.valid and call.throughput_tok_s is None:
            text = "valid, but without a throughput: no token count or no time to divide it by"
            yield Note(rule="no-throughput", run=call.run, stage=call.stage, text=text)


def _sources(calls: Sequence[Call]) -> Iterator[Note]:
    by_client = [call for call in calls if call.throughput_source == "client"]
    if by_client:
        yield Note(
            rule="client-rate",
            text=f"throughput of {_of(len(by_client), calls)} is the decode rate that the client saw, "
            "tokens after the first frame / (last frame − first frame): the server reported no eval time",
        )


def _rates_disagree(measured: Sequence[StageRecord], calls: Sequence[Call]) -> Iterator[Note]:
    """The server's rate against tokens after the first frame / (last − first frame), which the client saw."""
    ratios = [
        100 * (record.throughput_tok_s * record.itl_mean_ms / 1e3 - 1)
        for record, call in zip(measured, calls, strict=True)
        if call.valid
        and record.throughput_source == "server"
        and record.throughput_tok_s is not None
        and record.itl_mean_ms is not None
    ]
    middle = float(np.median(ratios)) if ratios else 0.0
    if abs(middle) > DISAGREE_PERCENT:
        yield Note(
            rule="clocks-disagree",
            text=f"the server's rate is {abs(middle):.1f} % {'above' if middle > 0 else 'below'} what the client saw "
            f"(median of {_of(len(ratios), calls)}): its eval time does not cover all that its token count does, or the "
            "other way round",
        )


def _cold_unknown(calls: Sequence[Call]) -> Iterator[Note]:
    valid = [call for call in calls if call.valid]
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
    yield Note(
        rule="cold-unknown",
        text=f"cold or warm is unknown for {_of(len(unknown), valid, 'valid call')}: {why}",
    )


def _prompt_cache(calls: Sequence[Call]) -> Iterator[Note]:
    cached = [call for call in calls if call.cached_tokens]
    if not cached:
        return
    tokens = sum(call.cached_tokens or 0 for call in cached)
    prompt = [call.prompt_tokens for call in cached]
    of_prompt = "" if None in prompt else f" of {sum(p or 0 for p in prompt)}"
    yield Note(
        rule="prompt-cache",
        text=f"{_of(len(cached), calls)} took part of the prompt from the server's prompt cache ({tokens}{of_prompt} "
        "prompt tokens): their TTFT can't be compared with that of uncached prompts",
    )


def _short_answers(calls: Sequence[Call]) -> Iterator[Note]:
    """A few words can have the best rate of a sweep: name answers below a tenth of the median length."""
    counted = [(call, call.tokens) for call in calls if call.valid and call.tokens is not None]
    if len(counted) < _ENOUGH_FOR_A_MEDIAN:
        return
    median = float(np.median([tokens for _, tokens in counted]))
    for call, tokens in counted:
        if tokens < _SHORT * median:
            text = f"only {tokens} tokens, where the median of the valid calls is {median:g}: its rate says little"
            yield Note(rule="short-answer", run=call.run, stage=call.stage, text=text)


def _suspect(calls: Sequence[Call]) -> Iterator[Note]:
    suspect = sum(bool(call.suspect) for call in calls)
    if suspect > MANY_SUSPECT * len(calls):
        yield Note(
            rule="suspect-calls",
            text=f"{_of(suspect, calls)} diagnosed themselves as suspect: the worker's own delay could have changed "
            "their times. What is left may not be typical",
        )


def _unload(records: Sequence[StageRecord], calls: Sequence[Call]) -> Iterator[Note]:
    """Name unloads that failed, and those after which the first call did not load the model."""
    for record in records:
        if is_unload(record) and record.outcome is not None and not record.outcome.valid:
            text = f"the model was not unloaded before the run ({record.outcome.value}{_because(record)})"
            yield Note(rule="unload-failed", run=record.run, stage=record.stage, text=text)
    firsts = first_calls_after_unload(records)
    judged = zip(measured_calls(records), calls, strict=True)
    for record, call in judged:
        if firsts.get(record.run) is record and record.load_ms is not None and call.cold is not True:
            text = f"the model was unloaded before the run, but the server reports a load time of only {record.load_ms:.2f} ms"
            yield Note(rule="unload-failed", run=record.run, stage=record.stage, text=text)


def _because(record: StageRecord) -> str:
    return f": {record.reason}" if record.reason else ""


def _different_texts(texts: Sequence[SameText]) -> Iterator[Note]:
    for entry in texts:
        if entry.texts > 1:
            yield Note(
                rule="different-texts",
                text=f"{entry.stage}: {same_text_words(entry)}, although a seed and temperature 0 were asked for",
            )


def _throttled(measured: Sequence[StageRecord]) -> Iterator[Note]:
    """One note for each set of reasons: a power limit may hold back every call of a sweep."""
    by_reasons: dict[tuple[str, ...], list[StageRecord]] = {}
    for record in measured:
        if record.telemetry is not None and record.telemetry.throttled:
            by_reasons.setdefault(throttle_reasons(record.telemetry), []).append(record)
    for reasons, held_back in sorted(by_reasons.items()):
        why = ", ".join(reasons) or "no reason told"
        yield Note(
            rule="throttled",
            text=f"a GPU was throttled ({why}) in {_of(len(held_back), measured)}: {_named(held_back)}",
        )


def _stolen(measured: Sequence[StageRecord]) -> Iterator[Note]:
    steals = [(record, steal) for record in measured if (steal := _steal(record)) is not None]
    stolen = [(record, steal) for record, steal in steals if steal > STEAL_PERCENT]
    if stolen:
        most = max(steal for _, steal in stolen)
        yield Note(
            rule="cpu-steal",
            text=f"the hypervisor took more than {STEAL_PERCENT:g} % of the host's CPU time in "
            f"{_of(len(stolen), steals)}, up to {most:.1f} %: {_named([record for record, _ in stolen])}",
        )


def _steal(record: StageRecord) -> float | None:
    """The sampler's figure, else the one that the worker took at the call's start and end."""
    sampled = record.telemetry.cpu_steal_percent if record.telemetry is not None else None
    if sampled is None and record.diagnosis is not None:
        return record.diagnosis.host_cpu_steal_percent
    return sampled


def _named(records: Sequence[StageRecord]) -> str:
    names = [f"run {record.run} / {record.stage}" for record in records[:_MOST_NAMED]]
    more = f" and {len(records) - _MOST_NAMED} more" if len(records) > _MOST_NAMED else ""
    return ", ".join(names) + more


def _of(count: int, calls: Sequence[object], noun: str = "call") -> str:
    return f"{count} of {len(calls)} {noun}{'s' * (len(calls) != 1)}"
