"""The server's parts, each alone: parser, arrival, timetable, wire."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.reference_server import timetable as timetable_module
from benchmarks.reference_server.arrival import arrival
from benchmarks.reference_server.exchange import Exchange
from benchmarks.reference_server.http import MAX_BODY_BYTES, BadRequest, Request, RequestParser
from benchmarks.reference_server.script import End, Script, Step
from benchmarks.reference_server.timetable import Timetable
from benchmarks.reference_server.wire import Plan, Write, prepare

REQUESTS = (
    b"POST /api/generate?x=1&x=2 HTTP/1.1\r\nContent-Length: 15\r\nX-Request-Id: a\r\n\r\n"
    b'{"model":"ref"}GET /log HTTP/1.1\r\nconnection: Close\r\n\r\n'
)


@given(cuts=st.lists(st.integers(0, len(REQUESTS)), max_size=12))
def test_requests_come_out_whole_whatever_the_split(cuts: list[int]) -> None:
    parser, found = RequestParser(), []
    edges = [0, *sorted(cuts), len(REQUESTS)]
    for begin, end in pairwise(edges):
        parser.feed(REQUESTS[begin:end])
        while (request := parser.next()) is not None:
            found.append(request)
    first, second = found
    assert (first.method, first.path, first.body) == ("POST", "/api/generate", b'{"model":"ref"}')
    assert (first.fields["x-request-id"], first.query("x"), first.keeps_alive) == ("a", "2", True)
    assert (second.method, second.path, second.body, second.keeps_alive) == ("GET", "/log", b"", False)
    assert parser.waiting == 0


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "request line"),
        (b"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "chunked"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "content-length"),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1), "content-length"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, "head is too long"),
    ],
)
def test_what_is_no_request(data: bytes, why: str) -> None:
    parser = RequestParser()
    parser.feed(data)
    with pytest.raises(BadRequest, match=why):
        parser.next()


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_bodies_that_are_no_object(body: bytes) -> None:
    with pytest.raises(BadRequest):
        Request("POST", "/", {}, body).object()


def stamp(ns: int) -> list[tuple[int, int, bytes]]:
    return [(socket.SOL_SOCKET, 35, struct.pack("@ll", *divmod(ns, 10**9)))]


def test_the_kernels_stamp_is_converted() -> None:
    before_ns = time.perf_counter_ns()
    ancillary = stamp(time.time_ns() - 3_000_000)
    read_ns = time.perf_counter_ns()
    came = arrival(ancillary, read_ns, read_ns - 60 * 10**9)
    assert (came.clock, came.read_ns) == ("kernel", read_ns)
    assert before_ns - 3_010_000 <= came.begin_ns <= read_ns - 2_990_000


@pytest.mark.parametrize("off_ns", [10**9, -(10**10)])
def test_an_impossible_stamp_is_not_used(off_ns: int) -> None:
    read_ns = time.perf_counter_ns()
    came = arrival(stamp(time.time_ns() + off_ns), read_ns, read_ns - 10**9)
    assert came == (read_ns, "user", read_ns)


@pytest.mark.parametrize("ancillary", [[], [(1, 35, b"short")], [(6, 35, bytes(16))]])
def test_without_a_stamp_the_reading_counts(ancillary: list[tuple[int, int, bytes]]) -> None:
    assert arrival(ancillary, 77, 0) == (77, "user", 77)


@pytest.fixture(params=["timerfd", "loop"])
def alarm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "loop":

        def none(*_: object) -> None:
            raise OSError("no timerfd here")

        monkeypatch.setattr(timetable_module, "_KernelAlarm", none)
    yield request.param


async def test_in_order_never_early_and_not_when_cancelled(alarm: str) -> None:
    table = Timetable(asyncio.get_running_loop())
    if table.alarm != alarm:
        pytest.skip(f"no {alarm} here")
    called: list[tuple[int, int]] = []
    done = asyncio.Event()

    def note(due: int) -> None:
        called.append((due, time.perf_counter_ns()))

    now = time.perf_counter_ns()
    for place in (3, 1, 4, 1, 5, 0, -2):
        due = now + place * 4_000_000
        table.at(due, partial(note, due))
    cancelled = table.at(now + 2_000_000, lambda: called.append((0, 0)))
    table.cancel(cancelled)
    first = table.at(now + 1_000_000, done.set)
    table.cancel(first)
    table.at(now + 21_000_000, done.set)
    await asyncio.wait_for(done.wait(), 20)
    table.close()
    assert [due for due, _ in called] == sorted(due for due, _ in called)
    assert len(called) == 7
    assert all(at >= due for due, at in called)
    assert table.late_max_ns > 0


async def test_a_callback_that_fails_does_not_stop_the_timetable(alarm: str) -> None:
    loop, errors, done = asyncio.get_running_loop(), [], asyncio.Event()
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
    table = Timetable(loop)

    def broken() -> None:
        raise ZeroDivisionError

    now = time.perf_counter_ns()
    table.at(now, broken)
    table.at(now + 1_000_000, done.set)
    await asyncio.wait_for(done.wait(), 20)
    table.close()
    assert [type(error) for error in errors] == [ZeroDivisionError]


class FixedTimetable:
    """Notes what is asked for; time goes on when the test says so."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def at(self, due_ns: int, callback: object) -> list[object]:
        self.asked.append(due_ns)
        return [due_ns, 0, callback]

    def cancel(self, entry: list[object]) -> None:
        entry[2] = None


