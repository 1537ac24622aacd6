"""Every scenario in every dialect, by the bytes on the wire and the server's log of them."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.reference_server import SCENARIOS, ReferenceServer, Settings
from benchmarks.reference_server.log import RequestLog
from benchmarks.reference_server.scenarios import describe
from tests.unit.reference_server.raw_client import (
    PATHS,
    Reply,
    ask,
    connected,
    generation,
    request_bytes,
    until,
)

SETTINGS = Settings(ttft_ms=8, itl_ms=1, tokens=12)
TEXT = "the quick brown fox jumps over a lazy dog near some cold"
HALF = "the quick brown fox jumps over"
ENDLESS_BYTES = 64 * 1024 * 1024

Log = dict[str, Any]


def text_of(dialect: str, record: dict[str, Any]) -> str:
    if dialect == "ollama":
        return str(record.get("response", ""))
    if dialect == "native":
        return str(record.get("content", ""))
    choices = record.get("choices") or [{}]
    piece = choices[0].get("delta", {}).get("content") if dialect == "chat" else choices[0].get("text")
    return piece or ""


def texts(dialect: str, reply: Reply) -> list[str]:
    return [text for record in reply.records if (text := text_of(dialect, record))]


def finish(dialect: str, reply: Reply) -> str | None:
    """Return the finish reason of the final record; ``None``: there is no final record."""
    for record in reply.records:
        if dialect == "ollama" and record.get("done"):
            return str(record["done_reason"])
        if dialect == "native" and record["stop"]:
            return str(record["stop_type"])
        if dialect in ("chat", "completions") and record["choices"] and record["choices"][0]["finish_reason"]:
            assert reply.body.endswith(b"data: [DONE]\n\n")
            return str(record["choices"][0]["finish_reason"])
    return None


STOP = {"ollama": "stop", "chat": "stop", "completions": "stop", "native": "eos"}
LENGTH = {"ollama": "length", "chat": "length", "completions": "length", "native": "limit"}


def is_whole(dialect: str, reply: Reply, text: str = TEXT) -> None:
    assert (reply.ended, reply.status) == ("whole", 200)
    assert "".join(texts(dialect, reply)) == text
    assert finish(dialect, reply) == STOP[dialect]


def normal(dialect: str, reply: Reply, log: Log) -> None:
    is_whole(dialect, reply)
    assert texts(dialect, reply) == TEXT.replace(" ", "\0 ").split("\0")
    assert [tokens for *_, tokens, kind in log["frames"] if kind == "text"] == [1] * 12
    assert log["ended"] == "sent"


def truncated(dialect: str, reply: Reply, log: Log) -> None:
    assert finish(dialect, reply) == LENGTH[dialect]


def many_per_frame(dialect: str, reply: Reply, log: Log) -> None:
    is_whole(dialect, reply)
    frames = [(due - log["begin_ns"], tokens) for due, *_, tokens, kind in log["frames"] if kind == "text"]
    assert frames == [(8_000_000, 1), (12_000_000, 4), (16_000_000, 4), (19_000_000, 3)]
    assert [len(text.split()) for text in texts(dialect, reply)] == [1, 4, 4, 3]
    if dialect == "native":
        parts = [record for record in reply.records if not record["stop"]]
        assert [len(record["tokens"]) for record in parts] == [1, 4, 4, 3]
        assert [record["tokens_predicted"] for record in parts] == [1, 5, 9, 12]


def reasoning(dialect: str, reply: Reply, log: Log) -> None:
    is_whole(dialect, reply)
    kinds = [kind for *_, kind in log["frames"] if kind in ("reasoning", "text")]
    thoughts = 5 if dialect in ("ollama", "chat") else 0
    assert kinds == ["reasoning"] * thoughts + ["text"] * 12
    due = [due - log["begin_ns"] for due, *_, kind in log["frames"] if kind == "reasoning"]
    assert due == [8_000_000 + i * 1_000_000 for i in range(thoughts)]
    if dialect == "ollama":
        assert "".join(r.get("thinking", "") for r in reply.records) == "Let me think about this."
        assert reply.records[-1]["eval_count"] == 17


def empty_first_frames(dialect: str, reply: Reply, log: Log) -> None:
    is_whole(dialect, reply)
    assert [text_of(dialect, record) for record in reply.records[:3]] == [""] * 3
    assert [due - log["begin_ns"] for due, *_ in log["frames"][:3]] == [4_000_000] * 3


def role_only(dialect: str, reply: Reply, log: Log) -> None:
    is_whole(dialect, reply)
    first, second = reply.records[:2]
    if dialect == "chat":
        assert (
            first["choices"][0]["delta"]
            == {"role": "assistant", "content": None}
            == second["choices"][0]["delta"]
        )
    assert text_of(dialect, first) == ""
    assert log["frames"][0][0] - log["begin_ns"] == 4_000_000


def no_counters(dialect: str, reply: Reply, log: Log) -> None:
    is_whole(dialect, reply)
    for name in (b"_count", b"duration", b"usage", b"timings", b"tokens_predicted", b"tokens_evaluated"):
        assert name not in reply.body.partition(b'"generation_settings"')[0]


def nan_counters(dialect: str, reply: Reply, log: Log) -> None:
    figures = _figures(dialect, reply)
    assert "12" in figures and True in figures
    assert any(isinstance(value, float) and math.isnan(value) for value in figures)
    assert any(isinstance(value, int) and value < 0 for value in figures)


def negative_counters(dialect: str, reply: Reply, log: Log) -> None:
    figures = _figures(dialect, reply)
    assert figures and all(value < 0 for value in figures)


def _figures(dialect: str, reply: Reply) -> list[Any]:
    if dialect == "ollama":
        last = reply.records[-1]
        return [value for name, value in last.items() if name.endswith(("_count", "_duration"))]
    last = next(record for record in reply.records if "timings" in record)
    counted = [last.get(name) for name in ("tokens_predicted", "tokens_evaluated") if name in last]
    return [*last["timings"].values(), *last.get("usage", {}).values(), *counted]


def abort(dialect: str, reply: Reply, log: Log) -> None:
    assert reply.ended == "whole" and finish(dialect, reply) is None
    assert texts(dialect, reply)[-31:] == [" again"] * 31


def error_mid_stream(dialect: str, reply: Reply, log: Log) -> None:
    assert reply.ended == "whole"
    assert "".join(text_of(dialect, record) for record in reply.records[:-1]) == HALF
    error = reply.records[-1]["error"]
    assert "out of memory" in (error if dialect == "ollama" else error["message"])


def garbage(dialect: str, reply: Reply, log: Log) -> None:
    with pytest.raises(ValueError):
        json.loads(reply.frames[-1].removeprefix(b"data: "))
    assert reply.ended == "whole" and log["frames"][-1][-1] == "garbage"


def chunk_garbage(dialect: str, reply: Reply, log: Log) -> None:
    assert (reply.ended, log["ended"]) == ("closed", "closed")
    assert reply.raw.endswith(b"\r\nZZ no size\r\n")
    assert "".join(texts(dialect, reply)) == HALF


def endless_frame(dialect: str, reply: Reply, log: Log) -> None:
    *known, last = reply.frames
    assert len(last) > ENDLESS_BYTES and b"\n" not in last
    assert len(known) == 6 + (dialect == "chat")
    assert reply.ended == "whole"
    assert log["full_buffer"] > 0 and log["late_max_ns"] is None
    assert log["frames"][-1][2] is None, "the last frame has no end"


def half_of_it(reply_ended: str, log_ended: str | None) -> Callable[[str, Reply, Log], None]:
    def check(dialect: str, reply: Reply, log: Log) -> None:
        assert (reply.ended, log["ended"]) == (reply_ended, log_ended)
        assert "".join(texts(dialect, reply)) == HALF
        assert not reply.raw.endswith(b"0\r\n\r\n")

    return check


def nothing(reply_ended: str, log_ended: str | None) -> Callable[[str, Reply, Log], None]:
    def check(dialect: str, reply: Reply, log: Log) -> None:
        assert (reply.raw, reply.ended, log["ended"]) == (b"", reply_ended, log_ended)
        assert log["frames"] == []

    return check


def headers_only(dialect: str, reply: Reply, log: Log) -> None:
    assert (reply.ended, reply.status, reply.body, log["ended"]) == ("whole", 200, b"", "sent")


def refused(status: int, words: str) -> Callable[[str, Reply, Log], None]:
    def check(dialect: str, reply: Reply, log: Log) -> None:
        assert (reply.ended, reply.status) == ("whole", status)
        error = reply.json["error"]
        assert words in (error if dialect == "ollama" else error["message"])
        assert dialect == "ollama" or error["code"] == status
        assert (reply.fields.get("retry-after") == "1") == (status == 429)

    return check


def redirect(dialect: str, reply: Reply, log: Log) -> None:
    assert (reply.status, reply.fields["location"]) == (302, "/elsewhere")


def wrong_content_type(dialect: str, reply: Reply, log: Log) -> None:
    assert reply.fields["content-type"] == "text/html; charset=utf-8"
    assert reply.body.startswith(b"<html>")


def split_bytes(dialect: str, reply: Reply, log: Log) -> None:
    is_whole(dialect, reply, "naïve Größe 日本語 🦊🐕 e\u0301 Ω≈ç√ русский naïve Größe 日本語 🦊🐕 e\u0301")
    sizes = [int(line, 16) for line in reply.raw.split(b"\r\n") if 0 < len(line) < 2 and line in b"1234567"]
    assert len(sizes) > len(reply.body) / 7 - 1
    assert len(log["frames"]) == len(reply.frames), "one entry per frame, not per piece"
    assert all(due <= sent <= done for due, sent, done, *_ in log["frames"])


def slow_drip(dialect: str, reply: Reply, log: Log) -> None:
    is_whole(dialect, reply)
    first = next(frame for frame in log["frames"] if frame[-1] == "text")
    due, sent, done, *_ = first
    assert due == log["begin_ns"] + 8_000_000
    assert sent >= due and done >= due + 50_000_000
    following = [frame[0] - log["begin_ns"] for frame in log["frames"] if frame[-1] == "text"][1:]
    assert following == [58_000_000 + i * 1_000_000 for i in range(1, 12)]


def coalesced(dialect: str, reply: Reply, log: Log) -> None:
    is_whole(dialect, reply)
    assert len({tuple(frame[:3]) for frame in log["frames"]}) == 1
    assert log["frames"][0][0] == log["begin_ns"] + 19_000_000
    assert len(log["frames"]) == len(reply.frames)


def huge_frame(dialect: str, reply: Reply, log: Log) -> None:
    is_whole(dialect, reply, "0123456789" * 1_000_000 + TEXT.removeprefix("the"))


def compressed(dialect: str, reply: Reply, log: Log) -> None:
    assert reply.fields["content-encoding"] == "gzip"
    unpacker = zlib.decompressobj(wbits=31)
    chunks = [unpacker.decompress(chunk) for chunk in reply.chunks]
    assert all(chunk.endswith(b"\n") for chunk in chunks), "every frame can be unpacked as it comes"
    assert gzip.decompress(reply.body) == b"".join(chunks)
    reply.body = b"".join(chunks)
    is_whole(dialect, reply)


def early_hints(dialect: str, reply: Reply, log: Log) -> None:
    assert reply.informational.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    is_whole(dialect, reply)


def says(text: str) -> Callable[[str, Reply, Log], None]:
    return lambda dialect, reply, log: is_whole(dialect, reply, text)


def findings_json(dialect: str, reply: Reply, log: Log) -> None:
    assert json.loads("".join(texts(dialect, reply)))["findings"]
    assert len(texts(dialect, reply)) == 12


PHRASE = " and so it goes."
CHECKS: dict[str, Callable[[str, Reply, Log], None]] = {
    "normal": normal,
    "cold": normal,
    "truncated": truncated,
    "many-per-frame": many_per_frame,
    "reasoning": reasoning,
    "empty-first-frames": empty_first_frames,
    "role-only": role_only,
    "short-answer": says("the quick brown"),
    "empty-answer": says(""),
    "repetition": says("the quick brown fox" + " again" * 31),
    "repeated-phrase": says("the quick brown fox" + PHRASE * 12),
    "findings-json": findings_json,
    "no-counters": no_counters,
    "nan-counters": nan_counters,
    "negative-counters": negative_counters,
    "split-bytes": split_bytes,
    "slow-drip": slow_drip,
    "coalesced": coalesced,
    "huge-frame": huge_frame,
    "gzip": compressed,
    "early-hints": early_hints,
    "abort": abort,
    "error-mid-stream": error_mid_stream,
    "garbage": garbage,
    "chunk-garbage": chunk_garbage,
    "endless-frame": endless_frame,
    "hang-first": nothing("waiting", None),
    "hang-mid": half_of_it("waiting", None),
    "cut-first": nothing("reset", "reset"),
    "cut": half_of_it("reset", "reset"),
    "close-mid": half_of_it("closed", "closed"),
    "headers-only": headers_only,
    "http-400": refused(400, "invalid option"),
    "http-404": refused(404, "model 'ref:http-404' not found"),
    "http-429": refused(429, "too many requests"),
    "http-429-always": refused(429, "too many requests"),
    "http-500": refused(500, "unexpectedly stopped"),
    "http-503": refused(503, "Loading model"),
    "redirect": redirect,
    "wrong-content-type": wrong_content_type,
}


def is_sent(entry: RequestLog) -> bool:
    return len(entry.done_ns) == len(entry.schedule.due_ns)


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("scenario", CHECKS)
async def test_scenario(scenario: str, dialect: str) -> None:
    async with ReferenceServer(SETTINGS) as server:
        async with connected(server.url) as client:
            await client.send(request_bytes(PATHS[dialect], generation(dialect, f"ref:{scenario}")))
            if scenario.startswith("hang"):
                # All that is to come is in the kernel when the server has sent it.
                await until(lambda: server.log.requests and is_sent(server.log.requests[0]))
                reply = await client.reply(quiet_s=0.1)
            else:
                reply = await client.reply()
            (log,) = server.log.as_dict()["requests"]
        assert log["scenario"] == scenario
        CHECKS[scenario](dialect, reply, log)


def test_every_scenario_is_checked_and_described() -> None:
    assert CHECKS.keys() == SCENARIOS.keys()
    for name, what in describe():
        assert what.endswith("."), name


@pytest.mark.parametrize("scenario", ["http-429", "http-503"])
async def test_only_the_first_request_is_refused_whatever_its_connection(scenario: str) -> None:
    async with ReferenceServer(SETTINGS) as server:
        replies = [
            await ask(server.url, PATHS[dialect], generation(dialect, f"ref:{scenario}"))
            for dialect in ("ollama", "ollama", "chat")
        ]
        always = [
            await ask(server.url, PATHS["ollama"], generation("ollama", "ref:http-429-always"))
            for _ in range(2)
        ]
    assert [reply.status for reply in replies] == [int(scenario[-3:]), 200, 200]
    is_whole("ollama", replies[1])
    assert [reply.status for reply in always] == [429, 429]
