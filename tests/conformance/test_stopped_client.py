"""A client that gets the CPU late: frames pile up and share a stamp, and the call must know."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from benchmarks.reference_server import ReferenceServer, Settings
from contracts.call import CallResult
from contracts.configuration import Parameters
from contracts.formulas import ttft_ms
from contracts.sweep import ServerSpec
from worker.servers import CallRequest, open_server

TTFT_MS, ITL_MS, STOP_AT_S, STOPPED_S = 150.0, 10.0, 0.08, 0.15
CLIENT = """
import asyncio, sys
from tests.conformance.test_stopped_client import measure
from worker.measurement.loop import WatchedLoop
with asyncio.Runner(loop_factory=WatchedLoop) as runner:
    print(runner.run(measure(sys.argv[1])).model_dump_json())
"""


async def measure(url: str) -> CallResult:
    server = open_server(ServerSpec(kind="llama.cpp"), url)
    try:
        request = CallRequest("ref", "a", None, Parameters(), None)
        await server.call(request, 20)
        print("sending", flush=True)
        return await server.call(request, 20)
    finally:
        await server.aclose()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps")
async def test_a_client_that_was_stopped_is_suspect() -> None:
    settings = Settings(ttft_ms=TTFT_MS, itl_ms=ITL_MS, tokens=40)
    async with ReferenceServer(settings) as server:
        command = [sys.executable, "-c", CLIENT, server.url]
        client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert client.stdout is not None
        try:
            line = await asyncio.to_thread(client.stdout.readline)
            assert line.strip() == "sending"
            await asyncio.sleep(STOP_AT_S)
            os.kill(client.pid, signal.SIGSTOP)
            await asyncio.sleep(STOPPED_S)
            os.kill(client.pid, signal.SIGCONT)
            result = CallResult.model_validate_json(await asyncio.to_thread(client.stdout.read))
        finally:
            client.kill()
            client.wait()
            client.stdout.close()
    found = ttft_ms(result.timing)
    assert found is not None and result.diagnosis is not None
    late = found - TTFT_MS
    # It was stopped over the first frames, or (on a busy machine) was not: then the figure must be right.
    assert result.diagnosis.suspect or late < 0.01 * TTFT_MS + 2, (late, result.diagnosis)
    assert late < 5 or any("TTFT" in reason for reason in result.diagnosis.suspect)
