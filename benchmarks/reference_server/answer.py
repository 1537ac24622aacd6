"""The content and the schedule of one answer, before any wire format."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from benchmarks.reference_server.settings import Settings

WORDS = (
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
)
BROAD_WORDS = ("naïve", "Größe", "日本語", "🦊🐕", "e\u0301", "Ω≈ç√", "русский")
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


class Frame(NamedTuple):
    """Tokens that are sent together, when the last of them is there."""

    pieces: tuple[str, ...]
    due_s: float
    """After the whole request was there."""


@dataclass(frozen=True)
class Answer:
    """Frames with their due times, and the counters."""

    thoughts: tuple[Frame, ...]
    """Reasoning, before the text."""
    frames: tuple[Frame, ...]
    finish: str
    """``stop`` or ``length``."""
    counters: Counters
    first_s: float
    """When the first token is due, or would be."""

    @property
    def end_s(self) -> float:
        """When the final record is due: with the last token."""
        last = [*self.thoughts, *self.frames][-1:]
        return last[0].due_s if last else self.first_s


def plan_answer(
    settings: Settings,
    prompt_tokens: int,
    load_s: float,
    limit: int | None,
    text: tuple[str, ...] | None = None,
    thoughts: tuple[str, ...] = (),
    per_frame: int = 1,
) -> Answer:
    """Return the answer to a prompt: ``text``, or words; at most ``limit`` tokens.

    Token k (from 0, thoughts first) is due at load + TTFT + k · ITL. The first token has a frame of its
    own, as it comes from the prompt's evaluation; then ``per_frame`` tokens share one.
    """
    pieces = text if text is not None else words(settings.tokens)
    finish = "stop"
    if limit is not None and len(pieces) > limit:
        pieces, finish = pieces[:limit], "length"
    ttft_s, itl_s = settings.ttft_ms / 1e3, settings.itl_ms / 1e3
    first_s = load_s + ttft_s
    tokens = len(thoughts) + len(pieces)
    edges = [0, *range(1, len(pieces), per_frame), len(pieces)] if pieces else []
    frames = tuple(Frame(pieces[a:b], first_s + (len(thoughts) + b - 1) * itl_s) for a, b in pairwise(edges))
    warm_load_ns = min(EMPTY_CACHE_LOAD_NS, round(ttft_s * 1e9))
    counters = Counters(
        prompt_tokens=prompt_tokens,
        tokens=tokens,
        load_ns=round(load_s * 1e9) + warm_load_ns,
        prompt_eval_ns=round(ttft_s * 1e9) - warm_load_ns,
        eval_ns=round(max(0, tokens - 1) * itl_s * 1e9),
    )
    thought = tuple(Frame((piece,), first_s + i * itl_s) for i, piece in enumerate(thoughts))
    return Answer(thought, frames, finish, counters, first_s)


def with_finish(answer: Answer, finish: str) -> Answer:
    """Return the answer with another finish reason."""
    return replace(answer, finish=finish)


@lru_cache(maxsize=64)
def words(count: int, vocabulary: tuple[str, ...] = WORDS) -> tuple[str, ...]:
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
