"""A stream that is longer than any answer, one that stays open after its last frame, and questions nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from contracts.call import Outcome
from contracts.sweep import Timeouts
from tests.conformance.server_clients import ask, open_client, talking
from worker.servers import ServerUnreachable, connection, stream
from worker.servers.connection import Connection

plain_and_stamped = pytest.mark.parametrize("name", ["ollama-stamped", "chat-plain"])
LAST = b'{"response":"hi","done":false}\n{"response":"","done":true,"done_reason":"stop"}\n'


@plain_and_stamped
@pytest.mark.parametrize("look_s", [1.0, 0.002], ids=["found after its end", "found on the way"])
@pytest.mark.parametrize(
    ("module", "limit", "said"),
    [
        (stream, "MAX_STREAM_BYTES", "the stream is longer than 100 bytes"),
        (stream, "MAX_FRAMES", "the stream has more than 5 frames"),
    ],
    ids=["bytes", "frames"],
)
async def test_a_stream_has_a_bound(
    monkeypatch: pytest.MonkeyPatch, name: str, look_s: float, module: object, limit: str, said: str
) -> None:
    monkeypatch.setattr(module, limit, 5 if "FRAMES" in limit else 100)
    monkeypatch.setattr(stream, "LOOK_S", look_s)
    async with talking(name, {"retries": 0}, ttft_ms=5.0, itl_ms=4.0) as client:
        result = await client.call()
    assert (result.outcome, said in (result.reason or "")) == (Outcome.SERVER_ERROR, True), result.reason


async def test_a_server_that_stays_after_its_last_frame_ends_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n" + LAST)
        await reader.read()
        writer.close()

    monkeypatch.setattr(stream, "LOOK_S", 0.05)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        client = open_client("ollama-stamped", f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
        result = await client.call(ask(), 20)
        await client.aclose()
    assert (result.outcome, result.text) == (Outcome.OK, "hi")
    assert result.timing.end_ns == result.timing.text_ns[-1], "not when it was given up"


class Silent(httpx.AsyncBaseTransport):
    """Connects to nobody, or waits for ever."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._error is not None:
            raise self._error
        await asyncio.sleep(3600)
        raise AssertionError


@pytest.fixture
async def asking() -> AsyncIterator[Connection]:
    made = Connection("http://127.0.0.1:1", Timeouts(connect=7.0))
    yield made
    await made.aclose()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, "http://127.0.0.1:1: no answer within 0.05 s"),
        (httpx.ConnectTimeout("x"), "http://127.0.0.1:1: no connection within 7 s"),
        (httpx.ReadError("broke off"), "http://127.0.0.1:1: broke off"),
    ],
    ids=["silent", "far away", "broken"],
)
async def test_why_a_question_has_no_answer(
    asking: Connection, monkeypatch: pytest.MonkeyPatch, error: Exception | None, said: str
) -> None:
    monkeypatch.setattr(connection, "ASK_TIMEOUT_S", 0.05)
    monkeypatch.setattr(asking, "_transport", Silent(error))
    with pytest.raises(ServerUnreachable) as caught:
        await asking.ask("/x")
    assert str(caught.value) == said
    await asking.warm("/x", 0.01)  # what is wrong, the request itself will tell
