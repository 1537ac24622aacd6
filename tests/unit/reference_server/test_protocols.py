"""What the server says beside its streams: settings applied, loading and unloading, llama.cpp's slots."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest

from benchmarks.reference_server import ReferenceServer, Settings
from benchmarks.reference_server.llama_settings import generation_settings
from tests.unit.reference_server.raw_client import PATHS, ask, generation

FAST: dict[str, Any] = {"ttft_ms": 2, "itl_ms": 0.5, "tokens": 8}


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    async with ReferenceServer(Settings(**FAST, load_ms=30, max_context=65_536)) as started:
        yield started


async def generate(server: ReferenceServer, **more: Any) -> dict[str, Any]:
    reply = await ask(server.url, PATHS["ollama"], generation("ollama", **more))
    return reply.records[-1]


async def loaded(server: ReferenceServer) -> dict[str, dict[str, Any]]:
    models = (await ask(server.url, "/api/ps")).json["models"]
    return {model["name"]: model for model in models}


async def test_context_is_shown_as_asked_beyond_the_models_own_too(server: ReferenceServer) -> None:
    assert await loaded(server) == {}
    seen = []
    for options in ({}, {"num_ctx": 8192}, {"num_ctx": 1_000_000}):
        await generate(server, options=options)
        model = (await loaded(server))["ref:latest"]
        seen.append((model["context_length"], model["size"]))
    contexts, sizes = zip(*seen, strict=True)
    assert contexts == (4096, 8192, 1_000_000)
    assert sizes[0] < sizes[1] < sizes[2]


async def test_layers_on_the_gpu_are_told_by_the_memory(server: ReferenceServer) -> None:
    shares = []
    for options in ({"num_gpu": 0}, {"num_gpu": 17}, {"num_gpu": 34}, {"num_gpu": 60}, {"num_gpu": 80}):
        await generate(server, options=options)
        model = (await loaded(server))["ref:latest"]
        shares.append(model["size_vram"] / model["size"])
    assert shares == pytest.approx([0, 0.5, 1, 1, 1])


async def test_a_change_of_context_or_layers_is_a_reload(server: ReferenceServer) -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"temperature": 0.5, "seed": 3},
        {"num_ctx": 4096},
        {"num_ctx": 8192},
        {},
        {"num_gpu": 10},
        {"num_gpu": 10},
        {},
        {"num_gpu": 11},
    ]
    records = [await generate(server, options=options) for options in asked]
    cold = [True, False, False, True, True, True, False, False, True]
    assert [entry.cold for entry in server.log.requests] == cold
    assert [record["load_duration"] > 30_000_000 for record in records] == cold


async def test_show_tells_the_models_own_figures(server: ReferenceServer) -> None:
    shown = (await ask(server.url, "/api/show", {"model": "ref"})).json
    assert shown["model_info"]["reference.block_count"] == 34
    assert shown["model_info"]["reference.context_length"] == 65_536
    assert (await ask(server.url, "/api/show", {"model": "x"})).status == 404


@pytest.mark.parametrize("keep_alive", [0, "0", "0s"])
async def test_keep_alive_zero_unloads_after_the_answer(server: ReferenceServer, keep_alive: object) -> None:
    assert (await generate(server, keep_alive=keep_alive))["done_reason"] == "stop"
    assert await loaded(server) == {}
    await generate(server)
    assert [entry.cold for entry in server.log.requests] == [True, True]


async def test_without_a_prompt_a_model_is_loaded_or_unloaded(server: ReferenceServer) -> None:
    load = {"model": "ref", "options": {"num_ctx": 512}}
    reply = await ask(server.url, PATHS["ollama"], load)
    assert (reply.json["done"], reply.json["done_reason"], reply.json["response"]) == (True, "load", "")
    assert reply.fields["content-type"].startswith("application/json")
    (entry,) = server.log.requests
    assert entry.cold and reply.pieces[-1][1] >= entry.begin_ns + 30_000_000
    assert (await loaded(server))["ref:latest"]["context_length"] == 512

    unload = await ask(server.url, PATHS["ollama"], {"model": "ref", "prompt": "", "keep_alive": 0})
    assert (unload.json["done"], unload.json["done_reason"]) == (True, "unload")
    assert await loaded(server) == {}
    again = await ask(server.url, PATHS["ollama"], {"model": "ref", "keep_alive": 0})
    assert again.json["done_reason"] == "unload" and await loaded(server) == {}
    assert (await ask(server.url, PATHS["ollama"], {"model": "nobody"})).status == 404


async def test_scenarios_are_loaded_each_by_itself(server: ReferenceServer) -> None:
    await generate(server, model="ref:cold")
    await generate(server)
    assert set(await loaded(server)) == {"ref:latest", "ref:cold"}
    assert [entry.cold for entry in server.log.requests] == [True, True]


def test_settings_are_rounded_to_32_bits_as_llama_cpp_does() -> None:
    values = generation_settings({"temperature": 0.7, "repeat_penalty": 1.3, "top_k": 20, "seed": 5})
    assert values["temperature"] == struct.unpack("f", struct.pack("f", 0.7))[0] != 0.7
    assert (values["repeat_penalty"], values["top_k"]) == (1.2999999523162842, 20)
    assert (values["seed"], values["n_predict"], values["max_tokens"]) == (5, -1, -1)
    assert generation_settings({"seed": -1})["seed"] == 4_294_967_295
    assert generation_settings({"max_tokens": 3})["n_predict"] == 3
    odd = generation_settings({"temperature": "hot", "top_k": True, "top_p": float("nan"), "min_p": 1e300})
    assert (odd["temperature"], odd["top_k"]) == (0.800000011920929, 40)
    json.dumps(odd, allow_nan=False)


async def test_slots_tell_the_last_task(server: ReferenceServer) -> None:
    (before,) = (await ask(server.url, "/slots")).json
    assert before == {"id": 0, "n_ctx": 4096, "speculative": False, "is_processing": False}
    body = generation("native", seed=7, temperature=0.5, n_predict=4, top_k=3)
    await ask(server.url, PATHS["native"], body)
    (after,) = (await ask(server.url, "/slots")).json
    assert (after["is_processing"], after["n_prompt_tokens"]) == (False, 3 + 4 - 1)
    shown = {name: after["params"][name] for name in ("seed", "temperature", "n_predict", "top_k")}
    assert shown == {"seed": 7, "temperature": 0.5, "n_predict": 4, "top_k": 3}
    properties = (await ask(server.url, "/props")).json
    assert properties["default_generation_settings"]["n_ctx"] == 4096
    assert properties["total_slots"] == 1


async def test_native_timings_per_token(server: ReferenceServer) -> None:
    reply = await ask(server.url, PATHS["native"], generation("native", timings_per_token=True, n_predict=3))
    *parts, last = reply.records
    assert [part["timings"]["predicted_n"] for part in parts] == [1, 2, 3]
    assert [part["timings"]["predicted_ms"] for part in parts] == pytest.approx([0.001, 0.5, 1.0])
    assert parts[0]["timings"]["predicted_per_second"] == 0.0
    assert last["timings"] == parts[-1]["timings"]
    assert (last["stop_type"], last["tokens_cached"]) == ("limit", 3 + 3 - 1)


@pytest.mark.parametrize(("n_predict", "tokens"), [(0, 1), (1, 1), (-1, 8), (None, 8)])
async def test_native_length(server: ReferenceServer, n_predict: int | None, tokens: int) -> None:
    reply = await ask(server.url, "/completions", generation("native", n_predict=n_predict))
    assert reply.records[-1]["tokens_predicted"] == tokens == len(reply.records) - 1


@pytest.mark.parametrize("dialect", ["chat", "completions"])
async def test_vllm_counts_in_every_chunk_if_asked(dialect: str) -> None:
    async with ReferenceServer(Settings(**FAST, flavour="vllm")) as server:
        asked = {"include_usage": True, "continuous_usage_stats": True}
        body = generation(dialect, "ref:many-per-frame", stream_options=asked)
        records = (await ask(server.url, PATHS[dialect], body)).records
        plain = (await ask(server.url, PATHS[dialect], generation(dialect))).records
    counts = [r["usage"]["completion_tokens"] for r in records if r["choices"] and "usage" in r]
    assert counts == ([0] if dialect == "chat" else []) + [1, 5, 8]
    assert records[-1]["usage"] == {"prompt_tokens": 3, "completion_tokens": 8, "total_tokens": 11}
    assert [("usage" in record) for record in plain] == [False] * (len(plain) - 1) + [True]


@pytest.mark.parametrize("dialect", ["chat", "completions"])
async def test_llama_cpp_tells_its_timings_without_being_asked_for_usage(dialect: str) -> None:
    async with ReferenceServer(Settings(**FAST)) as server:
        body = generation(dialect, stream_options={})
        last = (await ask(server.url, PATHS[dialect], body)).records[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["timings"]["predicted_n"] == 8
    assert ("usage" in last) == (dialect == "completions")


async def test_only_llama_cpp_has_the_native_side() -> None:
    async with ReferenceServer(Settings(**FAST, flavour="other")) as server:
        for path in ("/completion", "/slots", "/props"):
            assert (await ask(server.url, path, generation("native"))).status == 404


async def test_requests_that_ask_for_what_there_is_not(server: ReferenceServer) -> None:
    for dialect, path in PATHS.items():
        body = generation(dialect) | {"stream": False}
        reply = await ask(server.url, path, body)
        assert reply.status == 400 and b"only streams" in reply.body
    assert (await ask(server.url, "/nothing")).status == 404
    assert (await ask(server.url, "/log?since=x")).status == 400
    assert not server.log.requests
