"""Ollama: limits and context of a model, the pause after a cut answer, what its eval time covers, unloading."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contracts.slots import ModelLimits
from contracts.sweep import ServerSpec
from worker.servers import ollama, open_server
from worker.servers.framing import Frame
from worker.servers.ollama import (
    MAX_PAUSE_S,
    UNKNOWN_PAUSE_S,
    OllamaServer,
    _context,
    limits_of,
    pause_after,
    read_generate,
)

MS = 1_000_000


def frames(*records: dict[str, Any]) -> list[Frame]:
    return [Frame(at, json.dumps(record).encode()) for at, record in enumerate(records, 1)]


def answer(count: int, reason: str = "stop", **counters: Any) -> list[Frame]:
    """A stream with ``count`` text frames."""
    text = [{"response": f" {n}", "done": False} for n in range(count)]
    return frames(*text, {"response": "", "done": True, "done_reason": reason, **counters})


def shown(**info: Any) -> dict[str, Any]:
    return {"model_info": {"general.architecture": "gemma3", **info}}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            shown(**{"gemma3.block_count": 18, "gemma3.context_length": 32_768}),
            ModelLimits(layers=18, context=32_768),
        ),
        (shown(**{"gemma3.block_count": 18}), ModelLimits(layers=18)),
        (shown(**{"llama.block_count": 18}), ModelLimits()),
        (shown(**{"gemma3.block_count": "18", "gemma3.context_length": -1}), ModelLimits()),
        ({"model_info": None}, ModelLimits()),
        ({"model_info": [1]}, ModelLimits()),
        ({}, ModelLimits()),
    ],
)
def test_limits(told: dict[str, Any], expected: ModelLimits) -> None:
    assert limits_of(told) == expected


@pytest.mark.parametrize(
    ("told", "most", "expected"),
    [
        (2048, 32_768, 2048),
        (100_000, 32_768, 32_768),
        (100_000, None, 100_000),
        (None, 32_768, None),
        ("2048", 32_768, None),
    ],
)
def test_the_context_is_never_longer_than_the_models(
    told: object, most: int | None, expected: int | None
) -> None:
    assert _context({"context_length": told}, ModelLimits(context=most)) == expected


@pytest.mark.parametrize(
    ("stream", "pause_s"),
    [
        pytest.param(answer(7, "length", eval_count=8, eval_duration=600 * MS), 0.2, id="two token times"),
        pytest.param(answer(2, "length", eval_count=3, eval_duration=165 * MS), 0.33, id="one gap"),
        pytest.param(
            answer(1, "length", eval_count=2, eval_duration=-70 * MS, prompt_eval_duration=500 * MS),
            0.5,
            id="no eval time: the prompt's took longer than a token's",
        ),
        pytest.param(answer(0, "length", eval_count=1), UNKNOWN_PAUSE_S, id="no time at all"),
        pytest.param(answer(9, "length"), UNKNOWN_PAUSE_S, id="no counters"),
        pytest.param(answer(2, "length", eval_count=3, eval_duration=10**12), MAX_PAUSE_S, id="bounded"),
        pytest.param(answer(8, "stop", eval_count=9, eval_duration=600 * MS), 0.0, id="ended by itself"),
        pytest.param(answer(8)[:-1], 0.0, id="broken off"),
        pytest.param([], 0.0, id="nothing"),
    ],
)
def test_the_pause_after_an_answer(stream: list[Frame], pause_s: float) -> None:
    assert pause_after(stream) == pytest.approx(pause_s)


@pytest.mark.parametrize(
    ("stream", "divided"),
    [
        pytest.param(answer(19, "stop", eval_count=20, eval_duration=MS), 20, id="both told"),
        pytest.param(answer(1, "length", eval_count=2, eval_duration=-MS), None, id="no time"),
        pytest.param(answer(9, "stop", eval_count=9), None, id="no eval duration"),
        pytest.param(answer(9, "stop", eval_duration=MS), None, id="no count"),
    ],
)
def test_the_rate_is_ollamas_own(stream: list[Frame], divided: int | None) -> None:
    assert read_generate(stream).counters.eval_tokens == divided


Answer = tuple[int, bytes]


@asynccontextmanager
async def ollama_that(replies: Callable[[str], Answer]) -> AsyncIterator[tuple[OllamaServer, list[str]]]:
    """A client of a server that answers each path as told; and the paths asked for."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
                await reader.readexactly(int(length or 0))
                asked.append(head.split()[1])
                status, body = replies(asked[-1])
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        except asyncio.IncompleteReadError:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        server = open_server(ServerSpec(kind="ollama"), url)
        assert isinstance(server, OllamaServer)
        yield server, asked
        await server.aclose()


def loaded(*names: str) -> Answer:
    return 200, json.dumps({"models": [{"name": name} for name in names]}).encode()


async def test_unload_waits_until_the_model_is_gone() -> None:
    running = [loaded("m:latest", "other"), loaded("m:latest"), loaded("other")]

    def replies(path: str) -> Answer:
        return running.pop(0) if path == "/api/ps" else (200, b'{"done":true,"done_reason":"unload"}')

    async with ollama_that(replies) as (server, asked):
        assert await server.unload("m") is None
    assert asked == ["/api/generate", "/api/ps", "/api/ps", "/api/ps"]


async def test_unload_of_a_model_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "UNLOAD_S", 0.2)

    async with ollama_that(lambda path: loaded("m:latest")) as (server, _):
        assert await server.unload("m") == (
            "the server still has m loaded 0.2 s after it was asked to unload it"
        )


async def test_unload_that_the_server_refuses() -> None:
    async with ollama_that(lambda path: (404, b'{"error":"model \'m\' not found"}')) as (server, asked):
        problem = await server.unload("m")
    assert problem == "the server did not unload m: HTTP 404 on /api/generate: model 'm' not found"
    assert asked == ["/api/generate"]


@pytest.mark.parametrize("reply", [(500, b"oops"), (200, b"no JSON"), (200, b"[]")])
async def test_unload_where_the_server_does_not_tell_what_is_loaded(reply: Answer) -> None:
    def replies(path: str) -> Answer:
        return reply if path == "/api/ps" else (200, b"{}")

    async with ollama_that(replies) as (server, _):
        problem = await server.unload("m")
    assert problem is not None and "does not tell whether it unloaded m" in problem


async def test_unload_where_nobody_is() -> None:
    server = open_server(ServerSpec(kind="ollama"), "http://127.0.0.1:1")
    assert "connection refused" in (await server.unload("m") or "")
    await server.aclose()


async def test_an_identity_that_can_not_be_stored_as_it_is() -> None:
    name = '"\\ud83e' + "x" * 10_000 + '"'
    body = f'{{"version":{name},"models":[{{"name":"m:latest","digest":{name},"size":-1}}]}}'.encode()
    async with ollama_that(lambda path: (200, body)) as (server, _):
        identity = await server.identify("m")
        assert await server.models() == ["m:latest"]
    assert type(identity).model_validate_json(identity.model_dump_json()) == identity
    assert identity.version is not None and len(identity.version) == 300
