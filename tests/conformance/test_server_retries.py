"""A call is sent again where certainly nothing was generated, and only there; every sending is kept."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack

import pytest

from benchmarks.reference_server import ReferenceServer
from contracts.call import Outcome
from tests.conformance.server_clients import CLIENTS, SETTINGS, ask, open_client, talking
from worker.servers import send

every_client = pytest.mark.parametrize("name", CLIENTS)


@every_client
async def test_retry_after_is_honoured_and_the_sending_kept(name: str) -> None:
    async with talking(name) as client:
        result = await client.call("http-429")
        first, second = client.reference.log.requests
    assert result.outcome is Outcome.OK, result.reason
    (attempt,) = result.earlier_sendings
    assert (attempt.outcome, attempt.http_status, attempt.waited_s) == (Outcome.SERVER_ERROR, 429, 1.0)
    assert attempt.reason == "HTTP 429: too many requests"
    assert first.end_ns is not None and second.begin_ns - first.end_ns >= 1_000_000_000
    # The times are those of the last sending; when it was due, of the first.
    timing = result.timing
    assert attempt.timing.end_ns + 1_000_000_000 <= timing.sent_ns <= timing.text_ns[0]
    assert timing.due_ns == attempt.timing.due_ns and timing.due_ns is not None
    assert timing.due_ns <= attempt.timing.sent_ns <= attempt.timing.end_ns


@every_client
async def test_unavailable_is_tried_again_after_a_pause(name: str) -> None:
    async with talking(name) as client:
        result = await client.call("http-503")
    assert result.outcome is Outcome.OK, result.reason
    (attempt,) = result.earlier_sendings
    assert (attempt.http_status, attempt.reason) == (503, "HTTP 503: Loading model")
    assert 0.375 <= attempt.waited_s <= 0.625


@every_client
async def test_refused_connections_are_tried_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with AsyncExitStack() as stack:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        servers: list[ReferenceServer] = []

        async def pause(_: float) -> None:
            if not servers:
                servers.append(await stack.enter_async_context(ReferenceServer(SETTINGS, port=port)))

        monkeypatch.setattr(send, "pause", pause)
        client = open_client(name, f"http://127.0.0.1:{port}")
        result = await client.call(ask(), 20)
        await client.aclose()
    assert result.outcome is Outcome.OK, result.reason
    (attempt,) = result.earlier_sendings
    assert attempt.outcome is Outcome.CONNECTION and attempt.http_status is None
    # The OpenAI client looks first who is there.
    assert (attempt.reason or "").endswith("connection refused (before the request was sent)")
    assert attempt.timing.headers_ns is None and attempt.timing.connect_ns is None


@every_client
@pytest.mark.parametrize(
    "scenario",
    ["http-400", "http-500", "redirect", "cut-first", "cut", "close-mid", "abort", "error-mid-stream"],
)
async def test_nothing_else_is_sent_twice(name: str, scenario: str) -> None:
    async with talking(name) as client:
        result = await client.call(scenario)
        assert len(client.reference.log.requests) == 1
    assert not result.outcome.valid and result.earlier_sendings == ()


@every_client
async def test_a_timeout_is_not_sent_twice(name: str) -> None:
    async with talking(name) as client:
        await client.call("hang-first", 0.3)
        assert len(client.reference.log.requests) == 1


@every_client
async def test_no_retries(name: str) -> None:
    async with talking(name, {"retries": 0}) as client:
        result = await client.call("http-429")
        assert len(client.reference.log.requests) == 1
    assert (result.outcome, result.http_status) == (Outcome.SERVER_ERROR, 429)
    assert result.earlier_sendings == ()


@every_client
async def test_a_deadline_before_retry_after_ends_the_call_at_once(name: str) -> None:
    async with talking(name) as client:
        async with asyncio.timeout(5):
            result = await client.call("http-429-always", 0.9)
        assert len(client.reference.log.requests) == 1
    assert (result.outcome, result.http_status) == (Outcome.SERVER_ERROR, 429)


@every_client
async def test_all_sendings_refused(name: str) -> None:
    async with talking(name, {"retries": 1}) as client:
        result = await client.call("http-429-always")
        assert len(client.reference.log.requests) == 2
    assert (result.outcome, len(result.earlier_sendings)) == (Outcome.SERVER_ERROR, 1)
