"""Connections, the log, and nothing left over; by real sockets."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import socket
import sys
from contextlib import AsyncExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks.reference_server import ReferenceServer, Settings
from benchmarks.reference_server.connection import Response
from benchmarks.reference_server.responder import ReferenceResponder
from tests.support.present import present
from tests.unit.reference_server.raw_client import (
    PATHS,
    ask,
    connected,
    generation,
    request_bytes,
    until,
)

FAST = Settings(ttft_ms=5, itl_ms=1, tokens=16)
CLOCK_ERROR_NS = 20_000
"""Of the conversion of the kernel's stamps."""


@pytest.mark.parametrize("dialect", PATHS)
async def test_the_log_is_what_a_client_saw(dialect: str) -> None:
    async with ReferenceServer(FAST) as server, connected(server.url) as client:
        sent_ns = await client.send(request_bytes(PATHS[dialect], generation(dialect)))
        reply = await client.reply()
        (log,) = server.log.as_dict()["requests"]
    arrived = reply.arrived_ns()
    assert len(log["frames"]) == len(arrived) == len(reply.frames)
    for (due, sent, done, _, _), seen in zip(log["frames"], arrived, strict=True):
        assert due <= sent <= done
        assert sent <= seen
    assert sent_ns - CLOCK_ERROR_NS <= log["begin_ns"] <= log["read_ns"] <= log["frames"][0][1]
    assert log["begin_clock"] in ("kernel", "user")
    assert (log["begin_clock"] == "kernel") or log["begin_ns"] == log["read_ns"]
    assert [due - log["begin_ns"] for due, *_, kind in log["frames"] if kind == "text"] == [
        5_000_000 + i * 1_000_000 for i in range(16)
    ]
    assert log["late_max_ns"] == max(sent - due for due, sent, *_ in log["frames"])
    assert log["end_ns"] >= log["frames"][-1][2]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's receive timestamps")
async def test_the_kernel_tells_the_arrival_while_the_server_is_busy() -> None:
    async with ReferenceServer(FAST) as server, connected(server.url) as client:
        for _ in range(2):
            await client.ask(PATHS["ollama"], generation("ollama"))
        if server.log.requests[-1].begin_clock != "kernel":
            pytest.skip("this kernel stamps nothing")
        client.sock.setblocking(True)
        client.sock.sendall(request_bytes(PATHS["ollama"], generation("ollama")))
        client.sock.setblocking(False)
        sent_ns = server.log.as_dict()["now_ns"]
        busy_until_ns = sent_ns + 30_000_000
        while server.log.as_dict()["now_ns"] < busy_until_ns:
            pass  # the loop that the server runs on too is held up
        reply = await client.reply()
        entry = server.log.requests[-1]
    assert entry.begin_clock == "kernel" and entry.begin_ns <= sent_ns + CLOCK_ERROR_NS
    assert entry.read_ns >= busy_until_ns
    assert entry.frames[0][0] == entry.begin_ns + 5_000_000, "due by the arrival, not by the reading"
    assert server.log.read_late_max_ns >= 30_000_000 - CLOCK_ERROR_NS
    assert len(reply.frames) == 17


async def test_requests_are_told_apart_by_header_and_prompt() -> None:
    prompt = "x" * 70 + "Größe " + "y" * 70
    async with ReferenceServer(FAST) as server:
        body = generation("ollama", prompt=prompt, system="secret system")
        await ask(server.url, PATHS["ollama"], body, fields="X-Request-Id: run-7\r\n")
        chat = [{"role": "system", "content": "s"}, {"role": "user", "content": [{"text": prompt}]}]
        await ask(server.url, PATHS["chat"], generation("chat", messages=chat))
        reply = await ask(server.url, "/log")
    first, second = reply.json["requests"]
    assert (first["request_id"], second["request_id"]) == ("run-7", None)
    sha = hashlib.sha256(prompt.encode()).hexdigest()[:16]
    for entry in (first, second):
        assert (entry["prompt_sha"], entry["prompt_head"], entry["prompt_tail"]) == (sha, "x" * 64, "y" * 64)
    assert b"secret" not in reply.body and "Größe".encode() not in reply.body
    assert first["body"] == {"model": "ref", "stream": True}


