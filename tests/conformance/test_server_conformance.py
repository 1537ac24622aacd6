"""One behavioural suite over every client and every scenario, by real HTTP on loopback."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise

import pytest

from benchmarks.reference_server import SCENARIOS, ReferenceServer, Settings
from contracts.call import CallResult, Outcome, ServerCounters
from contracts.configuration import Parameters
from contracts.formulas import ttft_ms
from contracts.sweep import ServerSpec
from worker.servers import CallRequest, ModelServer, ServerUnreachable, open_server

TOKENS, TTFT_MS, ITL_MS = 12, 40.0, 4.0
SETTINGS = Settings(ttft_ms=TTFT_MS, itl_ms=ITL_MS, tokens=TOKENS)
SPECS = {
    "ollama": ServerSpec(kind="ollama"),
    "chat": ServerSpec(kind="openai", api="chat"),
    "completions": ServerSpec(kind="openai", api="completions"),
}
SLACK_MS = 400.0
"""Generous: the machine may be busy."""
TEXT = "the quick brown fox jumps over a lazy dog near some cold"


@pytest.fixture
async def reference() -> AsyncIterator[ReferenceServer]:
    async with ReferenceServer(SETTINGS) as server:
        yield server


@pytest.fixture(params=list(SPECS))
async def client(request: pytest.FixtureRequest, reference: ReferenceServer) -> AsyncIterator[ModelServer]:
    server = open_server(SPECS[request.param], reference.url)
    yield server
    await server.aclose()


def ask(scenario: str = "", **parameters: float) -> CallRequest:
    model = f"ref:{scenario}" if scenario else "ref"
    return CallRequest(
        model, "one two three", "be brief", Parameters.model_validate(parameters), answer_schema=None
    )


def check_timing(result: CallResult) -> None:
    times = result.timing
    points = [times.sent_ns, times.headers_ns, *times.text_ns, times.end_ns]
    known = [point for point in points if point is not None]
    assert known == sorted(known)
    assert times.wall_anchor.utcoffset() is not None


@dataclass(frozen=True)
class Case:
    outcome: Outcome
    reason: str | None = None
    """A part of it; ``None``: there is none."""
    frames: int = 0
    status: int | None = 200
    timeout_s: float = 20.0


CASES = {
    "normal": Case(Outcome.OK, frames=TOKENS),
    "cold": Case(Outcome.OK, frames=TOKENS),
    "truncated": Case(Outcome.TRUNCATED, "length limit", TOKENS),
    "abort": Case(Outcome.ABORTED, "without the server's final record after 205 characters in 35", 35),
    "repetition": Case(Outcome.DEGENERATE, "the last 31 text frames are equal: ' again'", 35),
    "error-mid-stream": Case(Outcome.SERVER_ERROR, "running the model: out of memory", TOKENS // 2),
    "http-500": Case(Outcome.SERVER_ERROR, "HTTP 500: model runner has unexpectedly stopped", status=500),
    "http-404": Case(Outcome.SERVER_ERROR, "HTTP 404: model 'ref:http-404' not found", status=404),
    "hang-first": Case(Outcome.TIMEOUT, "before the response's headers", status=None, timeout_s=0.5),
    "hang-mid": Case(Outcome.TIMEOUT, "in mid-stream", TOKENS // 2, timeout_s=1.5),
    "cut": Case(Outcome.CONNECTION, "reset by peer (in mid-stream", TOKENS // 2),
    "garbage": Case(Outcome.SERVER_ERROR, "is not JSON", TOKENS // 2),
    "wrong-content-type": Case(Outcome.SERVER_ERROR, "content type 'text/html; charset=utf-8' instead of"),
    "empty-first-frames": Case(Outcome.OK, frames=TOKENS),
    "role-only": Case(Outcome.OK, frames=TOKENS),
    "reasoning": Case(Outcome.OK, frames=TOKENS),
    "split-bytes": Case(Outcome.OK, frames=TOKENS),
    "no-counters": Case(Outcome.OK, frames=TOKENS),
    "nan-counters": Case(Outcome.OK, "is left out", TOKENS),
    "huge-frame": Case(Outcome.OK, frames=TOKENS),
    "empty-answer": Case(Outcome.DEGENERATE, "the answer is empty"),
    "findings-json": Case(Outcome.OK, frames=TOKENS),
}


@pytest.mark.parametrize("scenario", list(CASES))
async def test_outcome(client: ModelServer, scenario: str) -> None:
    case = CASES[scenario]
    result = await client.call(ask(scenario), case.timeout_s)

    assert result.outcome is case.outcome, result.reason
    assert result.reason is None if case.reason is None else case.reason in (result.reason or "")
    assert result.http_status == case.status
    assert len(result.timing.text_ns) == case.frames
    assert not result.structured
    check_timing(result)
    if case.frames:
        first = ttft_ms(result.timing)
        assert first is not None
        due = TTFT_MS + (200.0 if scenario == "cold" else 0.0)
        assert due - 1 <= first < due + SLACK_MS


def test_every_scenario_has_a_case() -> None:
    assert SCENARIOS.keys() == CASES.keys()


async def test_text_and_counters_are_the_servers(client: ModelServer) -> None:
    result = await client.call(ask(), 20)
    assert result.text == TEXT
    assert result.finish_reason == "stop"
    c = result.counters
    assert (c.prompt_tokens, c.tokens) == (5, TOKENS)
    assert c.eval_ns == round((TOKENS - 1) * ITL_MS * 1e6)
    assert c.eval_tokens == (TOKENS if client.kind == "ollama" else TOKENS - 1)
    if client.kind == "ollama":
        assert (c.prompt_eval_ns, c.load_ns, c.total_ns) == (39_000_000, 1_000_000, 84_000_000)
        assert c.cached_tokens is None
    else:
        assert (c.prompt_eval_ns, c.load_ns, c.total_ns, c.cached_tokens) == (39_000_000, None, None, 0)


async def test_counters_that_were_not_sent_are_none(client: ModelServer) -> None:
    result = await client.call(ask("no-counters"), 20)
    assert result.counters == ServerCounters()
    assert result.text == TEXT


async def test_impossible_counters_are_none_and_named(client: ModelServer) -> None:
    result = await client.call(ask("nan-counters"), 20)
    assert result.counters == ServerCounters()
    assert result.reason is not None
    assert "negative" in result.reason
    assert "'12' is not a number" in result.reason
    assert "nan is not finite" in result.reason


async def test_text_survives_any_split(client: ModelServer) -> None:
    result = await client.call(ask("split-bytes"), 20)
    assert result.text.startswith("naïve Größe 日本語 🦊🐕 e\u0301 Ω≈ç√ русский naïve")


async def test_huge_frame_is_text(client: ModelServer) -> None:
    result = await client.call(ask("huge-frame"), 30)
    assert result.text[:10_000_000] == "0123456789" * 1_000_000
    assert result.text[10_000_000:] == TEXT.removeprefix("the")


async def test_reasoning_is_no_text(client: ModelServer) -> None:
    result = await client.call(ask("reasoning"), 20)
    assert result.text == TEXT


async def test_length_limit_is_sent(client: ModelServer) -> None:
    result = await client.call(ask(num_predict=5), 20)
    assert result.outcome is Outcome.TRUNCATED
    assert (result.finish_reason, result.counters.tokens) == ("length", 5)
    assert result.text == "the quick brown fox jumps"


async def test_only_the_first_call_is_cold(client: ModelServer) -> None:
    cold = await client.call(ask("cold"), 20)
    warm = await client.call(ask("cold"), 20)
    cold_ms, warm_ms = ttft_ms(cold.timing), ttft_ms(warm.timing)
    assert cold_ms is not None and warm_ms is not None
    assert cold_ms > warm_ms + 100
    if client.kind == "ollama":
        assert (cold.counters.load_ns, warm.counters.load_ns) == (201_000_000, 1_000_000)


async def test_schema_is_sent_where_it_is_supported(client: ModelServer, reference: ReferenceServer) -> None:
    await client.identify("ref")
    assert client.supports_schema
    schema = {"type": "object", "properties": {"analysis": {"type": "string"}}}
    result = await client.call(CallRequest("ref", "p", None, Parameters(), schema), 20)
    assert result.structured
    assert set(json.loads(result.text)) == {"analysis", "findings", "recommendations"}
    body = reference.log.requests[-1].body
    assert schema in (
        body.get("format"),
        body.get("json_schema"),
        body.get("response_format", {}).get("json_schema", {}).get("schema"),
    )


async def test_unknown_model(client: ModelServer) -> None:
    result = await client.call(CallRequest("nobody", "p", None, Parameters(), None), 20)
    assert (result.outcome, result.http_status) == (Outcome.SERVER_ERROR, 404)
    assert "model 'nobody' not found" in (result.reason or "")


async def test_models_and_identity(client: ModelServer, reference: ReferenceServer) -> None:
    assert {"ref", "ref:cold"} <= {name.removesuffix(":latest") for name in await client.models()}
    await client.call(ask(), 20)
    identity = await client.identify("ref")
    assert identity.kind == client.kind
    assert identity.url == reference.url
    assert identity.version is not None and "reference" in identity.version
    assert identity.context == 4096
    assert identity.quantisation in ("Q4_K_M", "Q4_K - Medium")
    assert identity.parameter_size == "268.10M"
    assert (identity.digest is not None) == (client.kind == "ollama")
    unknown = await client.identify("nobody")
    assert (unknown.model, unknown.digest, unknown.context, unknown.quantisation) == (None,) * 4


async def test_one_connection_is_kept(client: ModelServer, reference: ReferenceServer) -> None:
    await client.models()
    before = reference.log.connections
    for _ in range(3):
        await client.call(ask(), 20)
    assert reference.log.connections == before
    assert len({entry.peer for entry in reference.log.requests}) == 1


async def test_calls_one_after_the_other_never_overlap(
    client: ModelServer, reference: ReferenceServer
) -> None:
    for _ in range(3):
        await client.call(ask(), 20)
    entries = list(reference.log.requests)
    for earlier, later in pairwise(entries):
        assert earlier.end_ns is not None and earlier.end_ns <= later.begin_ns


async def test_times_agree_with_the_servers_log(client: ModelServer, reference: ReferenceServer) -> None:
    result = await client.call(ask(), 20)
    entry = reference.log.requests[-1]
    sent = [at for _, at, tokens in entry.sends if tokens]
    assert len(sent) == len(result.timing.text_ns)
    assert result.timing.sent_ns <= entry.begin_ns
    assert all(seen >= at for seen, at in zip(result.timing.text_ns, sent, strict=True))


async def test_nothing_is_tried_twice(client: ModelServer, reference: ReferenceServer) -> None:
    for scenario in ("http-500", "cut", "abort"):
        await client.call(ask(scenario), 20)
    assert len(reference.log.requests) == 3


async def test_the_next_call_is_well_after_every_failure(client: ModelServer) -> None:
    for scenario in ("hang-mid", "cut", "http-500", "garbage"):
        await client.call(ask(scenario), 0.5)
        assert (await client.call(ask(), 20)).outcome is Outcome.OK


async def test_timeout_keeps_what_was_received(client: ModelServer) -> None:
    result = await client.call(ask("hang-mid"), 1.0)
    assert result.text == "the quick brown fox jumps over"
    assert "after 30 characters in 6 text frames" in (result.reason or "")
    assert result.counters == ServerCounters()


async def test_no_time_left_is_a_timeout(client: ModelServer) -> None:
    for timeout_s in (0.0, -3.0):
        result = await client.call(ask(), timeout_s)
        assert result.outcome is Outcome.TIMEOUT
        assert "before the request was sent" in (result.reason or "")


async def test_cancellation_passes_and_frees_the_server(
    client: ModelServer, reference: ReferenceServer
) -> None:
    task = asyncio.create_task(client.call(ask("hang-mid"), 60))
    async with asyncio.timeout(10):
        while not reference.log.requests or not reference.log.requests[-1].sends:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while reference.log.requests[-1].ended != "left":
            await asyncio.sleep(0.01)
    assert gc.isenabled()
    assert (await client.call(ask(), 20)).outcome is Outcome.OK


async def test_calls_at_the_same_time(client: ModelServer) -> None:
    results = await asyncio.gather(*(client.call(ask(), 20) for _ in range(8)))
    assert [r.outcome for r in results] == [Outcome.OK] * 8
    assert {r.text for r in results} == {TEXT}


@pytest.mark.parametrize("kind", list(SPECS))
async def test_nobody_there(kind: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        server = open_server(SPECS[kind], url)
        result = await server.call(ask(), 5)
        assert result.outcome is Outcome.CONNECTION
        assert "connection refused" in (result.reason or "")
        for question in (server.models(), server.identify("ref")):
            with pytest.raises(ServerUnreachable, match="connection refused"):
                await question
        await server.aclose()


@pytest.mark.parametrize("kind", list(SPECS))
async def test_another_protocol_is_there(kind: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        server = open_server(SPECS[kind], f"http://127.0.0.1:{port}")
        result = await server.call(ask(), 5)
        assert result.outcome in (Outcome.SERVER_ERROR, Outcome.CONNECTION)
        with pytest.raises(ServerUnreachable):
            await server.models()
        await server.aclose()


@pytest.mark.parametrize("flavour", ["vllm", "other"])
@pytest.mark.parametrize("kind", ["chat", "completions"])
async def test_servers_without_llama_cpp_extensions(kind: str, flavour: str) -> None:
    settings = Settings(ttft_ms=20, itl_ms=2, tokens=6, flavour=flavour)
    async with ReferenceServer(settings) as reference:
        server = open_server(SPECS[kind], reference.url)
        identity = await server.identify("ref")
        result = await server.call(ask(temperature=0.5, num_predict=4), 20)
        await server.aclose()
    assert result.outcome is Outcome.TRUNCATED
    assert (result.counters.tokens, result.counters.prompt_tokens) == (4, 5)
    assert result.counters.eval_ns is None
    assert identity.context == (4096 if flavour == "vllm" else None)
    assert identity.version == ("reference-1" if flavour == "vllm" else None)
    assert server.supports_schema == (kind == "chat")


async def test_server_that_leaves_the_connection_open_after_its_last_frame() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"response":"hi","done":false}\n{"response":"","done":true,"done_reason":"stop"}\n'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"%x\r\n%s\r\n" % (len(body), body))
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        server = open_server(SPECS["ollama"], f"http://127.0.0.1:{port}")
        result = await server.call(ask(), 60)
        await server.aclose()
    assert (result.outcome, result.text) == (Outcome.OK, "hi")
    assert result.timing.end_ns - result.timing.text_ns[0] < 900_000_000
