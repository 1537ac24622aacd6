"""One connection over real sockets: requests that do not fit at once, peers that close or reset, words without a question."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support.present import present
from worker.measurement.loop import WatchedLoop
from worker.servers.transport import StampedTransport, stamped, stamps, wire
from worker.servers.transport.wire import Reading, Wire, connect

BIG = b"x" * 8_000_000
HEAD = {"timeout": {"connect": 0.05}}


class Receiver:
    """Keeps what came and how it ended."""

    def __init__(self) -> None:
        self.over = False
        self.data = b""
        self.readings: list[Reading] = []
        self.ended = asyncio.Event()
        self.error: OSError | None = None

    def feed(self, data: bytes, reading: Reading) -> None:
        self.data += data
        self.readings.append(reading)

    def eof(self) -> None:
        self.ended.set()

    def failed(self, error: OSError) -> None:
        self.error = error
        self.ended.set()


class Early(Receiver):
    """Has all that it needs with the first bytes."""

    def feed(self, data: bytes, reading: Reading) -> None:
        super().feed(data, reading)
        self.over = True


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Wire, socket.socket]]:
    """A wire, and the socket at its other end."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as here,
    ):
        there, _ = listener.accept()
        here.setblocking(False)
        made = Wire(here, connect_ns=0)
        with there:
            yield made, there
        made.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def read_all(sock: socket.socket, size: int) -> int:
    left = size
    while left and (data := sock.recv(1_000_000)):
        left -= len(data)
    return size - left


async def test_a_request_that_does_not_fit_at_once_is_written_to_its_end(
    pair: tuple[Wire, socket.socket],
) -> None:
    here, there = pair
    here.receive(Receiver())
    sending = asyncio.create_task(here.send(BIG))
    assert await asyncio.to_thread(read_all, there, len(BIG)) == len(BIG)
    await sending


@pytest.mark.parametrize("answer", [b"HTTP/1.1 413 Too Large\r\n", b""], ids=["answer", "close"])
async def test_what_is_over_before_the_request_was_written_stops_the_writing(
    pair: tuple[Wire, socket.socket], answer: bytes
) -> None:
    here, there = pair
    receiver = Early()
    here.receive(receiver)
    sending = asyncio.create_task(here.send(BIG))
    await asyncio.sleep(0)
    if answer:
        there.sendall(answer)
    else:
        there.shutdown(socket.SHUT_WR)
    with pytest.raises(BrokenPipeError, match="the answer was over before the request was written"):
        await sending
    assert receiver.data == answer and here.closed == (answer == b"")


async def test_a_reset_is_a_failure_and_a_close_an_end(pair: tuple[Wire, socket.socket]) -> None:
    here, there = pair
    receiver = Receiver()
    here.receive(receiver)
    there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    there.close()
    await asyncio.wait_for(receiver.ended.wait(), 10)
    assert isinstance(receiver.error, ConnectionResetError) and here.closed


async def test_an_idle_connection_is_quiet_until_the_peer_says_anything(
    pair: tuple[Wire, socket.socket],
) -> None:
    here, there = pair
    assert here.is_quiet()
    there.sendall(b"HTTP/1.1 408 Request Timeout\r\n")
    assert not here.is_quiet()
    await until(lambda: here.closed)
    assert not here.is_quiet(), "nobody asked"


async def test_a_closed_connection_is_not_quiet(pair: tuple[Wire, socket.socket]) -> None:
    here, there = pair
    there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    there.close()
    assert not here.is_quiet()


async def test_without_the_kernels_stamps_the_time_of_reading_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stamps, "switch_on", lambda sock, sent=True: False)
    here, there = socket.socketpair()
    here.setblocking(False)
    made, receiver = Wire(here, connect_ns=0), Receiver()
    made.receive(receiver)
    assert await made.send(b"question") is None
    there.sendall(b"answer")
    await until(lambda: receiver.data)
    (reading,) = receiver.readings
    assert not reading.by_kernel and reading.earliest_ns <= reading.arrived_ns == reading.read_ns
    made.close()
    there.close()