async def test_the_log_can_be_read_in_parts_and_emptied() -> None:
    async with ReferenceServer(FAST) as server, connected(server.url) as client:
        for _ in range(3):
            await client.ask(PATHS["ollama"], generation("ollama"))
        log = (await client.ask("/log")).json
        assert log["clock"] == "perf_counter_ns" and log["loop"] and log["cpu_ns"] > 0
        assert set(log["lateness"]) == {"timer_max_ns", "read_max_ns"}
        newer = (await client.ask(f"/log?since={log['requests'][0]['id']}")).json
        assert [entry["id"] for entry in newer["requests"]] == [2, 3]
        assert (await client.ask("/log", method="DELETE")).json == {"cleared": 3}
        await client.ask(PATHS["ollama"], generation("ollama"))
        assert [entry["id"] for entry in (await client.ask("/log")).json["requests"]] == [4]
        assert (await client.ask("/log/clear", {})).json == {"cleared": 1}
        assert server.log.connections == 1


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with ReferenceServer(FAST) as server, connected(server.url) as client:
        asked = [request_bytes(PATHS["ollama"], generation("ollama", prompt=f"p {i}")) for i in range(3)]
        await client.send(b"".join(asked) + request_bytes("/api/version"))
        replies = [await client.reply() for _ in range(4)]
        entries = list(server.log.requests)
    assert [len(reply.records) for reply in replies[:3]] == [17] * 3
    assert "version" in replies[3].json
    assert [entry.prompt_head for entry in entries] == ["p 0", "p 1", "p 2"]
    for earlier, later in pairwise(entries):
        assert earlier.end_ns is not None and later.begin_ns >= earlier.end_ns
        assert later.begin_clock == "user"


async def test_connection_close_is_kept() -> None:
    async with ReferenceServer(FAST) as server, connected(server.url) as client:
        reply = await client.ask(PATHS["ollama"], generation("ollama"), "Connection: close\r\n")
        assert (reply.ended, reply.fields["connection"]) == ("whole", "close")
        assert (await client.reply()).ended == "closed"


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000])
async def test_what_is_not_http_is_told_and_closed(data: bytes) -> None:
    async with ReferenceServer(FAST) as server, connected(server.url) as client:
        await client.send(data)
        reply = await client.reply()
        assert (reply.status, reply.fields["connection"]) == (400, "close")
        assert (await client.reply()).ended == "closed"
        client.sock.close()
        await until(lambda: not server.open_connections)


async def test_a_defect_is_told_to_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Response:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(ReferenceResponder, "respond", fails)
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with ReferenceServer(FAST) as server:
        reply = await ask(server.url, "/api/version")
    assert reply.status == 500 and b"a defect" in reply.body
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]


