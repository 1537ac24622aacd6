"""Whole HTTP responses in all four formats, as the reference server sends them for each of its scenarios."""

from __future__ import annotations

import random
from typing import NamedTuple

from benchmarks.reference_server.dialect import Dialect, Generation
from benchmarks.reference_server.http import LAST_CHUNK, chunk, head
from benchmarks.reference_server.llama_cpp import LlamaCppDialect
from benchmarks.reference_server.ollama import OllamaDialect
from benchmarks.reference_server.openai import OpenAIDialect
from benchmarks.reference_server.scenarios import SCENARIOS
from benchmarks.reference_server.scene import Scene
from benchmarks.reference_server.settings import FLAVOURS, Settings
from benchmarks.reference_server.wire import prepare
from tools.fuzzing.mutations import split
from tools.fuzzing.replay import body_of

MAX_BYTES = 64 * 1024
"""What is longer (a frame of 10 MB, say) would take all of the time."""
SETTINGS = Settings(ttft_ms=20, itl_ms=2, tokens=12)
OPTIONS = {"temperature": 0.7, "top_k": 20, "seed": 7, "n_predict": 12, "timings_per_token": True}
STREAM_OPTIONS = {"include_usage": True, "continuous_usage_stats": True}


class Seed(NamedTuple):
    """One response."""

    kind: str
    """Which client reads it: ``ollama``, ``chat``, ``completions`` or ``llama.cpp``."""
    data: bytes
    head: bytes
    """That of a stream of the kind, with a body in chunks."""
    body: bytes
    is_stream: bool
    """Its status is 200."""


def corpus() -> list[Seed]:
    """Return the responses; the same list each time, but for the dates in them."""
    seeds = []
    for build in SCENARIOS.values():
        for kind, dialect, generation in _dialects():
            plan = prepare(build(Scene(SETTINGS, dialect, generation, 0.0)))
            if 0 < plan.size <= MAX_BYTES:
                data = b"".join(write.data for write in plan.writes)
                seeds.append(
                    Seed(
                        kind, data, head(200, dialect.content_type), body_of((data,)), b" 200 OK\r\n" in data
                    )
                )
    return seeds


def in_chunks(chance: random.Random, seed: Seed, body: bytes) -> bytes:
    """Return a whole response with this body, in HTTP chunks of any size."""
    pieces = [chunk(piece) for piece in split(chance, body)]
    return seed.head + b"".join(pieces) + (LAST_CHUNK if chance.random() < 0.9 else b"")


def _dialects() -> list[tuple[str, Dialect, Generation]]:
    generation = Generation("ref", "one two three", 3, None, False, OPTIONS)
    made: list[tuple[str, Dialect, Generation]] = [
        ("ollama", OllamaDialect("ref"), generation),
        ("llama.cpp", LlamaCppDialect(generation), generation),
    ]
    for flavour in FLAVOURS:
        body = {"model": "ref", "stream_options": STREAM_OPTIONS, "timings_per_token": True}
        made += [
            ("chat" if chat else "completions", OpenAIDialect(body, chat, flavour), generation)
            for chat in (True, False)
        ]
    return made
