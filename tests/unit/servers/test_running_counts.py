"""Tokens of each chunk from vLLM's running counts (``continuous_usage_stats``)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worker.servers.framing import Frame
from worker.servers.openai_stream import read_completion


def chunk(text: str | None = None, total: object = None, **delta: Any) -> dict[str, Any]:
    usage = {} if total is None else {"usage": {"prompt_tokens": 5, "completion_tokens": total}}
    return {"choices": [{"index": 0, "delta": {"content": text, **delta}, "finish_reason": None}], **usage}


def tokens_of(*chunks: dict[str, Any]) -> tuple[int, ...] | None:
    frames = [Frame(at, json.dumps(record).encode()) for at, record in enumerate(chunks, 1)]
    return read_completion([*frames, Frame(99, b"[DONE]")]).text_tokens


def test_differences_of_the_running_count() -> None:
    assert tokens_of(chunk("", 0), chunk("a", 1), chunk("b", 4), chunk("c", 6)) == (1, 3, 2)


def test_tokens_without_text_yet_come_with_the_next_text() -> None:
    assert tokens_of(chunk("a", 1), chunk("", 2), chunk("", 3), chunk("🦊", 4)) == (1, 3)


def test_reasoning_is_not_counted_to_the_text() -> None:
    thought = chunk(None, 3, reasoning_content="hm")
    assert tokens_of(thought, chunk(None, 5, reasoning="so"), chunk("a", 6)) == (1,)


def test_a_chunk_of_both_tells_neither() -> None:
    assert tokens_of(chunk("a", 1), chunk("b", 4, reasoning_content="hm"), chunk("c", 5)) is None


@pytest.mark.parametrize("total", [None, -1, "2", True, 1.5, 0])
def test_a_count_that_is_missing_or_wrong_makes_all_unknown(total: object) -> None:
    assert tokens_of(chunk("a", 1), chunk("b", total), chunk("c", 3)) is None


def test_a_chunk_without_text_may_lack_it() -> None:
    assert tokens_of(chunk("a", 1), chunk(""), chunk("b", 3)) == (1, 2)


def test_usage_at_the_end_alone_tells_nothing_of_the_frames() -> None:
    assert tokens_of(chunk("a"), chunk("b"), {"choices": [], "usage": {"completion_tokens": 2}}) is None


def test_the_last_count_is_the_answers() -> None:
    frames = [
        Frame(at, json.dumps(record).encode()) for at, record in enumerate([chunk("a", 1), chunk("b", 3)])
    ]
    assert read_completion(frames).counters.tokens == 3