@pytest.mark.parametrize("by_kernel", [True, False])
def test_in_a_watched_loop_a_reading_begins_no_earlier_than_the_last_look(
    monkeypatch: pytest.MonkeyPatch, by_kernel: bool
) -> None:
    if not by_kernel:
        monkeypatch.setattr(stamps, "switch_on", lambda sock, sent=True: False)

    async def read() -> tuple[int, Reading]:
        here, there = socket.socketpair()
        here.setblocking(False)
        made, receiver = Wire(here, connect_ns=0), Receiver()
        made.receive(receiver)
        drained_ns = made._drained_ns
        for _ in range(5):
            await asyncio.sleep(0.002)  # the loop looks, and nothing is there
        there.sendall(b"answer")
        await until(lambda: receiver.data)
        made.close()
        there.close()
        return drained_ns, receiver.readings[0]

    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        drained_ns, reading = runner.run(read())
    assert drained_ns + 5_000_000 < reading.earliest_ns <= reading.arrived_ns <= reading.read_ns


def found(*addresses: tuple[str, int]) -> Callable[..., Any]:
    async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    return getaddrinfo


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


@pytest.fixture
def refusing() -> Iterator[tuple[str, int]]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        yield taken.getsockname()


async def test_the_first_address_that_answers_is_taken(
    listening: tuple[str, int], refusing: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        asyncio.get_running_loop(), "getaddrinfo", found(refusing, refusing, listening, listening)
    )
    made = await connect("server.example", 80)
    assert made._sock.getpeername() == listening and made.connect_ns > 0
    made.close()


async def test_where_none_answers_the_first_failure_is_told(
    refusing: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", found(refusing))
    with pytest.raises(ConnectionRefusedError):
        await connect("server.example", 80)
    monkeypatch.setattr(loop, "getaddrinfo", found())
    with pytest.raises(OSError, match=r"server\.example has no address"):
        await connect("server.example", 80)


async def test_a_stopped_connecting_closes_its_socket(
    listening: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[socket.socket] = []

    async def stopped(sock: socket.socket, address: Any) -> None:
        tried.append(sock)
        raise asyncio.CancelledError

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", stopped)
    with pytest.raises(asyncio.CancelledError):
        await wire.connect(*listening)
    assert [sock.fileno() for sock in tried] == [-1]


async def never(host: str, port: int) -> Wire:
    await asyncio.sleep(3600)
    raise AssertionError


async def systems_limit(host: str, port: int) -> Wire:
    raise TimeoutError(110, "Connection timed out")


@pytest.mark.parametrize(
    ("connecting", "error", "said"),
    [
        (never, httpx.ConnectTimeout, r"no connection within 0\.05 s"),
        (systems_limit, httpx.ConnectError, "Connection timed out"),
    ],
    ids=["ours", "the system's"],
)
async def test_whose_limit_ended_the_connecting_is_told(
    monkeypatch: pytest.MonkeyPatch,
    connecting: Callable[..., Any],
    error: type[Exception],
    said: str,
) -> None:
    monkeypatch.setattr(stamped, "connect", connecting)
    transport = StampedTransport(1.0)
    with pytest.raises(error, match=said) as caught:
        await transport.handle_async_request(httpx.Request("GET", "http://h/", extensions=HEAD))
    assert type(caught.value) is error


@pytest.mark.parametrize("answers", [True, False])
async def test_a_server_that_answers_before_it_has_read_all_is_heard(answers: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answers:
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=1024) as listener:
        port = listener.sockets[0].getsockname()[1]
        transport = StampedTransport(1.0)
        request = httpx.Request("POST", f"http://127.0.0.1:{port}/", content=BIG)
        if answers:
            response = await transport.handle_async_request(request)
            assert response.status_code == 413
            await response.aclose()
        else:
            with pytest.raises((httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError)):
                await transport.handle_async_request(request)
        assert not any(transport._idle.values()), "it is not kept"
        await transport.aclose()
    assert present(port)
