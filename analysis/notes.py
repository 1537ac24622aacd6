"""What a reader should know of a configuration's calls, beyond what was excluded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.cold import MIN_LOADS, WARM_CEILING_MS
from analysis.exclusions import missing_stages
from analysis.judgement import UNLOAD_STAGE
from analysis.models import Note, SameText
from analysis.rows import Sampled
from analysis.same_text import same_text_words
from analysis.table import Calls, Columns, known
from contracts.call import Outcome
from contracts.records import REQUEST_STAGE

MANY_SUSPECT = 0.1
"""Above this share of suspect calls, those that are left may be a selection."""
STEAL_PERCENT = 1.0
DISAGREE_PERCENT = 5.0
"""Server and client count a few tokens differently; more than that is another thing that is measured."""
_MOST_NAMED = 5
_SHORT = 0.1
_ENOUGH_FOR_A_MEDIAN = 3
_THROTTLED, _REASONS, _STEAL = (
    Sampled._fields.index(name) for name in ("throttled", "reasons", "cpu_steal_percent")
)


def notes(stages: Columns, calls: Calls, valid: Calls, texts: Sequence[SameText]) -> tuple[Note, ...]:
    """Return all notes; ``calls`` are the measured ones among ``stages``, ``valid`` the valid ones among these."""
    if (
        REQUEST_STAGE in calls.stage
    ):  # of a load its own figures speak: single requests are many, short ones meant
        return (*_identity(stages), *_suspect(calls), *_inferred(calls), *_sources(calls))
    return (
        *_identity(stages),
        *_suspect(calls),
        *_unload(stages, calls),
        *_inferred(calls),
        *_incomplete(calls),
        *_without_throughput(valid),
        *_sources(calls),
        *_rates_disagree(calls, valid),
        *_cold_unknown(valid),
        *_prompt_cache(calls),
        *_short_answers(valid),
        *_different_texts(texts),
        *_throttled(calls),
        *_stolen(calls),
    )


def _identity(stages: Columns) -> Iterator[Note]:
    models = list(dict.fromkeys(known(stages.model)))
    if len(models) > 1:
        yield Note(
            rule="several-identities",
            text=f"several models under one configuration's name: {', '.join(models)}",
        )
    given = known(stages.parameters)
    if len(set(known(stages.config_id))) > 1 or any(one is not given[0] and one != given[0] for one in given):
        yield Note(
            rule="several-identities",
            text="records with different parameters stand under one configuration's name",
        )


def _inferred(calls: Calls) -> Iterator[Note]:
    count = sum(calls.inferred)
    if count:
        yield Note(
            rule="outcome-inferred",
            text=f"the outcome of {_of(count, len(calls))} is inferred, not recorded (see the validity rule)",
        )


def _incomplete(calls: Calls) -> Iterator[Note]:
    for run, stage in missing_stages(calls):
        yield Note(
            rule="missing-stage", run=run, stage=stage, text="no record of this stage, which other runs have"
        )


def _without_throughput(valid: Calls) -> Iterator[Note]:
    if None in valid.throughput_tok_s:
        for run, stage, rate in zip(valid.run, valid.stage, valid.throughput_tok_s, strict=True):
            if rate is None:
                text = "valid, but without a throughput: no token count or no time to divide it by"
                yield Note(rule="no-throughput", run=run, stage=stage, text=text)


def _sources(calls: Calls) -> Iterator[Note]:
    by_client = calls.throughput_source.count("client")
    if by_client:
        yield Note(
            rule="client-rate",
            text=f"throughput of {_of(by_client, len(calls))} is the decode rate that the client saw, "
            "tokens after the first frame / (last frame − first frame): the server reported no eval time",
        )


def _rates_disagree(calls: Calls, valid: Calls) -> Iterator[Note]:
    """The server's rate against tokens after the first frame / (last − first frame), which the client saw."""
    ratios = [
        100 * (rate * itl_ms / 1e3 - 1)
        for rate, itl_ms, source in zip(
            valid.throughput_tok_s, valid.itl_mean_ms, valid.throughput_source, strict=True
        )
        if source == "server" and rate is not None and itl_ms is not None
    ]
    middle = float(np.median(ratios)) if ratios else 0.0
    if abs(middle) > DISAGREE_PERCENT:
        yield Note(
            rule="clocks-disagree",
            text=f"the server's rate is {abs(middle):.1f} % {'above' if middle > 0 else 'below'} what the client saw "
            f"(median of {_of(len(ratios), len(calls))}): its eval time does not cover all that its token count does, or the "
            "other way round",
        )


def _cold_unknown(valid: Calls) -> Iterator[Note]:
    unknown = valid.cold.count(None)
    if not unknown:
        return
    loads = [load for load, cold in zip(valid.load_ms, valid.cold, strict=True) if cold is None]
    if not known(valid.load_ms):
        why = "the server reports no load time"
    elif None in loads:
        why = "the load time of some calls is not known"
    else:
        why = (
            f"fewer than {MIN_LOADS} load times are known, all are 0, or all are above {WARM_CEILING_MS:g} ms"
        )
    yield Note(
        rule="cold-unknown",
        text=f"cold or warm is unknown for {_of(unknown, len(valid), 'valid call')}: {why}",
    )


