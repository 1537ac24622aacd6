"""From an exchange and its reading to the call's result: the rules of the outcomes, once.

In this order:

1. an error status or a wrong content type, an error record in the stream, a frame that can't be read
   → ``server_error``;
2. the server said that the answer is complete and the transport ended well (or the protocol's last
   frame had come) → ``degenerate`` (see :mod:`worker.servers.degeneration`), else ``truncated`` at the
   length limit, else ``ok``;
3. the transport failed → ``timeout``, ``connection`` or ``server_error``, as it says;
4. the stream ended without the final record → ``aborted``.
"""

from __future__ import annotations

import hashlib

from contracts.call import CallResult, CallTiming, Degeneration, Outcome
from contracts.diagnosis import Diagnosis
from worker.measurement.diagnose import Arrival, Evidence, diagnose
from worker.measurement.timing import CallClock
from worker.servers.degeneration import REPEATED_FRAMES, degeneration, repeated_at_end
from worker.servers.framing import Frame
from worker.servers.reading import Reading
from worker.servers.stream import Exchange
from worker.servers.text import whole_characters

LENGTH_LIMIT = ("length", "limit")
"""How servers call it: Ollama and OpenAI; llama.cpp."""


def conclude(
    exchange: Exchange, reading: Reading, structured: bool, min_words: int = 0, any_text: bool = False
) -> CallResult:
    """Return the result of one call, diagnosed; ``any_text``: no repetition makes it degenerate."""
    text = whole_characters("".join(reading.pieces))
    outcome, reason, degenerate = _judge(exchange, reading, text, min_words, any_text)
    notes = [reason, *reading.notes] if reason else reading.notes
    timing = exchange.clock.timing(reading.text_ns, reading.reasoning_ns, reading.text_tokens)
    return CallResult(
        outcome=outcome,
        reason="; ".join(notes) or None,
        http_status=exchange.http_status,
        finish_reason=reading.finish_reason,
        degeneration=degenerate,
        text=text,
        text_hash=hashlib.sha256(text.encode()).hexdigest()[:16] if text else None,
        reasoning_chars=reading.reasoning_chars,
        structured=structured,
        timing=timing,
        counters=reading.counters,
        applied=reading.applied,
        earlier_sendings=tuple(exchange.earlier),
        diagnosis=_diagnosis(exchange, timing, reading),
    )


def not_sent(outcome: Outcome, reason: str) -> CallResult:
    """Return the result of a call that could not even be sent."""
    return CallResult(outcome=outcome, reason=reason, timing=CallClock().timing())


def refused(names: list[str]) -> CallResult:
    """Return the result of a call whose settings the server can't take: nothing is dropped silently."""
    return not_sent(Outcome.SERVER_ERROR, f"not sent: this server takes no {', '.join(names)} per request")


def _judge(
    exchange: Exchange, reading: Reading, text: str, min_words: int, any_text: bool
) -> tuple[Outcome, str | None, Degeneration | None]:
    if exchange.refusal is not None:
        return Outcome.SERVER_ERROR, exchange.refusal, None
    if reading.error is not None:
        return Outcome.SERVER_ERROR, f"error in the stream {_received(reading, text)}: {reading.error}", None
    if reading.malformed is not None:
        return Outcome.SERVER_ERROR, reading.malformed, None
    failed = exchange.failure
    if failed is None and not reading.finished:
        return Outcome.ABORTED, _aborted(reading, text), None
    if failed is not None and not (exchange.terminal and reading.finished):
        received = f"; {_received(reading, text)}" if reading.pieces else ""
        return failed.outcome, failed.reason + received, None
    at_limit = reading.finish_reason in LENGTH_LIMIT
    wrong = degeneration(reading.pieces, text, min_words, at_limit)
    if wrong is not None and not (any_text and wrong[0] == "repetition"):
        thought = reading.reasoning_chars
        behind = f" ({thought} characters of reasoning came before it)" if thought and not text else ""
        return Outcome.DEGENERATE, wrong[1] + behind, wrong[0]
    if at_limit:
        return Outcome.TRUNCATED, "the length limit was reached", None
    if reading.finish_reason == "abort":
        return Outcome.ABORTED, f"the server aborted the answer {_received(reading, text)}", None
    return Outcome.OK, None, None


def _diagnosis(exchange: Exchange, timing: CallTiming, reading: Reading) -> Diagnosis | None:
    if exchange.begin is None or exchange.end is None or exchange.clock.sent_ns is None:
        return None
    counters, ending, watch = reading.counters, exchange.ending, exchange.watch
    return diagnose(
        Evidence(
            timing=timing,
            write_ns=exchange.clock.write_ns,
            sent_by_kernel=exchange.clock.sent_by_kernel,
            first=None if reading.first_text is None else _arrival(exchange, reading.first_text),
            # Whatever else came with it: the stamp of a reading is that of its last byte.
            last=None if ending is None else Arrival(ending, shared=False),
            lag_max_ns=exchange.lag_max_ns,
            begin=exchange.begin,
            end=exchange.end,
            loop_lag_ns=watch.lag_ns(timing.sent_ns, timing.end_ns) if watch else None,
            server_ttft_ns=(counters.load_ns or 0) + (counters.prompt_eval_ns or 0),
        )
    )


def _arrival(exchange: Exchange, frame: Frame) -> Arrival | None:
    """Return what is known of a frame's arrival."""
    for reading, pieces in exchange.readings:
        if reading.arrived_ns == frame.arrived_ns:
            together = [other for other in exchange.frames if other.arrived_ns == frame.arrived_ns]
            before = next(place for place, other in enumerate(together) if other is frame)
            # The stamp is that of the reading's last byte: exact, unless more was sent after this frame.
            return Arrival(reading, shared=len(together) > before + 1 or pieces > before + 1)
    return None


def _aborted(reading: Reading, text: str) -> str:
    reason = f"the stream ended without the server's final record {_received(reading, text)}"
    repeated = repeated_at_end(reading.pieces)
    if repeated >= REPEATED_FRAMES:
        reason += f", the last {repeated} text frames being equal (the server's repetition guard)"
    return reason


def _received(reading: Reading, text: str) -> str:
    return f"after {len(text)} characters in {len(reading.pieces)} text frames"
