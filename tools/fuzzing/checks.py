"""What must hold for the result of every call, whatever the server sent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator

from contracts.call import CallResult, Outcome, ServerCounters

NS_PER_MS = 1_000_000
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_COUNTS = ("prompt_tokens", "cached_tokens", "tokens")
_TIMES = ("prompt_eval_ns", "eval_ns", "load_ns", "total_ns")
COMPLETE = (Outcome.OK, Outcome.TRUNCATED, Outcome.DEGENERATE)


def problems(result: CallResult, body: bytes) -> Iterator[str]:
    """Yield what is wrong with the result of a response with this body."""
    if CallResult.model_validate_json(result.model_dump_json()) != result:
        yield "it does not come back from JSON as it was"
    yield from _outcome(result)
    yield from _times(result)
    yield from _invented(result, body)


def _outcome(result: CallResult) -> Iterator[str]:
    if result.outcome is Outcome.TIMEOUT:
        yield "it waited for more after the connection's end"
    if result.outcome is not Outcome.OK and not result.reason:
        yield f"{result.outcome} without a reason"
    if (result.degeneration is not None) != (result.outcome is Outcome.DEGENERATE):
        yield f"{result.outcome} with degeneration {result.degeneration}"
    if result.outcome in COMPLETE and result.http_status != 200:
        yield f"{result.outcome} with HTTP {result.http_status}"
    if len(result.reason or "") > 4_000:
        yield f"a reason of {len(result.reason or '')} characters"
    digest = hashlib.sha256(result.text.encode()).hexdigest()[:16] if result.text else None
    if result.text_hash != digest:
        yield "the hash is not that of the text"


def _times(result: CallResult) -> Iterator[str]:
    timing = result.timing
    points = [timing.sent_ns, timing.headers_ns, *timing.text_ns]
    known = [point for point in points if point is not None]
    if known != sorted(known) or list(timing.reasoning_ns) != sorted(timing.reasoning_ns):
        yield f"times go backwards: {points}"
    if known[-1] > timing.end_ns:
        yield "text came after the end"
    if timing.text_tokens is not None and len(timing.text_tokens) != len(timing.text_ns):
        yield "as many token counts as frames are needed"
    if bool(result.text) != bool(timing.text_ns):
        yield "text without its times, or the other way round"


def _invented(result: CallResult, body: bytes) -> Iterator[str]:
    """Every counter must stand in the body: as it is, in milliseconds, or as a sum of two."""
    counters = result.counters
    numbers = set(_numbers(body))
    for name in _COUNTS:
        value = getattr(counters, name)
        if (
            value is not None
            and value not in numbers
            and not (name == "prompt_tokens" and any(value - number in numbers for number in numbers))
        ):
            yield f"{name} {value} was not sent"
    for name in _TIMES:
        value = getattr(counters, name)
        if value is not None and not any(value in (round(n), round(n * NS_PER_MS)) for n in numbers):
            yield f"{name} {value} was not sent"
    yield from _covered(counters)
    for name, value in result.applied.items():
        if not any(abs(value - number) <= 1e-6 * abs(number) for number in numbers):
            yield f"{name} {value} was not applied"


def _covered(counters: ServerCounters) -> Iterator[str]:
    covered = counters.eval_tokens
    if covered is None:
        return
    if counters.tokens is None or counters.eval_ns is None:
        yield "eval_tokens without tokens or their time"
    elif covered not in (counters.tokens, counters.tokens - 1, counters.tokens - 2):
        yield f"eval_tokens {covered} of {counters.tokens}"


def _numbers(body: bytes) -> Iterator[float]:
    for match in _NUMBER.finditer(body):
        try:
            value = json.loads(match.group())
        except ValueError:
            continue  # with leading zeros, or of too many digits: it is no number in JSON either
        if abs(value) < 1e19:
            yield value
