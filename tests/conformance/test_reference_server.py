"""The reference server keeps its own promises: schedule, log, process life."""

from __future__ import annotations

import asyncio
import importlib.util
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

from benchmarks.reference_server import SCENARIOS, ReferenceServer, Settings
from benchmarks.reference_server.loops import LOOPS

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
    due = [d - entry["begin_ns"] for d, *_, kind in entry["frames"] if kind == "text"]
    assert due == [round((0.030 + 0.005 * i) * 1e9) for i in range(20)]
    assert all(d <= sent <= done for d, sent, done, *_ in entry["frames"])
    assert entry["ended"] == "sent" and entry["end_ns"] >= entry["frames"][-1][2]


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


async def test_log_is_json_and_has_the_prompts_ends_only() -> None:
    async with ReferenceServer(Settings(ttft_ms=1, itl_ms=0, tokens=2)) as server:
        await generate(server.url, prompt="a" * 64 + "secret text" + "z" * 64)
        log = json.dumps(server.log.as_dict())
    assert "secret text" not in log and "a" * 64 in log and "z" * 64 in log


def test_the_scenarios_are_listed() -> None:
    command = [sys.executable, "-m", "benchmarks.reference_server", "--list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(SCENARIOS)


@pytest.mark.parametrize("loop", LOOPS)
async def test_every_loop_keeps_the_schedule(loop: str) -> None:
    uvloop = importlib.util.find_spec("uvloop") is not None
    if loop == "uvloop" and not uvloop:
        pytest.skip("uvloop is not installed")
    command = [sys.executable, "-m", "benchmarks.reference_server", "--loop", loop, "--max-context", "2048"]
    child = subprocess.Popen([*command, "--layers", "10"], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert child.stdout is not None
    try:
        url = child.stdout.readline().strip()
        scenarios = ("normal", "split-bytes", "huge-frame", "slow-drip")
        for scenario in scenarios:
            await generate(url, model=f"ref:{scenario}", options={"num_ctx": 9999, "num_gpu": 5})
        async with httpx.AsyncClient(trust_env=False) as client:
            log = (await client.get(f"{url}/log")).json()
            running = (await client.get(f"{url}/api/ps")).json()["models"]
        child.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(child.wait, 10) == 0
    finally:
        child.kill()
        child.wait(10)
        child.stdout.close()
    assert log["loop"] == ("uvloop" if uvloop and loop != "asyncio" else "asyncio")
    assert [entry["scenario"] for entry in log["requests"]] == list(scenarios)
    for entry in log["requests"]:
        assert len(entry["frames"]) == 65
        assert all(due <= sent <= done for due, sent, done, *_ in entry["frames"])
    assert {model["context_length"] for model in running} == {9999}  # as Ollama shows it
    assert {round(model["size_vram"] / model["size"], 3) for model in running} == {0.5}
