"""The HTTP path below the clients against servers that misbehave: connections, half-closes, other loops, TLS."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.reference_server import ReferenceServer
from contracts.call import CallResult, Outcome
from contracts.sweep import ServerSpec, Timeouts
from tests.conformance.server_clients import SETTINGS, TEXT, ask, open_client
from worker.measurement.loop import WatchedLoop
from worker.measurement.timing import CallClock
from worker.servers import ServerUnreachable, open_server
from worker.servers.transport import CLOCK, INCOMING, Incoming, StampedTransport

BODY = b'{"response":"hi","done":false}\n{"response":"","done":true,"done_reason":"stop"}\n'
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
PATIENCE_S = 20.0

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@dataclass
class Scripted:
    """A server that answers GETs with an empty object, and a POST as ``answer`` says."""

    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    url: str = ""
    connections: int = 0
    posts: int = 0
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    """The client closed a connection."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET"):
                    writer.write(OK)
                else:
                    self.posts += 1
                    await self.answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.lost.set()
        finally:
            writer.close()


@asynccontextmanager
async def scripted(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    context: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[Scripted]:
    server = Scripted(answer)
    async with await asyncio.start_server(server.serve, host, 0, ssl=context) as listener:
        port = listener.sockets[0].getsockname()[1]
        server.url = f"{'https' if context else 'http'}://localhost:{port}"
        yield server


async def body_of(reader: asyncio.StreamReader) -> bytes:
    """Read the body of a request of these tests: JSON, whose end is known."""
    return await reader.readuntil(b'"system": "be brief"}')


async def one_call(url: str, timeout_s: float = PATIENCE_S, **spec: Any) -> CallResult:
    server = open_server(ServerSpec(kind="ollama", **spec), url)
    try:
        return await server.call(ask(), timeout_s)
    finally:
        await server.aclose()


async def test_a_server_that_leaves_the_connection_open_after_its_last_frame() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await body_of(reader)
        writer.write(CHUNKED + chunk(BODY))
        await reader.read()

    async with scripted(answer) as server:
        result = await one_call(server.url, 60)
    assert (result.outcome, result.text) == (Outcome.OK, "hi")
    assert result.timing.end_ns == result.timing.text_ns[-1]


@pytest.mark.parametrize("path", ["stamped", "plain"])
async def test_the_connections_end_is_the_bodys(path: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await body_of(reader)
        writer.write(UNTIL_CLOSE + BODY)
        writer.write_eof()

    async with scripted(answer) as server:
        client = open_client(f"ollama-{path}", server.url)
        result = await client.call(ask(), PATIENCE_S)
        await client.aclose()
    assert (result.outcome, result.text) == (Outcome.OK, "hi")


async def test_a_half_closed_connection_is_not_used_again() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await body_of(reader)
        writer.write(CHUNKED + chunk(BODY) + b"0\r\n\r\n")
        writer.write_eof()

    async with scripted(answer) as server:
        client = open_server(ServerSpec(kind="ollama"), server.url)
        results = [await client.call(ask(), PATIENCE_S) for _ in range(3)]
        await client.aclose()
    assert [result.outcome for result in results] == [Outcome.OK] * 3
    assert (server.connections, server.posts) == (3, 3)


@pytest.mark.parametrize("rest", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"])
@pytest.mark.parametrize("together", [True, False])
async def test_bytes_after_the_response_end_the_connection(rest: bytes, together: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await body_of(reader)
        whole = CHUNKED + chunk(BODY) + b"0\r\n\r\n"
        if together:
            writer.write(whole + rest)
        else:
            writer.write(whole)
            await asyncio.sleep(0)
            writer.write(rest)
        await writer.drain()

    async with scripted(answer) as server:
        client = open_server(ServerSpec(kind="ollama"), server.url)
        results = [await client.call(ask(), PATIENCE_S) for _ in range(3)]
        await client.aclose()
    assert [(result.outcome, result.text) for result in results] == [(Outcome.OK, "hi")] * 3
    assert server.connections == 3


@pytest.mark.parametrize("closes", [True, False])
async def test_an_answer_before_the_request_is_written(closes: bool) -> None:
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Nothing of the body is read.
        body = b'{"error":"the prompt is too long"}'
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        if closes:
            writer.close()
        await over.wait()

    async with scripted(answer) as server:
        client = open_server(ServerSpec(kind="ollama"), server.url)
        request = ask()
        request = type(request)(**{**request.__dict__, "prompt": "word " * 4_000_000})
        async with asyncio.timeout(PATIENCE_S):
            result = await client.call(request, 2 * PATIENCE_S)
        over.set()
        await client.aclose()
    assert (result.outcome, result.http_status) == (Outcome.SERVER_ERROR, 413)
    assert result.reason == "HTTP 413: the prompt is too long"
    assert result.timing.headers_ns is not None and result.timing.sent_ns <= result.timing.headers_ns


async def test_a_long_request_is_written_whole() -> None:
    async with ReferenceServer(SETTINGS) as reference:
        client = open_server(ServerSpec(kind="ollama"), reference.url)
        request = ask()
        request = type(request)(**{**request.__dict__, "prompt": "word " * 4_000_000})
        result = await client.call(request, PATIENCE_S)
        await client.aclose()
        entry = reference.log.requests[-1]
    assert (result.outcome, result.counters.prompt_tokens) == (Outcome.OK, 4_000_002)
    assert result.timing.sent_ns <= entry.read_ns


@pytest.mark.parametrize("word", [b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", b""])
async def test_a_word_without_a_question_on_an_idle_connection(word: bytes) -> None:
    """It waits in the kernel when the next request is to be sent: it is no answer to that one."""
    asked, said = threading.Event(), threading.Event()

    def serve(listener: socket.socket) -> None:
        first, _ = listener.accept()
        with first:
            first.recv(65_536)
            first.sendall(OK)
            asked.wait(PATIENCE_S)
            first.sendall(word) if word else first.shutdown(socket.SHUT_WR)
            said.set()
            second, _ = listener.accept()
            with second:
                second.recv(65_536)
                second.sendall(OK)
                second.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        async with httpx.AsyncClient(transport=StampedTransport(PATIENCE_S), timeout=PATIENCE_S) as client:
            first = await client.get(url)
            asked.set()
            assert said.wait(PATIENCE_S)  # and the event loop has not looked since
            second = await client.get(url)
        server.join(PATIENCE_S)
    assert (first.status_code, second.status_code) == (200, 200)
    assert not server.is_alive()


async def test_idle_connections_are_let_go_of() -> None:
    async with ReferenceServer(SETTINGS) as reference:
        for keepalive_s, connections in ((PATIENCE_S, 1), (0.0, 4)):
            transport = StampedTransport(keepalive_s)
            async with httpx.AsyncClient(transport=transport) as client:
                for _ in range(3):
                    assert (await client.get(f"{reference.url}/health")).status_code == 200
            assert reference.log.connections == connections


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps")
async def test_the_kernel_stamps_what_is_sent_and_what_arrives() -> None:
    transport = StampedTransport(PATIENCE_S)
    async with ReferenceServer(SETTINGS) as reference, httpx.AsyncClient(transport=transport) as client:
        for _ in range(3):
            clock = CallClock()
            body = {"model": "ref", "prompt": "a"}
            request = client.build_request(
                "POST", f"{reference.url}/api/generate", json=body, extensions={CLOCK: clock}
            )
            response = await client.send(request, stream=True)
            incoming: Incoming = response.extensions[INCOMING]
            while not await incoming.more(asyncio.get_running_loop().time() + PATIENCE_S):
                pass
            chunks = incoming.take()
            await response.aclose()
            entry = reference.log.requests[-1]
            assert clock.sent_by_kernel and clock.left_ns is not None
            assert clock.marked_ns is not None and clock.written_ns is not None
            assert clock.marked_ns <= clock.left_ns <= clock.written_ns
            assert clock.left_ns <= entry.read_ns
            assert all(chunk.reading.by_kernel for chunk in chunks)
            assert all(chunk.reading.arrived_ns <= chunk.reading.read_ns for chunk in chunks)
            assert incoming.clock == "kernel"


def loops() -> list[str]:
    return ["asyncio", "watched", *(["uvloop"] if importlib.util.find_spec("uvloop") else [])]


@pytest.mark.parametrize("path", ["stamped", "plain"])
@pytest.mark.parametrize("name", loops())
def test_every_event_loop(name: str, path: str) -> None:
    async def calls() -> list[CallResult]:
        async with ReferenceServer(SETTINGS) as reference:
            client = open_client(f"ollama-{path}", reference.url)
            results = [await client.call(ask(), PATIENCE_S) for _ in range(3)]
            results.append(await client.call(ask("hang-mid"), 0.5))
            results += await asyncio.gather(*(client.call(ask(), PATIENCE_S) for _ in range(4)))
            await client.aclose()
            return results

    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if name == "watched":
        factory = WatchedLoop
    elif name == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        results = runner.run(calls())
    ok, timeout = Outcome.OK, Outcome.TIMEOUT
    assert [result.outcome for result in results] == [ok, ok, ok, timeout, ok, ok, ok, ok]
    assert {result.text for result in results if result.outcome is ok} == {TEXT}
    for result in results:
        assert result.diagnosis is not None
        assert (result.diagnosis.loop_lag_max_ns is not None) == (name == "watched")


async def test_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    async with ReferenceServer(SETTINGS, host="::1") as reference:
        assert "[::1]" in reference.url
        result = await one_call(reference.url)
        assert (result.outcome, result.text) == (Outcome.OK, TEXT)
        assert reference.log.requests[-1].peer.startswith("::1:")


async def test_the_next_address_of_a_host_is_tried() -> None:
    # "localhost" may be ::1 first, where nobody listens.
    async with ReferenceServer(SETTINGS) as reference:
        result = await one_call(reference.url.replace("127.0.0.1", "localhost"))
    assert result.outcome is Outcome.OK, result.reason


async def test_a_host_that_nobody_knows() -> None:
    result = await one_call("http://nobody.invalid:1", retries=0)
    assert result.outcome is Outcome.CONNECTION
    assert "(before the request was sent)" in (result.reason or "")


@pytest.mark.parametrize("path", ["stamped", "plain"])
async def test_a_path_in_the_address_goes_before_every_other(path: str) -> None:
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                asked.append((await reader.readuntil(b"\r\n\r\n")).decode().split()[1])
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                if asked[-1].endswith("/generate"):
                    await body_of(reader)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        client = open_client(f"ollama-{path}", f"http://127.0.0.1:{port}/a%20b/ä%2Fc/")
        await client.call(ask(), PATIENCE_S)
        with pytest.raises(ServerUnreachable):
            await client.models()
        await client.aclose()
    base = "/a%20b/%C3%A4%2Fc"
    assert asked == [f"{base}/api/version", f"{base}/api/generate", f"{base}/api/tags"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files by /proc")
async def test_no_socket_is_left_open() -> None:
    scenarios = ["normal", "cut", "cut-first", "close-mid", "garbage", "endless-frame", "http-500", "gzip"]
    async with ReferenceServer(SETTINGS) as reference:
        for path in ("stamped", "plain"):
            before: set[str] | None = None
            for _ in range(2):  # the first time, modules and the like are opened
                client = open_client(f"chat-{path}", reference.url, retries=0)
                for scenario in scenarios:
                    await client.call(ask(scenario), PATIENCE_S)
                await client.call(ask("hang-mid"), 0.2)
                hanging = asyncio.create_task(client.call(ask("hang-first"), PATIENCE_S))
                async with asyncio.timeout(PATIENCE_S):
                    while reference.log.requests[-1].scenario != "hang-first":
                        await asyncio.sleep(0.01)
                    hanging.cancel()
                    await asyncio.gather(hanging, return_exceptions=True)
                    await client.aclose()
                    while reference.open_connections:
                        await asyncio.sleep(0.01)
                after = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
                assert before is None or after == before
                before = after


@pytest.mark.parametrize("part", ["head", "trailers"])
async def test_headers_without_end(part: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await body_of(reader)
        start = b"HTTP/1.1 200 OK\r\n" if part == "head" else CHUNKED + chunk(BODY) + b"0\r\n"
        writer.write(start + b"X-Endless: ")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with scripted(answer) as server:
        result = await one_call(server.url)
    # All of the answer was there before the trailers.
    assert result.outcome is (Outcome.OK if part == "trailers" else Outcome.SERVER_ERROR)
    assert part == "trailers" or "the headers are longer than 262144 bytes" in (result.reason or "")


async def test_a_protocol_switch_is_no_answer() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await body_of(reader)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        await reader.read()

    async with scripted(answer) as server:
        result = await one_call(server.url)
    assert result.outcome is Outcome.SERVER_ERROR
    assert "the server switched protocols" in (result.reason or "")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for ``localhost``, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


async def answer_whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await body_of(reader)
    writer.write(CHUNKED + chunk(BODY) + b"0\r\n\r\n")


def serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def test_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    make = httpx.AsyncHTTPTransport
    monkeypatch.setattr(httpx, "AsyncHTTPTransport", lambda **given: make(**{**given, "verify": trusting}))
    async with scripted(answer_whole, serving(certificate)) as server:
        client = open_server(ServerSpec(kind="ollama"), server.url)
        results = [await client.call(ask(), PATIENCE_S) for _ in range(3)]
        await client.aclose()
        assert server.connections == 1
    assert [(result.outcome, result.text) for result in results] == [(Outcome.OK, "hi")] * 3
    for timing in (result.timing for result in results):
        assert timing.clock == "user"
        assert timing.sent_ns < (timing.headers_ns or 0) <= timing.text_ns[0] <= timing.end_ns


async def test_a_certificate_that_nobody_signed(certificate: Path) -> None:
    async with scripted(answer_whole, serving(certificate)) as server:
        result = await one_call(server.url, retries=0)
        assert server.posts == 0
    assert result.outcome is Outcome.CONNECTION
    assert result.reason == "self-signed certificate (before the request was sent)"


async def test_tls_is_asked_of_a_server_that_does_not_speak_it() -> None:
    async with ReferenceServer(SETTINGS) as reference:
        result = await one_call(
            reference.url.replace("http:", "https:"), retries=0, timeouts=Timeouts(connect=0.5)
        )
    assert result.outcome is Outcome.CONNECTION
    assert result.reason and "operation not permitted" not in result.reason
