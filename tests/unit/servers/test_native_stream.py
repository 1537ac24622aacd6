"""Reading llama.cpp's ``/completion``: settings that the call ran with, tokens of each frame, endings."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.call import ServerCounters
from contracts.configuration import Parameters
from contracts.sweep import ServerSpec
from worker.servers import CallRequest
from worker.servers.framing import Frame
from worker.servers.llamacpp import native_request
from worker.servers.llamacpp_stream import RANDOM_SEED, read_native
from worker.servers.reading import Reading

TIMINGS = {"cache_n": 2, "prompt_n": 5, "prompt_ms": 109.178, "predicted_n": 5, "predicted_ms": 196.842}


def read(*records: dict[str, Any]) -> Reading:
    return read_native([Frame(at, json.dumps(record).encode()) for at, record in enumerate(records, 1)])


def piece(text: str, tokens: list[int] | None = None, **more: Any) -> dict[str, Any]:
    return {"index": 0, "content": text, "tokens": tokens, "stop": False, **more}


def last(settings: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    known = {"index": 0, "content": "", "tokens": [], "stop": True, "stop_type": "eos"}
    return known | {"generation_settings": settings or {}, "timings": TIMINGS} | more


def float32(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def test_a_whole_stream() -> None:
    rate = 4 / 0.196842
    final = last(tokens_predicted=5, tokens_evaluated=7, timings=TIMINGS | {"predicted_per_second": rate})
    reading = read(piece(" a", [1]), piece(" b", [2]), final)
    assert reading.pieces == [" a", " b"] and reading.text_ns == [1, 2]
    assert (reading.finished, reading.finish_reason, reading.text_tokens) == (True, "eos", (1, 1))
    assert reading.counters == ServerCounters(
        prompt_tokens=7,
        cached_tokens=2,
        tokens=5,
        prompt_eval_ns=109_178_000,
        eval_ns=196_842_000,
        eval_tokens=4,
    )
    assert reading.notes == []


@given(st.floats(0, 10).map(lambda value: round(value, 4)))
def test_single_precision_reads_as_what_was_asked(value: float) -> None:
    assert read(last({"temperature": float32(value)})).applied == {"temperature": value}


def test_settings_have_our_names() -> None:
    settings = {
        "temperature": float32(0.7),
        "top_p": float32(0.95),
        "top_k": 20,
        "repeat_penalty": 1.0,
        "n_predict": 5,
        "seed": 7,
        "min_p": 0.05,
    }
    assert read(last(settings)).applied == {
        "temperature": 0.7,
        "top_p": 0.95,
        "top_k": 20,
        "repeat_penalty": 1.0,
        "num_predict": 5,
        "seed": 7,
    }


def test_what_was_not_asked_for_is_absent() -> None:
    reading = read(last({"seed": RANDOM_SEED, "n_predict": -1, "top_k": None}))
    assert reading.applied == {} and reading.notes == []


def test_settings_that_can_not_be_true() -> None:
    reading = read(last({"temperature": "hot", "top_k": True, "top_p": float("nan"), "seed": -1}))
    assert reading.applied == {}
    assert len(reading.notes) == 4


@pytest.mark.parametrize("stop_type", ["eos", "limit", "word"])
def test_how_it_ended(stop_type: str) -> None:
    assert read(piece("a"), last(stop_type=stop_type)).finish_reason == stop_type


def test_an_end_without_a_type() -> None:
    final = last()
    del final["stop_type"]
    reading = read(piece("a"), final)
    assert (reading.finished, reading.finish_reason) == (True, None)


def test_a_full_context_is_told() -> None:
    reading = read(piece("a"), last(stop_type="limit", truncated=True))
    assert reading.notes == ["the server's context was full before the answer was complete"]


def test_one_token_has_no_decode_time() -> None:
    timings = {"cache_n": 0, "prompt_n": 7, "prompt_ms": 9.5, "predicted_n": 1, "predicted_ms": 0.001}
    counters = read(piece("a", [1]), last(timings=timings | {"predicted_per_second": 0.0})).counters
    assert (counters.tokens, counters.eval_ns, counters.eval_tokens) == (1, None, None)
    assert counters.prompt_eval_ns == 9_500_000


@pytest.mark.parametrize("tokens", [None, [], "12", 3])
def test_one_frame_that_does_not_tell_its_tokens_makes_all_unknown(tokens: Any) -> None:
    assert read(piece("a", [1]), piece("b", tokens), last()).text_tokens is None


def test_held_back_characters_come_with_the_next_frame() -> None:
    assert read(piece("a", [1]), piece("", [2, 3]), piece("🦊", [4]), last()).text_tokens == (1, 3)


def test_without_its_last_record_a_stream_is_not_finished() -> None:
    reading = read(piece("a", [1], tokens_predicted=1, timings=TIMINGS))
    assert not reading.finished
    assert reading.counters == ServerCounters() and reading.applied == {}


def test_nothing_behind_the_end_is_read() -> None:
    assert read(piece("a"), last(), piece("b")).pieces == ["a"]


def test_an_error_in_the_stream() -> None:
    reading = read(piece("a"), {"error": {"code": 500, "message": "no slot", "type": "server_error"}})
    assert (reading.error, reading.finished) == ("no slot", False)


def test_text_in_the_last_record_counts() -> None:
    assert read(last(content="all at once")).pieces == ["all at once"]


def test_the_request() -> None:
    parameters = Parameters(temperature=0.0, top_p=0.9, top_k=5, repeat_penalty=1.1, num_predict=7, seed=0)
    spec = ServerSpec(kind="llama.cpp", prompt_cache=False)
    request = native_request(spec, CallRequest("m", "question", "system", parameters, {"type": "object"}))
    assert request.path == "/completion"
    assert request.payload == {
        "model": "m",
        "prompt": "system\n\nquestion",
        "stream": True,
        "temperature": 0.0,
        "top_p": 0.9,
        "top_k": 5,
        "repeat_penalty": 1.1,
        "n_predict": 7,
        "seed": 0,
        "cache_prompt": False,
        "json_schema": {"type": "object"},
    }
    bare = native_request(ServerSpec(kind="llama.cpp"), CallRequest("m", "q", None, Parameters(), None))
    assert bare.payload == {"model": "m", "prompt": "q", "stream": True}