async def test_a_late_frame_shifts_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    begin_ns, clock = 1_000, [1_000]
    monkeypatch.setattr(time, "perf_counter_ns", lambda: clock[0])
    table = FixedTimetable()
    ended: list[Any] = []
    plan = Plan(tuple(Write(due, b"x", 1, 1) for due in (100, 200, 300, 400)), End.CLEAN)
    near, far = socket.socketpair()
    with near, far:
        far.setblocking(False)
        loop = asyncio.get_running_loop()
        exchange = Exchange(near, plan, begin_ns, None, 1, loop, table, ended.append)  # type: ignore[arg-type]
        exchange.advance()
        clock[0] = 1_250  # the first and the second are late
        exchange.advance()
        assert far.recv(10) == b"xx"
        clock[0] = 1_300
        exchange.advance()
        assert (far.recv(10), ended) == (b"x", [])
        clock[0] = 9_999
        exchange.advance()
        assert (far.recv(10), ended) == (b"x", ["sent"])
    assert table.asked == [1_100, 1_300, 1_400], "always the plan's own times"


def steps(*due_s: float, kind: str = "text") -> list[Step]:
    return [Step(due, b"data", 1 if kind == "text" else 0, kind) for due in due_s]


def test_head_and_first_frame_share_a_send_if_due_together() -> None:
    together = prepare(Script(steps=steps(0.5, 0.6), headers_due_s=0.5))
    assert [write.due_ns for write in together.writes] == [500_000_000, 600_000_000]
    assert together.writes[0].data.endswith(b"\r\n\r\n4\r\ndata\r\n")
    apart = prepare(Script(steps=steps(0.5, 0.6)))
    assert [(write.due_ns, write.begins) for write in apart.writes] == [
        (0, 0),
        (500_000_000, 1),
        (600_000_000, 1),
    ]


def test_frames_without_text_ride_with_the_next_one_where_the_format_joins() -> None:
    script = Script(steps=steps(0.5, kind="empty") + steps(0.5, 0.6) + steps(0.6, kind="end"))
    assert [write.begins for write in prepare(script).writes] == [0, 1, 1, 1, 1]
    script.joins = True
    assert [write.begins for write in prepare(script).writes] == [0, 2, 1, 1]
    assert prepare(script).schedule.kinds == ("empty", "text", "text", "end")


@pytest.mark.parametrize("end", list(End))
def test_only_a_clean_end_has_the_last_chunk(end: End) -> None:
    plan = prepare(Script(steps=steps(0.1), end=end))
    assert plan.writes[-1].data.endswith(b"0\r\n\r\n") == (end is End.CLEAN)


def test_cut_sends_carry_the_same_bytes_and_count_each_frame_once() -> None:
    due_s = [place / 10 for place in range(1, 101)]
    whole = prepare(Script(steps=steps(*due_s)))
    cut = prepare(Script(steps=steps(*due_s), cut=True))
    assert len(cut.writes) > len(whole.writes) and cut.at_once == 1
    assert b"".join(w.data for w in cut.writes) == b"".join(w.data for w in whole.writes)
    assert sum(w.begins for w in cut.writes) == sum(w.ends for w in cut.writes) == 100
