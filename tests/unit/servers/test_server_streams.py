"""From frames to a result, without a network: readers, counters, verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.call import CallResult, Outcome, ServerCounters
from contracts.formulas import server_throughput_tok_s
from worker.servers.counters import CounterReader
from worker.servers.framing import Frame, NdjsonDecoder, SseDecoder
from worker.servers.ollama import read_generate
from worker.servers.openai_stream import read_completion
from worker.servers.reading import Reading
from worker.servers.stream import Exchange, Failure
from worker.servers.text import decode_json, error_message, excerpt, whole_characters
from worker.servers.verdict import conclude


def frames(*values: Any) -> list[Frame]:
    return [
        Frame(at, v if isinstance(v, bytes) else json.dumps(v).encode()) for at, v in enumerate(values, 1)
    ]


def judged(reading: Reading, **fields: Any) -> CallResult:
    exchange = Exchange(http_status=200, **fields)
    exchange.clock.marked_ns = 0
    return conclude(exchange, reading, structured=False)


def chat(content: Any = None, finish: str | None = None, **rest: Any) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": content}, "finish_reason": finish}], **rest}


def test_llama_cpp_timings() -> None:
    decoding = {"predicted_n": 8, "predicted_ms": 396.188, "predicted_per_second": 17.668379}
    timings = {"cache_n": 38, "prompt_n": 5, "prompt_ms": 114.098, **decoding}
    usage = {"completion_tokens": 8, "prompt_tokens": 43}
    reading = read_completion(
        frames(chat("a"), chat("b", "stop"), {"choices": [], "usage": usage, "timings": timings}, b"[DONE]")
    )
    assert reading.counters == ServerCounters(
        prompt_tokens=43,
        cached_tokens=38,
        tokens=8,
        prompt_eval_ns=114_098_000,
        eval_ns=396_188_000,
        eval_tokens=7,
    )
    assert server_throughput_tok_s(reading.counters) == pytest.approx(decoding["predicted_per_second"])
    assert judged(reading).outcome is Outcome.OK


def test_llama_cpp_has_no_decode_time_of_one_token() -> None:
    timings = {"cache_n": 0, "prompt_n": 5, "prompt_ms": 9.5, "predicted_n": 1, "predicted_ms": 0.001}
    counters = read_completion(frames(chat("a", "length", timings=timings), b"[DONE]")).counters
    assert (counters.tokens, counters.eval_ns, counters.prompt_eval_ns) == (1, None, 9_500_000)


def test_usage_of_every_chunk_the_last_counts() -> None:
    reading = read_completion(
        frames(
            chat("a", usage=None),
            chat("b", usage={"completion_tokens": 1}),
            chat("c", "stop", usage={"completion_tokens": 3, "prompt_tokens": 2}),
        )
    )
    assert (reading.counters.tokens, reading.counters.prompt_tokens) == (3, 2)


def test_done_alone_ends_an_openai_stream() -> None:
    assert judged(read_completion(frames(chat("a"), b"[DONE]"))).outcome is Outcome.OK
    assert judged(read_completion(frames(chat("a")))).outcome is Outcome.ABORTED
    assert judged(read_completion(frames(chat("a"), chat(None, "stop")))).outcome is Outcome.OK


@pytest.mark.parametrize(
    "record",
    [
        {"error": {"message": "no memory", "code": 500}},
        {"error": "no memory"},
        {"object": "error", "message": "no memory"},
    ],
)
def test_error_records(record: dict[str, Any]) -> None:
    result = judged(read_completion(frames(chat("a"), record)))
    assert result.outcome is Outcome.SERVER_ERROR
    assert result.reason == "error in the stream after 1 characters in 1 text frames: no memory"


def test_error_event_of_older_llama_cpp() -> None:
    decoder = SseDecoder()
    decoder.feed(b'data: {"choices":[]}\n\nerror: {"code":500,"message":"slot gone"}\n\n', 1)
    assert read_completion(decoder.frames).error == "slot gone"


def test_what_was_cut_off_inside_a_frame_is_aborted_not_garbage() -> None:
    decoder = NdjsonDecoder()
    decoder.feed(b'{"response":"hi","done":false}\n{"response":"th', 1)
    decoder.finish()
    result = judged(read_generate(decoder.frames))
    assert (result.outcome, result.text) == (Outcome.ABORTED, "hi")


def test_ollama_thinking_is_no_text() -> None:
    reading = read_generate(
        frames(
            {"response": "", "thinking": "hmm", "done": False},
            {"response": "", "done": True, "done_reason": "length", "eval_count": 3},
        )
    )
    result = judged(reading)
    assert result.outcome is Outcome.DEGENERATE
    assert result.reason == "the answer is empty (3 characters of reasoning came before it)"
    assert result.counters.tokens == 3


def test_repetition_needs_31_equal_frames_at_the_end() -> None:
    def outcome(*pieces: str, finish: str = "stop") -> Outcome:
        return judged(read_completion(frames(*(chat(p) for p in pieces), chat(None, finish)))).outcome

    assert outcome("x", *["-"] * 30) is Outcome.OK
    assert outcome("x", *["-"] * 31) is Outcome.DEGENERATE
    assert outcome("x", *["-"] * 31, finish="length") is Outcome.DEGENERATE
    assert outcome(*["-"] * 40, "x") is Outcome.OK
    assert outcome(" ", "\n") is Outcome.DEGENERATE


def test_a_complete_answer_survives_a_late_transport_failure() -> None:
    failure = Failure(Outcome.CONNECTION, "reset")
    whole = read_completion(frames(chat("a"), chat(None, "stop"), b"[DONE]"))
    assert judged(whole, failure=failure, terminal=True).outcome is Outcome.OK
    assert judged(whole, failure=failure, terminal=False).outcome is Outcome.CONNECTION


def test_vllm_abort() -> None:
    assert judged(read_completion(frames(chat("a", "abort"), b"[DONE]"))).outcome is Outcome.ABORTED


def test_content_that_is_not_text() -> None:
    result = judged(read_completion(frames(chat("a"), chat(["b"]), b"[DONE]")))
    assert result.outcome is Outcome.SERVER_ERROR
    assert "'delta.content' is not text" in (result.reason or "")


def test_surrogate_halves_over_two_frames_are_one_character() -> None:
    reading = read_generate(
        [Frame(1, b'{"response":"\\ud83e"}'), Frame(2, b'{"response":"\\udd8a"}'), *frames({"done": True})]
    )
    assert judged(reading).text == "🦊"
    assert whole_characters("a\ud83eb") == "a�b"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    [
        "choices",
        "delta",
        "content",
        "text",
        "finish_reason",
        "usage",
        "timings",
        "error",
        "message",
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "predicted_ms",
        "predicted_n",
        "response",
        "thinking",
        "done",
        "done_reason",
        "eval_count",
        "eval_duration",
        "object",
    ]
)
near_misses = st.recursive(
    json_values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5)
)


@given(st.lists(near_misses | st.binary(max_size=30), max_size=5))
@settings(deadline=None)
def test_no_content_makes_a_reader_fail(values: list[Any]) -> None:
    for read in (read_completion, read_generate):
        result = judged(read(frames(*values)))
        CallResult.model_validate_json(result.model_dump_json())


@pytest.mark.parametrize(
    "data",
    [b"[" * 200_000, b"9" * 10_000, b"\xff\xfe", b"", b'{"a":'],
    ids=["deep", "long", "bytes", "", "cut"],
)
def test_json_that_cannot_be_read(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_json(data)


@pytest.mark.parametrize(
    ("value", "count", "ns"),
    [
        (12, 12, 12),
        (12.0, 12, 12),
        (1.5, None, 2),
        (0, 0, 0),
        (None, None, None),
        (-1, None, None),
        (True, None, None),
        ("12", None, None),
        (float("nan"), None, None),
        (float("inf"), None, None),
        pytest.param(10**5000, None, None, id="huge"),
        (10**18, None, None),
        ([1], None, None),
    ],
)
def test_counters(value: object, count: int | None, ns: int | None) -> None:
    reader = CounterReader()
    assert reader.count("n", value) == count
    assert reader.nanoseconds("d", value) == ns
    assert bool(reader.notes) == (value is not None and None in (count, ns))
    assert all(len(note) < 120 for note in reader.notes)


def test_excerpt_is_one_bounded_printable_line() -> None:
    assert excerpt(b"a\n\x1b[31mb\x00c\xff") == "a [31mb c�"
    assert len(excerpt("x" * 10_000)) == 300
    assert excerpt("") == ""


def test_error_message_forms() -> None:
    assert error_message({"error": "x"}) == "x"
    assert error_message({"error": {"code": 3}}) == "{'code': 3}"
    assert error_message({"error": ""}) == "an error without a message"
    assert error_message({"error": None}) is None
    assert error_message(["error"]) is None
