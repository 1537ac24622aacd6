"""The content and the schedule of one answer, before any wire format."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import pairwise

from benchmarks.reference_server.settings import Settings

WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "near",
    "some",
    "cold",
    "river",
    "and",
    "tells",
    "nobody",
    "at",
    "all",
]
BROAD_WORDS = ["naïve", "Größe", "日本語", "🦊🐕", "e\u0301", "Ω≈ç√", "русский"]
EMPTY_CACHE_LOAD_NS = 1_000_000
"""What a server with a loaded model still reports as load time, at most."""


@dataclass(frozen=True)
class Counters:
    """The server's own figures, consistent with the schedule. ns."""

    prompt_tokens: int
    tokens: int
    load_ns: int
    prompt_eval_ns: int
    eval_ns: int
    """From the first token to the last: (tokens − 1) · ITL, as llama.cpp and Ollama count it."""

    @property
    def total_ns(self) -> int:
        return self.load_ns + self.prompt_eval_ns + self.eval_ns


@dataclass(frozen=True)
class Answer:
    """Tokens with their due times (s after the whole request was there) and the counters."""

    pieces: tuple[str, ...]
    due_s: tuple[float, ...]
    finish: str
    counters: Counters

    @property
    def end_s(self) -> float:
        """When the final record is due: with the last token."""
        return self.due_s[-1] if self.due_s else 0.0


def plan_answer(
    settings: Settings, prompt: str, load_s: float, limit: int | None, text: tuple[str, ...] | None = None
) -> Answer:
    """Return the answer to a prompt: ``text``, or words; at most ``limit`` tokens."""
    pieces = text if text is not None else words(settings.tokens)
    finish = "stop"
    if limit is not None and len(pieces) > limit:
        pieces, finish = pieces[:limit], "length"
    ttft_s, itl_s = settings.ttft_ms / 1e3, settings.itl_ms / 1e3
    due_s = tuple(load_s + ttft_s + place * itl_s for place in range(len(pieces)))
    warm_load_ns = min(EMPTY_CACHE_LOAD_NS, round(ttft_s * 1e9))
    counters = Counters(
        prompt_tokens=max(1, len(prompt.split())),
        tokens=len(pieces),
        load_ns=round(load_s * 1e9) + warm_load_ns,
        prompt_eval_ns=round(ttft_s * 1e9) - warm_load_ns,
        eval_ns=round(max(0, len(pieces) - 1) * itl_s * 1e9),
    )
    return Answer(pieces, due_s, finish, counters)


def with_finish(answer: Answer, finish: str) -> Answer:
    """Return the answer with another finish reason."""
    return replace(answer, finish=finish)


def words(count: int, vocabulary: list[str] = WORDS) -> tuple[str, ...]:
    """Return ``count`` tokens; no two neighbours are equal."""
    return tuple((" " if i else "") + vocabulary[i % len(vocabulary)] for i in range(count))


def findings(count: int) -> tuple[str, ...]:
    """Return an agent's JSON answer, cut into exactly ``count`` pieces."""
    filler, count = 0, max(1, count)
    while True:
        content = {
            "analysis": "Reference analysis. " + " ".join(w.strip() for w in words(filler)),
            "findings": ["The reference server keeps its schedule.", "Its figures are known."],
            "recommendations": ["Compare the client's times with the server's log."],
        }
        text = json.dumps(content)
        if len(text) >= count:
            break
        filler += count
    edges = [len(text) * i // count for i in range(count + 1)]
    return tuple(text[a:b] for a, b in pairwise(edges))
