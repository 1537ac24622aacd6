"""One behavioural suite over every client, both HTTP paths and every scenario, by real HTTP on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass
from typing import Any

import pytest

from benchmarks.reference_server import SCENARIOS
from contracts.call import CallResult, Outcome, ServerCounters
from contracts.configuration import Parameters
from contracts.formulas import reasoning_ttft_ms, ttft_ms
from tests.conformance.server_clients import (
    CLIENTS,
    ITL_MS,
    TEXT,
    TOKENS,
    TTFT_MS,
    ask,
    open_client,
    talking,
)
from worker.servers import CallRequest, ServerUnreachable

SLACK_MS = 1_000.0
"""Generous: the machine may be busy."""
HALF = TOKENS // 2
every_client = pytest.mark.parametrize("name", CLIENTS)
stamped_clients = pytest.mark.parametrize("name", [name for name in CLIENTS if name.endswith("-stamped")])


@dataclass(frozen=True)
class Case:
    """What becomes of a call."""

    outcome: Outcome
    reason: str | None = None
    """A part of it; ``None``: there is none."""
    frames: int = 0
    status: int | None = 200
    timeout_s: float = 20.0
    sendings: int = 1
    due_ms: float = TTFT_MS
    """When the first text is due."""
    counters: bool | None = None
    """All that the protocol has must be there, or nothing; ``None``: as the case may be."""


CASES = {
    "normal": Case(Outcome.OK, frames=TOKENS, counters=True),
    "cold": Case(Outcome.OK, frames=TOKENS, due_ms=TTFT_MS + 200.0, counters=True),
    "truncated": Case(Outcome.TRUNCATED, "the length limit was reached", TOKENS, counters=True),
    "many-per-frame": Case(Outcome.OK, frames=4, counters=True),
    "reasoning": Case(Outcome.OK, frames=TOKENS, due_ms=TTFT_MS + 5 * ITL_MS, counters=True),
    "empty-first-frames": Case(Outcome.OK, frames=TOKENS, counters=True),
    "role-only": Case(Outcome.OK, frames=TOKENS, counters=True),
    "short-answer": Case(Outcome.OK, frames=3, counters=True),
    "empty-answer": Case(Outcome.DEGENERATE, "the answer is empty"),
    "repetition": Case(Outcome.DEGENERATE, "the last 31 text frames are equal: ' again'", 35),
    "repeated-phrase": Case(Outcome.DEGENERATE, "the answer ends in 12 times", 64),
    "findings-json": Case(Outcome.OK, frames=TOKENS, counters=True),
    "no-counters": Case(Outcome.OK, frames=TOKENS, counters=False),
    "nan-counters": Case(Outcome.OK, "is left out", TOKENS, counters=False),
    "negative-counters": Case(Outcome.OK, "is negative", TOKENS, counters=False),
    "split-bytes": Case(Outcome.OK, frames=TOKENS, counters=True),
    "slow-drip": Case(Outcome.OK, frames=TOKENS, counters=True),
    "coalesced": Case(Outcome.OK, frames=TOKENS, due_ms=TTFT_MS + (TOKENS - 1) * ITL_MS, counters=True),
    "huge-frame": Case(Outcome.OK, frames=TOKENS, counters=True),
    "gzip": Case(Outcome.SERVER_ERROR, "the stream is encoded as 'gzip', which was not asked for"),
    "early-hints": Case(Outcome.OK, frames=TOKENS, counters=True),
    "abort": Case(Outcome.ABORTED, "without the server's final record after 205 characters in 35", 35),
    "error-mid-stream": Case(Outcome.SERVER_ERROR, "running the model: out of memory", HALF),
    "garbage": Case(Outcome.SERVER_ERROR, "is not JSON", HALF),
    "chunk-garbage": Case(Outcome.SERVER_ERROR, "the answer is not HTTP", HALF),
    "endless-frame": Case(Outcome.SERVER_ERROR, "a frame is longer than 16777216 bytes", HALF),
    "hang-first": Case(Outcome.TIMEOUT, "before the response's headers", status=None, timeout_s=0.5),
    "hang-mid": Case(Outcome.TIMEOUT, "in mid-stream", HALF, timeout_s=1.5),
    "cut-first": Case(
        Outcome.CONNECTION, "connection reset by peer (before the response's headers)", status=None
    ),
    "cut": Case(Outcome.CONNECTION, "connection reset by peer (in mid-stream", HALF),
    "close-mid": Case(Outcome.CONNECTION, "the server closed the connection (in mid-stream", HALF),
    "headers-only": Case(
        Outcome.ABORTED, "without the server's final record after 0 characters in 0 text frames"
    ),
    "http-400": Case(Outcome.SERVER_ERROR, "HTTP 400: invalid option: mirostat_teta", status=400),
    "http-404": Case(Outcome.SERVER_ERROR, "HTTP 404: model", status=404),
    "http-429": Case(Outcome.OK, frames=TOKENS, sendings=2, counters=True),
    "http-429-always": Case(Outcome.SERVER_ERROR, "HTTP 429: too many requests", status=429, sendings=3),
    "http-500": Case(Outcome.SERVER_ERROR, "HTTP 500: model runner has unexpectedly stopped", status=500),
    "http-503": Case(Outcome.OK, frames=TOKENS, sendings=2, counters=True),
    "redirect": Case(Outcome.SERVER_ERROR, "HTTP 302 to /elsewhere: Moved.", status=302),
    "wrong-content-type": Case(Outcome.SERVER_ERROR, "content type 'text/html; charset=utf-8' instead of"),
}


def test_every_scenario_has_a_case() -> None:
    assert SCENARIOS.keys() == CASES.keys()


@every_client
@pytest.mark.parametrize("scenario", list(CASES))
async def test_outcome(name: str, scenario: str) -> None:
    case = CASES[scenario]
    async with talking(name) as client:
        result = await client.call(scenario, case.timeout_s)
        sendings = len(client.reference.log.requests)

    assert result.outcome is case.outcome, result.reason
    assert result.reason is None if case.reason is None else case.reason in (result.reason or "")
    assert result.http_status == case.status
    assert len(result.timing.text_ns) == case.frames
    assert (len(result.earlier_sendings), sendings) == (case.sendings - 1, case.sendings)
    assert not result.structured
    assert (result.degeneration is not None) == (result.outcome is Outcome.DEGENERATE)
    check_timing(result)
    check_counters(result, case.counters, client.name)
    if case.frames and sendings == 1:
        first_ms = ttft_ms(result.timing)
        assert first_ms is not None
        assert case.due_ms - 1 <= first_ms < case.due_ms + SLACK_MS
    assert CallResult.model_validate_json(result.model_dump_json()) == result


def check_timing(result: CallResult) -> None:
    times = result.timing
    points = [times.sent_ns, times.headers_ns, *times.text_ns, times.end_ns]
    known = [point for point in points if point is not None]
    assert known == sorted(known)
    assert times.wall_anchor.utcoffset() is not None


def check_counters(result: CallResult, expected: bool | None, client: str) -> None:
    counters = result.counters
    if expected is False:
        assert counters == ServerCounters()
    elif expected:
        known = {name for name, value in counters if value is not None}
        has = {"prompt_tokens", "tokens", "prompt_eval_ns", "eval_ns", "eval_tokens"}
        assert known == has | ({"load_ns", "total_ns"} if client == "ollama" else {"cached_tokens"})
    elif result.outcome is not Outcome.DEGENERATE:
        assert counters == ServerCounters(), "no final record came"


@every_client
async def test_text_and_counters_are_the_servers(name: str) -> None:
    async with talking(name) as client:
        result = await client.call()
    assert result.text == TEXT
    assert result.finish_reason == ("eos" if client.name == "llama.cpp" else "stop")
    c = result.counters
    # llama.cpp's own protocol has no system message: it becomes a part of the prompt.
    assert (c.prompt_tokens, c.tokens) == (5, TOKENS)
    assert c.eval_ns == round((TOKENS - 1) * ITL_MS * 1e6)
    assert c.eval_tokens == (TOKENS if client.name == "ollama" else TOKENS - 1)
    assert c.prompt_eval_ns == 29_000_000
    if client.name == "ollama":
        assert (c.load_ns, c.total_ns, c.cached_tokens) == (1_000_000, 63_000_000, None)
    else:
        assert (c.load_ns, c.total_ns, c.cached_tokens) == (None, None, 0)


@every_client
async def test_impossible_counters_are_named(name: str) -> None:
    async with talking(name) as client:
        result = await client.call("nan-counters")
    reason = result.reason or ""
    assert "negative" in reason and "'12' is not a number" in reason
    assert "nan is not finite" in reason


@every_client
async def test_text_survives_any_split(name: str) -> None:
    async with talking(name) as client:
        result = await client.call("split-bytes")
    assert result.text.startswith("naïve Größe 日本語 🦊🐕 e\u0301 Ω≈ç√ русский naïve")


@every_client
async def test_huge_frame_is_text(name: str) -> None:
    async with talking(name) as client:
        result = await client.call("huge-frame")
    assert result.text[:10_000_000] == "0123456789" * 1_000_000
    assert result.text[10_000_000:] == TEXT.removeprefix("the")


@every_client
async def test_reasoning_has_times_of_its_own(name: str) -> None:
    async with talking(name) as client:
        result = await client.call("reasoning")
    assert result.text == TEXT
    first, thought = ttft_ms(result.timing), reasoning_ttft_ms(result.timing)
    assert first is not None and first >= TTFT_MS + 5 * ITL_MS - 1
    if client.name in ("ollama", "chat"):
        assert len(result.timing.reasoning_ns) == 5
        assert result.reasoning_chars == len("Let me think about this.")
        assert thought is not None and thought < first
    else:
        assert (thought, result.reasoning_chars) == (None, 0)


@every_client
async def test_empty_frames_are_no_first_token(name: str) -> None:
    async with talking(name, ttft_ms=80.0) as client:
        for scenario in ("empty-first-frames", "role-only"):
            first_ms = ttft_ms((await client.call(scenario)).timing)
            assert first_ms is not None and first_ms >= 79


@every_client
async def test_a_frame_arrives_with_its_first_byte(name: str) -> None:
    async with talking(name) as client:
        result = await client.call("slow-drip")
        first = next(frame for frame in client.reference.log.requests[-1].frames if frame[4] == "text")
    assert first[2] is not None and result.timing.text_ns[0] < first[2]


@pytest.mark.parametrize("path", ["stamped", "plain"])
@pytest.mark.parametrize(
    ("kind", "flavour", "tokens"),
    [
        ("llama.cpp", "llama.cpp", (1, 4, 4, 3)),
        ("chat", "vllm", (1, 4, 4, 3)),
        ("completions", "vllm", (1, 4, 4, 3)),
        ("ollama", "llama.cpp", None),
        ("chat", "llama.cpp", None),
        ("chat", "other", None),
    ],
)
async def test_tokens_per_frame_are_told_or_unknown(
    kind: str, flavour: str, tokens: tuple[int, ...] | None, path: str
) -> None:
    async with talking(f"{kind}-{path}", flavour=flavour) as client:
        result = await client.call("many-per-frame")
    assert result.outcome is Outcome.OK, result.reason
    assert result.timing.text_tokens == tokens


@every_client
async def test_what_the_server_ran_with(name: str) -> None:
    asked: dict[str, Any] = {"temperature": 0.7, "top_p": 0.95, "num_predict": 5, "seed": 11}
    async with talking(name) as client:
        result = await client.call(**asked)
    told = asked | {"top_k": 40, "repeat_penalty": 1.0}
    assert result.applied == (told if client.name == "llama.cpp" else {})


@every_client
async def test_length_limit_is_sent(name: str) -> None:
    async with talking(name) as client:
        result = await client.call(num_predict=5)
    assert result.outcome is Outcome.TRUNCATED
    assert result.finish_reason == ("limit" if client.name == "llama.cpp" else "length")
    assert (result.counters.tokens, result.text) == (5, "the quick brown fox jumps")


@every_client
async def test_too_short(name: str) -> None:
    async with talking(name) as client:
        result = await client.call("short-answer", min_words=4)
        enough = await client.call("short-answer", min_words=3)
        cut = await client.call("short-answer", min_words=4, num_predict=2)
    assert (result.outcome, result.degeneration) == (Outcome.DEGENERATE, "short")
    assert result.reason == "the answer has 3 words, fewer than 4"
    assert (enough.outcome, cut.outcome) == (Outcome.OK, Outcome.TRUNCATED)


@every_client
async def test_the_same_text_has_the_same_hash(name: str) -> None:
    async with talking(name) as client:
        first, again, other = await client.call(), await client.call(), await client.call(num_predict=3)
        empty = await client.call("empty-answer")
    assert first.text_hash == again.text_hash != other.text_hash
    assert empty.text_hash is None


@every_client
async def test_only_the_first_call_is_cold(name: str) -> None:
    async with talking(name) as client:
        cold, warm = await client.call("cold"), await client.call("cold")
    cold_ms, warm_ms = ttft_ms(cold.timing), ttft_ms(warm.timing)
    assert cold_ms is not None and warm_ms is not None
    assert cold_ms > warm_ms + 100
    if client.name == "ollama":
        assert (cold.counters.load_ns, warm.counters.load_ns) == (201_000_000, 1_000_000)


@stamped_clients
async def test_unload(name: str) -> None:
    async with talking(name) as client:
        await client.call("cold")
        problem = await client.server.unload("ref:cold")
        again = await client.call("cold")
        cold = client.reference.log.requests[-1].cold
    assert again.outcome is Outcome.OK
    assert (problem is None) == cold == (client.name == "ollama")
    assert problem is None or "ref" in problem


@every_client
async def test_schema_is_sent_where_it_is_supported(name: str) -> None:
    schema = {"type": "object", "properties": {"analysis": {"type": "string"}}}
    async with talking(name) as client:
        await client.server.identify("ref")
        assert client.server.supports_schema
        result = await client.call(schema=schema)
        body = client.reference.log.requests[-1].body
    assert result.structured
    assert set(json.loads(result.text)) == {"analysis", "findings", "recommendations"}
    assert schema in (
        body.get("format"),
        body.get("json_schema"),
        body.get("response_format", {}).get("json_schema", {}).get("schema"),
    )


@every_client
async def test_unknown_model(name: str) -> None:
    async with talking(name) as client:
        request = CallRequest("nobody", "p", None, Parameters(), None)
        result = await client.server.call(request, 20)
    assert (result.outcome, result.http_status) == (Outcome.SERVER_ERROR, 404)
    assert "model 'nobody' not found" in (result.reason or "")


@every_client
async def test_models_and_identity(name: str) -> None:
    async with talking(name) as client:
        server = client.server
        assert {"ref", "ref:cold"} <= {model.removesuffix(":latest") for model in await server.models()}
        await client.call()
        identity, unknown = await server.identify("ref:normal"), await server.identify("nobody")
        assert identity.url == client.reference.url
    assert identity.kind == server.kind
    assert identity.version is not None and "reference" in identity.version
    assert (identity.context, identity.context_max) == (4096, 131_072)
    assert identity.quantisation in ("Q4_K_M", "Q4_K - Medium")
    assert identity.parameter_size == "268.10M"
    assert (identity.digest is not None) == (client.name == "ollama")
    assert (unknown.model, unknown.digest, unknown.context, unknown.quantisation) == (None,) * 4


@every_client
async def test_calls_at_the_same_time(name: str) -> None:
    async with talking(name) as client:
        results = await asyncio.gather(*(client.call() for _ in range(8)))
    assert [r.outcome for r in results] == [Outcome.OK] * 8
    assert {r.text for r in results} == {TEXT}


@every_client
async def test_the_next_call_is_well_after_every_failure(name: str) -> None:
    failures = (
        "hang-mid",
        "cut",
        "close-mid",
        "http-500",
        "garbage",
        "endless-frame",
        "gzip",
        "headers-only",
    )
    async with talking(name) as client:
        for scenario in failures:
            await client.call(scenario, 0.5)
            assert (await client.call()).outcome is Outcome.OK, scenario


@every_client
async def test_nobody_there(name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        server = open_client(name, f"http://127.0.0.1:{taken.getsockname()[1]}", retries=0)
        result = await server.call(ask(), 5)
        assert result.outcome is Outcome.CONNECTION
        assert "connection refused" in (result.reason or "")
        for question in (server.models(), server.identify("ref")):
            with pytest.raises(ServerUnreachable, match="connection refused"):
                await question
        await server.aclose()


@every_client
async def test_another_protocol_is_there(name: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        server = open_client(name, f"http://127.0.0.1:{port}")
        result = await server.call(ask(), 5)
        assert result.outcome in (Outcome.SERVER_ERROR, Outcome.CONNECTION)
        with pytest.raises(ServerUnreachable):
            await server.models()
        await server.aclose()


@pytest.mark.parametrize("flavour", ["vllm", "other"])
@pytest.mark.parametrize("name", [name for name in CLIENTS if name.startswith(("chat", "completions"))])
async def test_servers_without_llama_cpp_extensions(name: str, flavour: str) -> None:
    async with talking(name, flavour=flavour) as client:
        identity = await client.server.identify("ref")
        result = await client.call(temperature=0.5, num_predict=4)
        supports_schema = client.server.supports_schema
    assert result.outcome is Outcome.TRUNCATED
    assert (result.counters.tokens, result.counters.prompt_tokens) == (4, 5)
    assert result.counters.eval_ns is None
    assert identity.context == (4096 if flavour == "vllm" else None)
    assert identity.version == ("reference-1" if flavour == "vllm" else None)
    assert supports_schema == (client.name == "chat")


@stamped_clients
async def test_llama_cpp_is_told_apart(name: str) -> None:
    async with talking(name, flavour="other") as client:
        if client.name == "llama.cpp":
            with pytest.raises(ServerUnreachable, match=r"does not answer as llama\.cpp"):
                await client.server.models()
        else:
            assert await client.server.models()
