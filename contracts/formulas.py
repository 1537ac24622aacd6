"""The formulas of every metric of a call, once. Times in, milliseconds or tokens per second out.

All return ``None`` where an input is missing, or where the quotient would have no meaning.
"""

from __future__ import annotations

import itertools

from contracts.call import CallTiming, ServerCounters

NS_PER_MS = 1e6
NS_PER_S = 1e9


def ms(nanoseconds: int | None) -> float | None:
    """Nanoseconds → milliseconds."""
    return None if nanoseconds is None else nanoseconds / NS_PER_MS


def ttft_ms(timing: CallTiming) -> float | None:
    """Time to first token: from sending to the first non-empty piece of text, ms (client wall time)."""
    return ms(timing.text_ns[0] - timing.sent_ns) if timing.text_ns else None


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
    """(tokens − 1) / (last text − first text): the decode rate as the client saw it.

    The first token's time belongs to the TTFT, hence − 1. For servers that report no eval duration.
    """
    if tokens is None or tokens < 2 or len(timing.text_ns) < 2:
        return None
    span = timing.text_ns[-1] - timing.text_ns[0]
    return (tokens - 1) / (span / NS_PER_S) if span > 0 else None


def throughput_tok_s(timing: CallTiming, counters: ServerCounters) -> tuple[float | None, str | None]:
    """Throughput and its source: ``server`` where it reports an eval duration, else ``client``."""
    server = server_throughput_tok_s(counters)
    if server is not None:
        return server, "server"
    client = client_throughput_tok_s(timing, counters.tokens)
    return client, None if client is None else "client"


def gaps_ms(timing: CallTiming) -> tuple[float, ...]:
    """Times between successive frames that carried text, ms; the ITL where a frame is one token."""
    times = timing.text_ns
    return tuple((b - a) / NS_PER_MS for a, b in itertools.pairwise(times))


def itl_mean_ms(timing: CallTiming, tokens: int | None) -> float | None:
    """Mean inter-token latency: (last text − first text) / (tokens − 1), ms; needs the token count."""
    rate = client_throughput_tok_s(timing, tokens)
    return None if rate is None else 1e3 / rate