async def test_many_connections_at_once() -> None:
    count = 200
    async with ReferenceServer(Settings(ttft_ms=50, itl_ms=2, tokens=10)) as server:
        replies = await asyncio.gather(
            *(ask(server.url, PATHS[d], generation(d)) for d in list(PATHS) * (count // len(PATHS)))
        )
        assert {reply.ended for reply in replies} == {"whole"}
        entries = list(server.log.requests)
        assert len({entry.peer for entry in entries}) == server.log.connections == count
        assert all(len(entry.done_ns) == len(entry.schedule.due_ns) for entry in entries)
        await until(lambda: not server.open_connections)


def has_sent(server: ReferenceServer, model: str, sends: int) -> bool:
    requests = server.log.requests
    return bool(requests) and (requests[-1].model, len(requests[-1].sent_ns)) == (model, sends)


async def test_a_client_that_leaves() -> None:
    slow = Settings(ttft_ms=5, itl_ms=1000, tokens=50)
    async with ReferenceServer(slow) as server:
        for model, sends in (("ref", 1), ("ref:hang-first", 0)):
            async with connected(server.url) as client:
                await client.send(request_bytes(PATHS["ollama"], generation("ollama", model)))
                await until(partial(has_sent, server, model, sends))
            await until(lambda: server.log.requests[-1].ended == "left")
        async with connected(server.url) as client:
            await client.send(request_bytes(PATHS["ollama"], generation("ollama")))
            await until(lambda: len(server.log.requests) == 3)
            linger = b"\1\0\0\0\0\0\0\0"
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await until(lambda: server.log.requests[-1].ended == "left")
        await until(lambda: not server.open_connections)


async def test_a_client_that_reads_slowly_is_not_blamed_on_the_server() -> None:
    async with ReferenceServer(FAST) as server:
        async with connected(server.url, receive_buffer=4096) as client:
            await client.send(request_bytes(PATHS["ollama"], generation("ollama", "ref:huge-frame")))
            await until(lambda: server.log.requests and server.log.requests[-1].full_buffer)
            async with connected(server.url) as other:
                assert (await other.ask(PATHS["ollama"], generation("ollama"))).ended == "whole"
            reply = await client.reply()
        slow, quick = server.log.requests
    assert reply.ended == "whole" and len(reply.body) > 10_000_000
    assert slow.late_max_ns is None and slow.ended == "sent"
    assert quick.late_max_ns is not None and quick.full_buffer == 0


async def test_a_hanging_request_is_given_up() -> None:
    async with ReferenceServer(Settings(hang_s=0.05)) as server:
        reply = await ask(server.url, PATHS["chat"], generation("chat", "ref:hang-first"))
        assert (reply.ended, reply.raw) == ("closed", b"")
        assert server.log.requests[-1].ended == "gave up"


async def test_stopping_ends_what_runs() -> None:
    server = ReferenceServer()
    async with AsyncExitStack() as clients:
        async with server:
            client = await clients.enter_async_context(connected(server.url))
            await clients.enter_async_context(connected(server.url))
            await client.send(request_bytes(PATHS["ollama"], generation("ollama", "ref:hang-mid")))
            await until(lambda: server.log.requests and server.log.requests[-1].sent_ns)
        assert (await client.reply()).ended == "closed"
    assert server.log.requests[-1].ended == "stopped"


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc")
async def test_nothing_is_left_over() -> None:
    gc.collect()
    files, tasks = open_files(), asyncio.all_tasks()
    async with ReferenceServer(FAST) as server:
        assert asyncio.all_tasks() == tasks
        for scenario in (
            "normal",
            "cut",
            "cut-first",
            "close-mid",
            "chunk-garbage",
            "http-500",
            "split-bytes",
        ):
            await ask(server.url, PATHS["ollama"], generation("ollama", f"ref:{scenario}"))
        async with connected(server.url) as client:
            await client.send(request_bytes(PATHS["ollama"], generation("ollama", "ref:hang-mid")))
            await until(lambda: server.log.requests[-1].sent_ns)
        await until(lambda: not server.open_connections)
    assert asyncio.all_tasks() == tasks
    assert open_files() == files


async def test_out_of_file_descriptors_it_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ReferenceServer(FAST) as server:
        listener = server._listener
        assert listener is not None
        failures: list[Any] = []

        class Failing:
            def accept(self) -> Any:
                if len(failures) < 2:
                    failures.append(1)
                    raise OSError(24, "too many open files")
                return present(listener).accept()

            def __getattr__(self, name: str) -> Any:
                return getattr(listener, name)

        monkeypatch.setattr("benchmarks.reference_server.server.ACCEPT_AGAIN_S", 0.02)
        server._listener = Failing()  # type: ignore[assignment]
        assert (await ask(server.url, "/api/version")).status == 200
        assert len(failures) == 2
        server._listener = listener
