"""Reads the chunks of OpenAI's streams, chat and plain, and llama.cpp's ``timings`` in them."""

from __future__ import annotations

from typing import Any

from contracts.call import ServerCounters
from worker.servers.counters import CounterReader
from worker.servers.framing import Frame
from worker.servers.reading import Malformed, Reading, objects
from worker.servers.text import error_message, excerpt

NS_PER_MS = 1_000_000


def read_completion(frames: list[Frame]) -> Reading:
    """Read a stream up to ``[DONE]``; a finish reason or ``[DONE]`` says that the answer is complete."""
    reading = Reading()
    chunks, done = _before_done(frames)
    usage: dict[str, Any] = {}
    timings: dict[str, Any] = {}
    running = _RunningCount()
    for frame, chunk in objects(chunks, reading):
        reading.error = stream_error(frame, chunk)
        if reading.error is not None:
            break
        try:
            _read_choice(frame, chunk, reading, running.tokens_of(chunk))
        except Malformed as error:
            reading.malformed = str(error)
            break
        usage = _dict(chunk.get("usage")) or usage
        timings = _dict(chunk.get("timings")) or timings
    reading.finished = reading.finished or done
    reading.counters = counters_of(usage, timings, reading)
    return reading


def _before_done(frames: list[Frame]) -> tuple[list[Frame], bool]:
    for place, frame in enumerate(frames):
        if frame.data.strip() == b"[DONE]":
            return frames[:place], True
    return frames, False


def stream_error(frame: Frame, chunk: dict[str, Any]) -> str | None:
    """Return the message of an error record or an event of that type; ``None`` if it is neither."""
    message = error_message(chunk)
    if message is None and frame.event == "error":
        said = chunk.get("message")
        message = excerpt(said) if isinstance(said, str) else excerpt(frame.data)
    return message


class _RunningCount:
    """The tokens of each chunk, where every chunk has a running count (vLLM's continuous_usage_stats)."""

    def __init__(self) -> None:
        self._before = 0

    def tokens_of(self, chunk: dict[str, Any]) -> int | None:
        usage = chunk.get("usage")
        if not isinstance(usage, dict):
            return None
        total = CounterReader().count("completion_tokens", usage.get("completion_tokens"))
        if total is None or total < self._before:
            return None
        tokens, self._before = total - self._before, total
        return tokens


def _read_choice(frame: Frame, chunk: dict[str, Any], reading: Reading, tokens: int | None) -> None:
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return
    delta = _dict(choice.get("delta"))
    # vLLM renamed reasoning_content to reasoning.
    thought = delta.get("reasoning_content") or delta.get("reasoning")
    text, what = delta.get("content"), "'delta.content'"
    if text is None:
        text, what = choice.get("text"), "'text'"
    # Where a chunk holds both, nobody tells how many tokens are the answer's.
    reading.add_text(frame, text, what, None if thought else tokens)
    reading.add_reasoning(frame, thought)
    reading.add_finish_reason(choice.get("finish_reason"))


def counters_of(usage: dict[str, Any], timings: dict[str, Any], reading: Reading) -> ServerCounters:
    """Return the counters of OpenAI's ``usage`` and llama.cpp's ``timings``; the second go before."""
    counter = CounterReader()
    details = _dict(usage.get("prompt_tokens_details"))
    prompt = counter.count("prompt_tokens", usage.get("prompt_tokens"))
    cached = counter.count("cached_tokens", details.get("cached_tokens"))
    tokens = counter.count("completion_tokens", usage.get("completion_tokens"))
    evaluated = counter.count("prompt_n", timings.get("prompt_n"))
    reused = counter.count("cache_n", timings.get("cache_n"))
    generated = counter.count("predicted_n", timings.get("predicted_n"))
    tokens = generated if generated is not None else tokens
    prompt_eval_ns = counter.nanoseconds("prompt_ms", timings.get("prompt_ms"), NS_PER_MS)
    eval_ns = counter.nanoseconds("predicted_ms", timings.get("predicted_ms"), NS_PER_MS)
    if generated is not None and generated < 2:
        # llama.cpp's decode time begins at the first token: with one it writes a placeholder of 1 µs.
        eval_ns = None
    reading.notes += counter.notes
    return ServerCounters(
        prompt_tokens=evaluated + reused if evaluated is not None and reused is not None else prompt,
        cached_tokens=reused if reused is not None else cached,
        tokens=tokens,
        prompt_eval_ns=prompt_eval_ns,
        eval_ns=eval_ns,
        eval_tokens=_covered(generated, timings) if eval_ns is not None else None,
    )


def _covered(generated: int | None, timings: dict[str, Any]) -> int | None:
    """Return how many tokens ``predicted_ms`` covers, by the rate that llama.cpp itself gives for it."""
    rate = CounterReader().number("predicted_per_second", timings.get("predicted_per_second"))
    if generated is None or rate is None:
        return generated
    covered = round(rate * timings["predicted_ms"] / 1e3)
    return covered if covered == generated - 1 else generated


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
