"""The reference server keeps its own promises: schedule, log, process life."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.reference_server import ReferenceServer, Settings

ROOT = Path(__file__).parents[2]


async def generate(url: str, **fields: object) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        body = {"model": "ref", "prompt": "a b c", **fields}
        response = await client.post(f"{url}/api/generate", json=body, timeout=20)
        assert response.status_code == 200


async def test_the_schedule_is_absolute_and_logged() -> None:
    async with ReferenceServer(Settings(ttft_ms=30, itl_ms=5, tokens=20)) as server:
        await generate(server.url)
        entry = server.log.as_dict()["requests"][0]
    due = [d - entry["begin_ns"] for d, _, tokens in entry["sends"] if tokens]
    assert due == [round((0.030 + 0.005 * i) * 1e9) for i in range(20)]
    assert all(sent >= d for d, sent, _ in entry["sends"])
    assert entry["ended"] == "sent" and entry["end_ns"] >= entry["sends"][-1][1]


async def test_unload_makes_the_next_call_cold() -> None:
    async with ReferenceServer(Settings(ttft_ms=1, itl_ms=0, tokens=2, load_ms=50)) as server:
        for fields in ({}, {}, {"keep_alive": 0}, {}):
            await generate(server.url, **fields)
        assert [entry.cold for entry in server.log.requests] == [True, False, False, True]


def test_unknown_scenario() -> None:
    with pytest.raises(ValueError, match="unknown scenario 'nope'"):
        ReferenceServer(Settings(scenario="nope"))


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.reference_server", "--ttft-ms", "5", "--itl-ms", "1"]
    child = subprocess.Popen([*command, "--tokens", "4"], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    yield child
    child.kill()
    child.wait(10)
    assert child.stdout is not None
    child.stdout.close()


async def test_command_line(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:")
    await generate(url)
    async with httpx.AsyncClient(trust_env=False) as client:
        log = (await client.get(f"{url}/log")).json()
    assert [entry["model"] for entry in log["requests"]] == ["ref"]
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 10) == 0


async def test_it_stops_at_once_while_a_request_hangs(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    hanging = asyncio.create_task(generate(url, model="ref:hang-first"))
    async with httpx.AsyncClient(trust_env=False) as client:
        async with asyncio.timeout(10):
            while not (await client.get(f"{url}/log")).json()["requests"]:
                await asyncio.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 5) == 0
    with pytest.raises(httpx.TransportError):
        await hanging


def test_it_stops_with_its_parent() -> None:
    program = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'benchmarks.reference_server'],"
        " stdout=subprocess.PIPE, text=True)\n"
        "print(child.pid, child.stdout.readline().strip(), flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    pid = int(done.stdout.split()[0])
    for _ in range(100):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the server outlived its parent")


async def test_taken_port_is_one_clear_line() -> None:
    async with ReferenceServer() as server:
        port = server.url.rpartition(":")[2]
        command = [sys.executable, "-m", "benchmarks.reference_server", "--port", port]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=30
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "in use" in done.stderr


async def test_log_is_json() -> None:
    async with ReferenceServer(Settings(ttft_ms=1, itl_ms=0, tokens=2)) as server:
        await generate(server.url, prompt="secret text")
        assert "secret text" not in json.dumps(server.log.as_dict())
