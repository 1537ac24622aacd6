"""The formulas of every metric of a call, once. Times in, milliseconds or tokens per second out.

All return ``None`` where an input is missing, or where the quotient would have no meaning.
"""

from __future__ import annotations

import itertools
from typing import Literal

from contracts.call import CallTiming, ServerCounters

NS_PER_MS = 1e6
NS_PER_S = 1e9


def ms(nanoseconds: int | None) -> float | None:
    """Nanoseconds → milliseconds."""
    return None if nanoseconds is None else nanoseconds / NS_PER_MS


def ttft_ms(timing: CallTiming) -> float | None:
    """Time to first token: from sending to the first non-empty piece of text, ms (client wall time)."""
    return ms(timing.text_ns[0] - timing.sent_ns) if timing.text_ns else None


def reasoning_ttft_ms(timing: CallTiming) -> float | None:
    """From sending to the first piece of reasoning text, ms."""
    return ms(timing.reasoning_ns[0] - timing.sent_ns) if timing.reasoning_ns else None


def duration_ms(timing: CallTiming) -> float:
    """From sending to the end of the stream, ms (client wall time)."""
    return (timing.end_ns - timing.sent_ns) / NS_PER_MS


def server_throughput_tok_s(counters: ServerCounters) -> float | None:
    """tokens / eval duration, both as the server reports them.

    Ollama: eval_count / eval_duration. llama.cpp: (predicted_n − 1) / predicted_ms, its own
    ``predicted_per_second``; dividing all tokens by that time would be n / (n − 1) too much.
    """
    if counters.eval_tokens is None or not counters.eval_ns:
        return None
    return counters.eval_tokens / (counters.eval_ns / NS_PER_S)


def client_throughput_tok_s(timing: CallTiming, tokens: int | None) -> float | None:
    """Tokens after the first frame / (last frame − first frame): the decode rate as the client saw it.

    The first frame's time belongs to the TTFT. For servers that report no eval duration. Reasoning is
    generated too, and in the server's count: the frames are those with either text.
    """
    arrivals = (*timing.reasoning_ns, *timing.text_ns)
    if tokens is None or tokens < 2 or len(arrivals) < 2:
        return None
    span = max(arrivals) - min(arrivals)
    return _after_first(timing, tokens) / (span / NS_PER_S) if span > 0 else None


def _after_first(timing: CallTiming, tokens: int) -> int:
    """Tokens that came between the first frame and the last.

    Where frames hold one token each, their number counts, not the server's: that may hold an
    end-of-sequence token, which has no frame. Where nobody tells, the first frame is taken for one token.
    """
    if timing.text_tokens is not None and not timing.reasoning_ns:
        return sum(timing.text_tokens[1:])
    if frame_tokens(timing, tokens) == "one":
        return len(timing.text_ns) + len(timing.reasoning_ns) - 1
    return tokens - 1


def throughput_tok_s(timing: CallTiming, counters: ServerCounters) -> tuple[float | None, str | None]:
    """Throughput and its source: ``server`` where it reports an eval duration, else ``client``."""
    server = server_throughput_tok_s(counters)
    if server is not None:
        return server, "server"
    client = client_throughput_tok_s(timing, counters.tokens)
    return client, None if client is None else "client"


def counted_tokens(
    timing: CallTiming, counters: ServerCounters
) -> tuple[int | None, Literal["server", "stream"] | None]:
    """Tokens generated and who counted them: the server at the end, else what it told frame by frame; never guessed."""
    if counters.tokens is not None:
        return counters.tokens, "server"
    if timing.text_tokens is not None and timing.text_ns and not timing.reasoning_ns:
        return sum(timing.text_tokens), "stream"
    return None, None


def gaps_ms(timing: CallTiming) -> tuple[float, ...]:
    """Times between successive frames that carried text, ms; the ITL where a frame is one token."""
    times = timing.text_ns
    return tuple((b - a) / NS_PER_MS for a, b in itertools.pairwise(times))


def frame_tokens(timing: CallTiming, tokens: int | None) -> Literal["told", "one", "unknown"]:
    """How many tokens a frame holds: told by the server, one (as many frames as tokens), or unknown.

    One more token than frames counts as one each: the end-of-sequence token has no text.
    """
    if timing.text_tokens is not None:
        return "told"
    frames = len(timing.text_ns) + len(timing.reasoning_ns)
    return "one" if tokens is not None and frames and tokens - frames in (0, 1) else "unknown"


def itl_gaps_ms(timing: CallTiming, tokens: int | None) -> tuple[float, ...] | None:
    """Inter-token latency of each gap, ms: the gap over the tokens of the frame that ended it.

    ``None`` where the tokens of the frames are unknown, and for a frame told to hold none.
    """
    known = frame_tokens(timing, tokens)
    if known == "unknown" or (timing.text_tokens is not None and not all(timing.text_tokens[1:])):
        return None
    counts = timing.text_tokens[1:] if timing.text_tokens is not None else itertools.repeat(1)
    return tuple(gap / count for gap, count in zip(gaps_ms(timing), counts, strict=False))


def itl_mean_ms(timing: CallTiming, tokens: int | None) -> float | None:
    """Mean inter-token latency: (last frame − first frame) / tokens after the first frame, ms."""
    rate = client_throughput_tok_s(timing, tokens)
    return None if not rate else 1e3 / rate
