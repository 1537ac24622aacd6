"""The client's times against the server's own log, and what lies outside of them: connecting, overlapping."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from contracts.call import Outcome
from tests.conformance.server_clients import CLIENTS, SPECS, ask, open_client, talking

every_client = pytest.mark.parametrize("name", CLIENTS)
stamped_clients = pytest.mark.parametrize("name", [f"{kind}-stamped" for kind in SPECS])
ROOT = Path(__file__).parents[2]
TOLERANCE_NS = 100_000
"""Each side converts the kernel's stamps by clock readings of its own."""
MIB = 1024 * 1024


@every_client
async def test_times_agree_with_the_servers_log(name: str) -> None:
    async with talking(name) as client:
        await client.server.models()
        for _ in range(3):
            timing = (await client.call()).timing
            entry = client.reference.log.requests[-1]
            sent = [at for _, at, _, _, kind in entry.frames if kind == "text"]
            assert timing.due_ns is not None and timing.headers_ns is not None
            assert timing.due_ns <= timing.sent_ns <= entry.begin_ns + TOLERANCE_NS
            assert entry.begin_ns <= entry.read_ns <= sent[0]
            assert len(sent) == len(timing.text_ns)
            assert all(seen >= at - TOLERANCE_NS for seen, at in zip(timing.text_ns, sent, strict=True))
            assert timing.sent_ns < timing.headers_ns <= timing.text_ns[0] <= timing.text_ns[-1]
            assert entry.end_ns is not None and timing.end_ns >= sent[-1] - TOLERANCE_NS


@every_client
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps")
async def test_the_kernels_clock_is_used(name: str) -> None:
    async with talking(name) as client:
        await client.call()
        result = await client.call()
    assert result.timing.clock == ("user" if client.is_plain else "kernel")
    assert result.diagnosis is not None
    assert (result.diagnosis.arrival_lag_max_ns is None) == client.is_plain


@every_client
async def test_one_connection_is_kept(name: str) -> None:
    async with talking(name) as client:
        await client.server.models()
        await client.server.identify("ref")
        for _ in range(3):
            await client.call()
        assert client.reference.log.connections == 1
        assert len({entry.peer for entry in client.reference.log.requests}) == 1


@every_client
async def test_a_broken_response_costs_one_connection(name: str) -> None:
    async with talking(name) as client:
        for scenario in ("hang-mid", "normal", "cut", "normal", "wrong-content-type", "http-500", "normal"):
            await client.call(scenario, 1.0 if scenario == "hang-mid" else 20.0)
        # The two refusals came whole: their connection could be used on.
        assert client.reference.log.connections == 3
        async with asyncio.timeout(10):
            while client.reference.open_connections > 1:
                await asyncio.sleep(0.01)


@stamped_clients
async def test_connecting_is_in_no_other_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect

    async def slow_connect(*arguments: Any) -> None:
        await asyncio.sleep(1.0)
        await connect(*arguments)

    monkeypatch.setattr(loop, "sock_connect", slow_connect)
    async with talking(name) as client:
        timing = (await client.call()).timing
        entry = client.reference.log.requests[-1]
    assert timing.connect_ns is not None and timing.connect_ns >= 1_000_000_000
    assert timing.due_ns is not None
    assert timing.sent_ns - timing.due_ns >= 1_000_000_000
    assert entry.begin_ns - timing.sent_ns < 900_000_000


@every_client
async def test_calls_one_after_the_other_never_overlap(name: str) -> None:
    async with talking(name) as client:
        for _ in range(3):
            await client.call()
        for earlier, later in pairwise(client.reference.log.requests):
            assert earlier.end_ns is not None and earlier.end_ns <= later.begin_ns


@pytest.fixture
def reference_process() -> Iterator[str]:
    """A reference server whose memory is not this process's."""
    command = [sys.executable, "-m", "benchmarks.reference_server", "--ttft-ms", "5", "--itl-ms", "1"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True)
    try:
        assert child.stdout is not None
        yield child.stdout.readline().strip()
    finally:
        child.kill()
        child.wait(10)
        child.stdout.close()  # type: ignore[union-attr]


@every_client
async def test_memory_is_bounded(name: str, reference_process: str) -> None:
    server = open_client(name, reference_process)
    await server.call(ask(), 20)
    tracemalloc.start()
    try:
        result = await server.call(ask("endless-frame"), 60)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await server.aclose()
    assert result.outcome is Outcome.SERVER_ERROR
    assert "a frame is longer than 16777216 bytes" in (result.reason or "")
    assert peak < 64 * MIB  # of 64 MiB that are sent after the first 16; growing a buffer copies it
