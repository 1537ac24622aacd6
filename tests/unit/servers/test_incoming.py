"""A response as it comes in: any split of its bytes gives the same response, each byte with its own arrival."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.servers.transport.incoming import MAX_HEAD_BYTES, WAKE_BYTES, Chunk, Incoming
from worker.servers.transport.wire import Reading

STREAM = b"Content-Type: text/event-stream\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\n" + STREAM + b"Transfer-Encoding: chunked\r\n\r\n"
RESPONSES = {
    "chunked": CHUNKED + b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
    "trailers": CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n",
    "sized": b"HTTP/1.1 200 OK\r\n" + STREAM + b"Content-Length: 11\r\n\r\nhello world",
    "until close": b"HTTP/1.1 200 OK\r\n" + STREAM + b"\r\nhello world",
    "old": b"HTTP/1.0 200 OK\r\n" + STREAM + b"\r\nhello world",
    "last": b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + STREAM + b"Content-Length: 5\r\n\r\nhello",
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nContent-Length: 9\r\n\r\n"
    b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    "empty": b"HTTP/1.1 204 No Content\r\n\r\n",
    "refusal": b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}",
    "cut chunk": CHUNKED + b"5\r\nhel",
    "cut body": b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello",
    "cut head": b"HTTP/1.1 200 OK\r\nContent-",
    "no chunk size": CHUNKED + b"5\r\nhello\r\nZZ\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "nothing": b"",
    "two responses": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno",
    "rest": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello?",
}
cuts = st.lists(st.integers(0, 10_000), max_size=20)


def reading(at_ns: int, by_kernel: bool = True) -> Reading:
    return Reading(at_ns, at_ns, at_ns, by_kernel)


def split(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


def come_in(pieces: list[bytes], closes: bool = True) -> Incoming:
    incoming = Incoming()
    for at, piece in enumerate(pieces, 1):
        incoming.feed(piece, reading(at))
    if closes:
        incoming.eof()
    return incoming


def content(incoming: Incoming) -> tuple[object, ...]:
    failure = None if incoming.failure is None else (type(incoming.failure), str(incoming.failure))
    body = b"".join(chunk.data for chunk in incoming.chunks)
    ended = incoming.ended_ns is not None
    return incoming.status, incoming.headers, body, ended, failure, incoming.reusable and ended


@pytest.mark.parametrize("name", list(RESPONSES))
@given(places=cuts, closes=st.booleans())
@settings(deadline=None, max_examples=40)
def test_any_split(name: str, places: list[int], closes: bool) -> None:
    data = RESPONSES[name]
    assert content(come_in(split(data, places), closes)) == content(come_in([data] if data else [], closes))


@pytest.mark.parametrize("name", list(RESPONSES))
def test_byte_by_byte(name: str) -> None:
    data = RESPONSES[name]
    bytewise = [data[i : i + 1] for i in range(len(data))]
    assert content(come_in(bytewise)) == content(come_in([data] if data else []))


@pytest.mark.parametrize(
    ("name", "status", "body", "reusable"),
    [
        ("chunked", 200, b"hello world", True),
        ("trailers", 200, b"hello", True),
        ("sized", 200, b"hello world", True),
        ("until close", 200, b"hello world", False),
        ("old", 200, b"hello world", False),
        ("last", 200, b"hello", False),
        ("early hints", 200, b"hello", True),
        ("empty", 204, b"", True),
        ("refusal", 503, b"{}", True),
        ("two responses", 200, b"hello", False),
        ("rest", 200, b"hello", False),
    ],
)
def test_whole_responses(name: str, status: int, body: bytes, reusable: bool) -> None:
    incoming = come_in([RESPONSES[name]])
    assert incoming.failure is None and incoming.ended_ns == 1
    assert (incoming.status, b"".join(chunk.data for chunk in incoming.chunks)) == (status, body)
    assert incoming.reusable == reusable


@pytest.mark.parametrize("name", ["cut chunk", "cut body", "cut head", "nothing"])
def test_what_ends_too_early(name: str) -> None:
    failure = come_in([RESPONSES[name]] if RESPONSES[name] else []).failure
    assert isinstance(failure, httpx.RemoteProtocolError)
    assert str(failure) == "the server closed the connection"


@pytest.mark.parametrize("name", ["no chunk size", "two lengths", "upgrade", "not HTTP"])
def test_what_is_no_http(name: str) -> None:
    incoming = come_in([RESPONSES[name]], closes=False)
    assert isinstance(incoming.failure, httpx.RemoteProtocolError)
    assert incoming.ended_ns is None and not incoming.reusable


@given(places=cuts)
@settings(deadline=None)
def test_each_byte_has_the_arrival_of_its_reading(places: list[int]) -> None:
    head, body = b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n", b"abcdefghijklmnopqrstuvwxyz"
    pieces = split(head + body, places)
    arrivals = [at for at, piece in enumerate(pieces, 1) for _ in piece]
    incoming = come_in(pieces)
    assert incoming.headers_ns == arrivals[len(head) - 1]
    seen = [chunk.reading.arrived_ns for chunk in incoming.chunks for _ in chunk.data]
    assert seen == arrivals[len(head) :]
    assert incoming.ended_ns == arrivals[-1] == (incoming.last or reading(0)).arrived_ns


def test_a_failure_of_the_connection_is_kept() -> None:
    incoming = come_in([CHUNKED + b"5\r\nhello\r\n"], closes=False)
    incoming.failed(ConnectionResetError(104, "reset"))
    incoming.eof()
    assert isinstance(incoming.failure, httpx.ReadError)
    assert isinstance(incoming.failure.__cause__, ConnectionResetError)
    assert [chunk.data for chunk in incoming.take()] == [b"hello"]


def test_after_its_end_nothing_can_break_a_response() -> None:
    incoming = come_in([RESPONSES["sized"]], closes=False)
    incoming.failed(ConnectionResetError(104, "reset"))
    assert incoming.failure is None and incoming.ended_ns == 1


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nX: ", CHUNKED + b"5\r\nhello\r\n0\r\nX: ", CHUNKED + b"5;"]
)
def test_headers_trailers_and_extensions_are_bounded(start: bytes) -> None:
    incoming = come_in([start], closes=False)
    for at in range(1_000):
        incoming.feed(b"x" * 4_096, reading(at))
        if incoming.failure is not None:
            break
    assert at * 4_096 <= MAX_HEAD_BYTES
    assert str(incoming.failure) == f"the headers are longer than {MAX_HEAD_BYTES} bytes"


def test_one_late_stamp_makes_all_arrivals_the_users() -> None:
    incoming = Incoming()
    incoming.feed(CHUNKED, reading(1))
    before: str = incoming.clock
    assert before == "kernel"
    incoming.feed(b"5\r\nhello\r\n", reading(2, by_kernel=False))
    incoming.feed(b"0\r\n\r\n", reading(3))
    after: str = incoming.clock
    assert after == "user"


def test_the_longest_lag() -> None:
    incoming = Incoming()
    for arrived_ns, read_ns in ((10, 12), (20, 29), (30, 31)):
        incoming.feed(CHUNKED if arrived_ns == 10 else b"1\r\nx\r\n", Reading(arrived_ns, read_ns, 0, True))
    assert incoming.lag_max_ns == 9


async def test_who_waits_is_woken_at_the_head_the_end_and_the_time_that_it_names() -> None:
    loop, incoming = asyncio.get_running_loop(), Incoming()
    loop.call_soon(incoming.feed, CHUNKED, reading(1))
    await incoming.head()
    assert not await incoming.more(loop.time())
    loop.call_soon(incoming.feed, b"5\r\nhello\r\n0\r\n\r\n", reading(2))
    assert await incoming.more(loop.time() + 60)
    assert await incoming.more(loop.time() + 60), "and at once, when it is over"


@pytest.mark.parametrize("size", [1, 60_000])
async def test_who_waits_is_woken_when_much_has_piled_up(size: int) -> None:
    loop, incoming = asyncio.get_running_loop(), Incoming()
    incoming.feed(CHUNKED, reading(1))

    def pile_up() -> None:
        incoming.add(Chunk(reading(2), b"x" * size))
        loop.call_soon(pile_up)

    loop.call_soon(pile_up)
    assert not await incoming.more(loop.time() + 60)
    taken = incoming.take()
    assert len(taken) < 10_000 and sum(len(chunk.data) for chunk in taken) < 2 * WAKE_BYTES
    assert incoming.take() == []


async def test_a_failure_reaches_who_waits() -> None:
    loop, incoming = asyncio.get_running_loop(), Incoming()
    loop.call_soon(incoming.eof)
    with pytest.raises(httpx.RemoteProtocolError, match="closed the connection"):
        await incoming.head()
    with pytest.raises(httpx.RemoteProtocolError):
        await incoming.more(loop.time() + 60)
