"""llama.cpp's ``timings``, with the arithmetic of the real server: its decode time begins at the first
token, which so is not counted (seen in the llama.cpp of xllamacpp 2026.10)."""

from __future__ import annotations

from typing import Any

from benchmarks.reference_server.answer import Counters
from benchmarks.reference_server.dialect import Counted

PLACEHOLDER_MS = 0.001
"""What llama.cpp writes as the decode time of one token."""


def timings(counters: Counters, tokens: int, counted: Counted = Counted.TRUE) -> dict[str, Any]:
    """Return the timings when ``tokens`` tokens are there."""
    if counted is Counted.NAN:
        return {"prompt_n": -7, "prompt_ms": -5, "predicted_ms": float("nan"), "predicted_n": True}
    prompt_ms = counters.prompt_eval_ns / 1e6
    gaps = max(0, tokens - 1)
    all_gaps = max(1, counters.tokens - 1)
    predicted_ms = counters.eval_ns / 1e6 * gaps / all_gaps or PLACEHOLDER_MS
    if counted is Counted.NEGATIVE:
        return {
            "cache_n": -1,
            "prompt_n": -counters.prompt_tokens,
            "prompt_ms": -prompt_ms,
            "predicted_n": -tokens,
            "predicted_ms": -predicted_ms,
        }
    return {
        "cache_n": 0,
        "prompt_n": counters.prompt_tokens,
        "prompt_ms": prompt_ms,
        "prompt_per_token_ms": prompt_ms / counters.prompt_tokens,
        "prompt_per_second": 1e3 * counters.prompt_tokens / prompt_ms if prompt_ms else 0.0,
        "predicted_n": tokens,
        "predicted_ms": predicted_ms,
        "predicted_per_token_ms": predicted_ms / gaps if gaps else 0.0,
        "predicted_per_second": 1e3 * gaps / predicted_ms if gaps else 0.0,
    }
