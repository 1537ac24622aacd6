"""The four timeouts, the deadline and cancellation, over every client and both HTTP paths."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from contracts.call import Outcome, ServerCounters
from contracts.sweep import Timeouts
from tests.conformance.server_clients import CLIENTS, Client, ask, open_client, talking

every_client = pytest.mark.parametrize("name", CLIENTS)
PATIENCE_S = 20.0


def with_timeouts(**seconds: float) -> dict[str, Any]:
    return {"timeouts": Timeouts(**seconds), "retries": 0}


@every_client
async def test_first_token(name: str) -> None:
    async with talking(name, with_timeouts(first_token=0.3)) as client:
        result = await client.call("hang-first")
    assert result.outcome is Outcome.TIMEOUT
    assert result.reason == "no first token within 0.3 s: before the response's headers"
    assert result.timing.text_ns == ()


@every_client
async def test_frames_without_text_are_no_first_token(name: str) -> None:
    # They come at half of the time to the first token.
    async with talking(name, with_timeouts(first_token=0.6), ttft_ms=1_000.0) as client:
        result = await client.call("empty-first-frames")
    assert result.outcome is Outcome.TIMEOUT
    assert "no first token within 0.6 s: in mid-stream, after" in (result.reason or "")


@every_client
async def test_between_tokens(name: str) -> None:
    async with talking(name, with_timeouts(between_tokens=0.3)) as client:
        result = await client.call("hang-mid")
    assert result.outcome is Outcome.TIMEOUT
    assert "no further token within 0.3 s: in mid-stream, after" in (result.reason or "")


@every_client
async def test_whole_call(name: str) -> None:
    async with talking(name, with_timeouts(call=0.4)) as client:
        result = await client.call("hang-mid")
    assert result.outcome is Outcome.TIMEOUT
    assert "no end of the answer within 0.4 s: in mid-stream, after" in (result.reason or "")


@every_client
async def test_the_shortest_limit_counts(name: str) -> None:
    limits = with_timeouts(first_token=9.0, between_tokens=0.3, call=8.0)
    async with talking(name, limits) as client:
        assert "no further token within 0.3 s" in str((await client.call("hang-mid")).reason)
        assert "no end of the answer within 0.2 s" in str((await client.call("hang-mid", 0.2)).reason)
        assert "no end of the answer within 0.2 s" in str((await client.call("hang-first", 0.2)).reason)


@pytest.fixture
def full_listener() -> Iterator[str]:
    """A socket that listens, and whose queue is full: what connects now waits for ever."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(64):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.3)
            try:
                waiting.connect(address)
            except TimeoutError:
                break
        else:
            pytest.skip("this system accepts without limit")
        yield f"http://127.0.0.1:{address[1]}"


@every_client
async def test_connect(name: str, full_listener: str) -> None:
    server = open_client(name, full_listener, **with_timeouts(connect=0.3))
    result = await server.call(ask(), PATIENCE_S)
    await server.aclose()
    assert result.outcome is Outcome.CONNECTION
    # The OpenAI client looks first who is there.
    reason = (result.reason or "").removeprefix(f"{full_listener}: ")
    assert reason == "no connection within 0.3 s (before the request was sent)"
    assert result.timing.connect_ns is None


@every_client
async def test_the_deadline_counts_while_connecting(name: str, full_listener: str) -> None:
    server = open_client(name, full_listener, **with_timeouts(connect=9.0))
    result = await server.call(ask(), 0.3)
    await server.aclose()
    assert result.outcome is Outcome.TIMEOUT
    assert "within 0.3 s: before the request was sent" in (result.reason or "")


@every_client
async def test_a_timeout_keeps_what_was_received(name: str) -> None:
    async with talking(name) as client:
        result = await client.call("hang-mid", 1.0)
    assert result.text == "the quick brown fox jumps over"
    assert "after 30 characters in 6 text frames" in (result.reason or "")
    assert result.counters == ServerCounters()


@every_client
async def test_no_time_left_is_a_timeout(name: str) -> None:
    async with talking(name) as client:
        for timeout_s in (0.0, -3.0):
            result = await client.call(timeout_s=timeout_s)
            assert result.outcome is Outcome.TIMEOUT
            assert "before the request was sent" in (result.reason or "")
        assert not client.reference.log.requests


@every_client
@pytest.mark.parametrize("scenario", ["hang-first", "hang-mid"])
async def test_cancellation_passes_and_frees_the_server(name: str, scenario: str) -> None:
    async with talking(name) as client:
        log = client.reference.log
        task = asyncio.create_task(client.call(scenario, 60))
        async with asyncio.timeout(PATIENCE_S):
            await reached(client, scenario)
            connected = log.connections
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while log.requests[-1].ended != "left":
                await asyncio.sleep(0.01)
        assert gc.isenabled()
        assert (await client.call()).outcome is Outcome.OK
        assert log.connections == connected + 1


async def reached(client: Client, scenario: str) -> None:
    """Wait until the server is where it hangs."""
    requests = client.reference.log.requests
    while not requests or (scenario == "hang-mid" and len(requests[-1].sends) < 6):
        await asyncio.sleep(0.01)


@every_client
async def test_cancellation_while_connecting(name: str, full_listener: str) -> None:
    server = open_client(name, full_listener)
    task = asyncio.create_task(server.call(ask(), 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.aclose()
