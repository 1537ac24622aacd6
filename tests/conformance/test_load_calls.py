"""Calls of a load, of every client and on both HTTP paths: many at a time, when they are due, once, on connections that stand."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from contracts.call import CallResult, Outcome
from tests.conformance.server_clients import CLIENTS, ENOUGH_S, TEXT, Client, ask, talking
from worker.measurement.clock import now_ns
from worker.measurement.load import Alarm
from worker.servers import CallRequest, Load
from worker.servers.ollama import OllamaServer

MS = 1_000_000
every_client = pytest.mark.parametrize("name", CLIENTS)


async def call(client: Client, load: Load | None, scenario: str = "normal", **parameters: Any) -> CallResult:
    request = replace(ask(scenario, **parameters), load=load)
    return await client.server.call(request, ENOUGH_S)


@every_client
async def test_many_at_a_time_are_all_well(name: str) -> None:
    async with talking(name, ttft_ms=1000.0) as client:
        await client.server.models()
        results = await asyncio.gather(*(call(client, Load(now_ns())) for _ in range(24)))
        begins = [entry.begin_ns for entry in client.reference.log.requests]
        ends = [entry.end_ns or 0 for entry in client.reference.log.requests]
    assert {result.outcome for result in results} == {Outcome.OK}
    assert {result.text for result in results} == {TEXT}
    assert max(begins) < min(ends)  # none waited for another


@every_client
async def test_a_call_is_written_when_it_is_due_and_not_before(name: str) -> None:
    async with talking(name) as client:
        await client.server.models()
        with Alarm() as alarm:
            due = [now_ns() + after * MS for after in (60, 90, 120)]
            results = await asyncio.gather(*(call(client, Load(at, alarm.until)) for at in due))
    assert [result.timing.due_ns for result in results] == due
    assert all(result.timing.sent_ns >= at for result, at in zip(results, due, strict=True))
    assert {result.outcome for result in results} == {Outcome.OK}


@every_client
async def test_a_refusal_is_the_result(name: str) -> None:
    async with talking(name, spec={"retries": 5}) as client:
        await client.server.models()
        refused = await call(client, Load(now_ns()), "http-503")
        assert (refused.outcome, refused.http_status, refused.earlier_sendings) == (
            Outcome.SERVER_ERROR,
            503,
            (),
        )
        assert len(client.reference.log.requests) == 1


@pytest.mark.parametrize("name", [name for name in CLIENTS if name.endswith("-stamped")])
async def test_connections_are_warm_where_the_server_keeps_them(name: str) -> None:
    async with talking(name, flavour="vllm") as client:
        if name.startswith("llama.cpp"):
            await client.server.warm(8)
            assert client.reference.log.connections == 0  # a thread of its server each
            return
        await client.server.models()
        before = client.reference.log.connections
        await client.server.warm(8)
        assert client.reference.log.connections == before + 7  # the one that asked is warm
        await asyncio.gather(*(call(client, Load(now_ns())) for _ in range(8)))
        assert client.reference.log.connections == before + 7


@pytest.mark.parametrize("name", ["chat-stamped", "completions-stamped", "llama.cpp-stamped"])
async def test_llama_cpp_gets_a_connection_for_each_call(name: str) -> None:
    async with talking(name, flavour="llama.cpp") as client:
        await client.server.models()
        before = client.reference.log.connections
        for _ in range(3):
            assert (await call(client, Load(now_ns()))).outcome is Outcome.OK
        assert client.reference.log.connections == before + 3


@every_client
async def test_what_was_said_before_is_sent(name: str) -> None:
    async with talking(name) as client:
        request = CallRequest(
            "ref",
            "six seven",
            "zero",
            ask().parameters,
            None,
            history=(("one two", " three"), (" four", " five")),
        )
        result = await client.server.call(request, ENOUGH_S)
        (entry,) = client.reference.log.requests
    assert (result.outcome, result.text) == (Outcome.OK, TEXT)
    assert result.counters.prompt_tokens == 8
    assert entry.prompt_tail.endswith("six seven")
    if name.startswith("ollama"):
        assert entry.path == "/api/chat"


@every_client
@pytest.mark.parametrize(("any_text", "outcome"), [(False, Outcome.DEGENERATE), (True, Outcome.OK)])
async def test_made_prompts_have_no_degenerate_answers(name: str, any_text: bool, outcome: Outcome) -> None:
    async with talking(name) as client:
        request = replace(ask("repetition"), any_text=any_text)
        assert (await client.server.call(request, ENOUGH_S)).outcome is outcome
        empty = replace(ask("empty-answer"), any_text=any_text)
        assert (await client.server.call(empty, ENOUGH_S)).outcome is Outcome.DEGENERATE


async def test_ollama_does_not_pause_within_a_load_and_calls_beside_each_other_pause_together() -> None:
    async with talking("ollama-stamped") as client:
        server = client.server
        assert isinstance(server, OllamaServer)
        await call(client, Load(now_ns()), num_predict=6)
        assert server._left_of_pause_s(now_ns()) <= 0
        cut = await call(client, None, num_predict=6)
        assert cut.outcome is Outcome.TRUNCATED
        # Two token times of what is left of the answer's eval time.
        pause_ns = round(2 * (cut.counters.eval_ns or 0) / 4)
        beside = await asyncio.gather(*(call(client, None) for _ in range(3)))
        for result in beside:
            assert result.timing.sent_ns >= cut.timing.end_ns + pause_ns - MS
        server._pause_s, server._paused_ns = 30.0, now_ns()
        assert (await call(client, Load(now_ns()))).timing.sent_ns < server._paused_ns + 20_000 * MS
