"""A real Ollama: what was said before reaches the model, and several calls at a time come to their ends."""

from __future__ import annotations

import asyncio

from contracts.call import Outcome
from contracts.configuration import Parameters
from contracts.sweep import ServerSpec
from tests.support.real_ollama import MODEL, RealOllama
from tests.support.real_ollama import real_ollama as real_ollama
from worker.measurement.clock import now_ns
from worker.servers import CallRequest, Load, open_server

CALL_S = 120.0
PARAMETERS = Parameters(num_predict=8, temperature=0.0)


async def test_a_chat_carries_its_history(real_ollama: RealOllama) -> None:
    client = open_server(ServerSpec(kind="ollama"), real_ollama.url)
    history = (("My name is Ada. Say hello.", "Hello Ada."),)
    request = CallRequest(MODEL, "What is my name?", None, PARAMETERS, None)
    talk = CallRequest(MODEL, "What is my name?", None, PARAMETERS, None, history=history)
    alone = await client.call(request, CALL_S)
    carried = await client.call(talk, CALL_S)
    await client.aclose()
    for result in (alone, carried):
        assert result.outcome.valid, result.reason
        assert result.text and result.timing.text_ns
    assert alone.counters.prompt_tokens is not None and carried.counters.prompt_tokens is not None
    assert carried.counters.prompt_tokens >= alone.counters.prompt_tokens + 8


async def test_calls_of_a_load(real_ollama: RealOllama) -> None:
    client = open_server(ServerSpec(kind="ollama"), real_ollama.url)
    await client.warm(3)
    requests = [
        CallRequest(MODEL, f"Count from {n}:", None, PARAMETERS, None, any_text=True, load=Load(now_ns()))
        for n in range(3)
    ]
    results = await asyncio.gather(*(client.call(request, CALL_S) for request in requests))
    await client.aclose()
    assert {result.outcome for result in results} <= {Outcome.OK, Outcome.TRUNCATED}
    # The server holds them back, one after the other or beside each other; the client does not.
    assert max(result.timing.sent_ns for result in results) < min(result.timing.end_ns for result in results)
