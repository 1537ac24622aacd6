"""From an exchange and its reading to the call's result: the rules of the outcomes, once.

In this order:

1. an error status or a wrong content type, an error record in the stream, a frame that can't be read
   → ``server_error``;
2. the server said that the answer is complete and the transport ended well (or the protocol's last
   frame had come) → ``degenerate`` if the text is empty or ends in one piece repeated, else
   ``truncated`` at the length limit, else ``ok``;
3. the transport failed → ``timeout``, ``connection`` or ``server_error``, as it says;
4. the stream ended without the final record → ``aborted``.
"""

from __future__ import annotations

from contracts.call import CallResult, Outcome
from worker.measurement.timing import CallClock
from worker.servers.reading import Reading
from worker.servers.stream import Exchange
from worker.servers.text import whole_characters

REPEATED_FRAMES = 31
"""As many equal text frames at the end are a repetition: Ollama's own guard ends a stream there."""


def conclude(exchange: Exchange, reading: Reading, structured: bool) -> CallResult:
    """Return the result of one call."""
    text = whole_characters("".join(reading.pieces))
    outcome, reason = _judge(exchange, reading, text)
    notes = [reason, *reading.notes] if reason else reading.notes
    return CallResult(
        outcome=outcome,
        reason="; ".join(notes) or None,
        http_status=exchange.http_status,
        finish_reason=reading.finish_reason,
        text=text,
        structured=structured,
        timing=exchange.clock.timing(reading.text_ns),
        counters=reading.counters,
    )


def not_sent(outcome: Outcome, reason: str, clock: CallClock | None = None) -> CallResult:
    """Return the result of a call that could not even be sent."""
    return CallResult(outcome=outcome, reason=reason, timing=(clock or CallClock()).timing())


def refused(names: list[str]) -> CallResult:
    """Return the result of a call whose settings the server can't take: nothing is dropped silently."""
    return not_sent(Outcome.SERVER_ERROR, f"not sent: this server takes no {', '.join(names)} per request")


def _judge(exchange: Exchange, reading: Reading, text: str) -> tuple[Outcome, str | None]:
    if exchange.refusal is not None:
        return Outcome.SERVER_ERROR, exchange.refusal
    if reading.error is not None:
        return Outcome.SERVER_ERROR, f"error in the stream {_received(reading, text)}: {reading.error}"
    if reading.malformed is not None:
        return Outcome.SERVER_ERROR, reading.malformed
    failed = exchange.failure
    if failed is None and not reading.finished:
        return Outcome.ABORTED, _aborted(reading, text)
    if failed is not None and not (exchange.terminal and reading.finished):
        received = f"; {_received(reading, text)}" if reading.pieces else ""
        return failed.outcome, failed.reason + received
    degenerate = _degenerate(reading, text)
    if degenerate is not None:
        return Outcome.DEGENERATE, degenerate
    if reading.finish_reason == "length":
        return Outcome.TRUNCATED, "the length limit was reached"
    if reading.finish_reason == "abort":
        return Outcome.ABORTED, f"the server aborted the answer {_received(reading, text)}"
    return Outcome.OK, None


def _aborted(reading: Reading, text: str) -> str:
    reason = f"the stream ended without the server's final record {_received(reading, text)}"
    repeated = _repeated_at_end(reading.pieces)
    if repeated >= REPEATED_FRAMES:
        reason += f", the last {repeated} text frames being equal (the server's repetition guard)"
    return reason


def _degenerate(reading: Reading, text: str) -> str | None:
    if not text.strip():
        reason = "the answer is empty" if not text else "the answer is nothing but white space"
        if reading.reasoning_chars:
            reason += f" ({reading.reasoning_chars} characters of reasoning came before it)"
        return reason
    repeated = _repeated_at_end(reading.pieces)
    if repeated >= REPEATED_FRAMES:
        return f"the last {repeated} text frames are equal: {reading.pieces[-1]!r:.40}"
    return None


def _repeated_at_end(pieces: list[str]) -> int:
    count = 0
    for piece in reversed(pieces):
        if piece != pieces[-1]:
            break
        count += 1
    return count


def _received(reading: Reading, text: str) -> str:
    return f"after {len(text)} characters in {len(reading.pieces)} text frames"