def _prompt_cache(calls: Calls) -> Iterator[Note]:
    cached = [
        (tokens, prompt)
        for tokens, prompt in zip(calls.cached_tokens, calls.prompt_tokens, strict=True)
        if tokens
    ]
    if not cached:
        return
    tokens = sum(count for count, _ in cached)
    prompts = [prompt for _, prompt in cached]
    of_prompt = "" if None in prompts else f" of {sum(known(prompts))}"
    yield Note(
        rule="prompt-cache",
        text=f"{_of(len(cached), len(calls))} took part of the prompt from the server's prompt cache ({tokens}{of_prompt} "
        "prompt tokens): their TTFT can't be compared with that of uncached prompts",
    )


def _short_answers(valid: Calls) -> Iterator[Note]:
    """A few words can have the best rate of a sweep: name answers below a tenth of the median length."""
    counted = known(valid.tokens)
    if len(counted) < _ENOUGH_FOR_A_MEDIAN:
        return
    median = float(np.median(counted))
    if min(counted) >= _SHORT * median:
        return
    for run, stage, tokens in zip(valid.run, valid.stage, valid.tokens, strict=True):
        if tokens is not None and tokens < _SHORT * median:
            text = f"only {tokens} tokens, where the median of the valid calls is {median:g}: its rate says little"
            yield Note(rule="short-answer", run=run, stage=stage, text=text)


def _suspect(calls: Calls) -> Iterator[Note]:
    suspect = sum(map(bool, calls.suspect))
    if suspect > MANY_SUSPECT * len(calls):
        yield Note(
            rule="suspect-calls",
            text=f"{_of(suspect, len(calls))} diagnosed themselves as suspect: the worker's own delay could have changed "
            "their times. What is left may not be typical",
        )


def _unload(stages: Columns, calls: Calls) -> Iterator[Note]:
    """Name unloads that failed, and those after which the first call did not load the model."""
    if UNLOAD_STAGE not in stages.stage:
        return
    for run, stage, warmup, recorded, reason in zip(
        stages.run, stages.stage, stages.warmup, stages.outcome, stages.reason, strict=True
    ):
        if warmup and stage == UNLOAD_STAGE and recorded is not None and not Outcome(recorded).valid:
            because = f": {reason}" if reason else ""
            text = f"the model was not unloaded before the run ({recorded}{because})"
            yield Note(rule="unload-failed", run=run, stage=stage, text=text)
    for run, stage, first, load_ms, cold in zip(
        calls.run, calls.stage, calls.after_unload, calls.load_ms, calls.cold, strict=True
    ):
        if first and load_ms is not None and cold is not True:
            text = f"the model was unloaded before the run, but the server reports a load time of only {load_ms:.2f} ms"
            yield Note(rule="unload-failed", run=run, stage=stage, text=text)


def _different_texts(texts: Sequence[SameText]) -> Iterator[Note]:
    for entry in texts:
        if entry.texts > 1:
            yield Note(
                rule="different-texts",
                text=f"{entry.stage}: {same_text_words(entry)}, although a seed and temperature 0 were asked for",
            )


def _throttled(calls: Calls) -> Iterator[Note]:
    """One note for each set of reasons: a power limit may hold back every call of a sweep."""
    by_reasons: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for run, stage, one in zip(calls.run, calls.stage, calls.sampled, strict=True):
        if one is not None and one[_THROTTLED]:
            by_reasons.setdefault(tuple(one[_REASONS]), []).append((run, stage))
    for reasons, held_back in sorted(by_reasons.items()):
        why = ", ".join(reasons) or "no reason told"
        yield Note(
            rule="throttled",
            text=f"a GPU was throttled ({why}) in {_of(len(held_back), len(calls))}: {_named(held_back)}",
        )


def _stolen(calls: Calls) -> Iterator[Note]:
    """By the sampler's figure, else by the one that the worker took at the call's start and end."""
    sampled = (one[_STEAL] if one is not None else None for one in calls.sampled)
    steals = [
        theirs if theirs is not None else own
        for theirs, own in zip(sampled, calls.host_steal_percent, strict=True)
    ]
    told = known(steals)
    most = max(told, default=0.0)
    if most > STEAL_PERCENT:
        stolen = [
            (run, stage)
            for run, stage, steal in zip(calls.run, calls.stage, steals, strict=True)
            if steal is not None and steal > STEAL_PERCENT
        ]
        yield Note(
            rule="cpu-steal",
            text=f"the hypervisor took more than {STEAL_PERCENT:g} % of the host's CPU time in "
            f"{_of(len(stolen), len(told))}, up to {most:.1f} %: {_named(stolen)}",
        )


def _named(places: Sequence[tuple[int, str]]) -> str:
    names = [f"run {run} / {stage}" for run, stage in places[:_MOST_NAMED]]
    more = f" and {len(places) - _MOST_NAMED} more" if len(places) > _MOST_NAMED else ""
    return ", ".join(names) + more


def _of(count: int, total: int, noun: str = "call") -> str:
    return f"{count} of {total} {noun}{'s' * (total != 1)}"
