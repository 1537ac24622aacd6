"""The kernel's stamps: which can be believed, and what a reading makes of them."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.measurement import clock
from worker.measurement.clock import now_ns
from worker.servers.transport import stamps
from worker.servers.transport.stamps import MAX_AGE_NS, SO_TIMESTAMPING, Moment, both_clocks, stamp_ns
from worker.servers.transport.wire import EARLY_NS, Reading, Wire

NS = 10**9


def ancillary(
    wall_ns: int, level: int = socket.SOL_SOCKET, kind: int = SO_TIMESTAMPING
) -> list[tuple[int, int, bytes]]:
    """Three times, as the kernel gives them: its own, and two of the hardware."""
    return [(level, kind, struct.pack("@6l", *divmod(wall_ns, NS), 0, 0, 0, 0))]


def test_a_stamp_is_a_reading_of_the_monotonic_clock() -> None:
    before_ns = now_ns()
    found = stamp_ns(ancillary(time.time_ns()))
    assert found is not None and before_ns - stamps.MAX_DISTURBED_NS <= found <= now_ns()


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Monotonic 1000 s, wall 50 000 s."""
    monkeypatch.setattr(stamps, "both_clocks", lambda: Moment(1_000 * NS, 50_000 * NS, 0))


@pytest.mark.parametrize(
    ("age_ns", "expected"),
    [
        (0, 1_000 * NS),
        (7, 1_000 * NS - 7),
        (MAX_AGE_NS, 940 * NS),
        pytest.param(MAX_AGE_NS + 1, None, id="too old: the wall clock was set forward"),
        pytest.param(-1, None, id="from the future: it was set back"),
        pytest.param(-3_600 * NS, None, id="set back by an hour"),
        pytest.param(50_000 * NS, None, id="zero: there is no stamp"),
    ],
)
def test_sane_stamps(clocks: None, age_ns: int, expected: int | None) -> None:
    assert stamp_ns(ancillary(50_000 * NS - age_ns)) == expected


@pytest.mark.parametrize(
    "message",
    [
        [],
        ancillary(50_000 * NS, level=socket.IPPROTO_TCP),
        ancillary(50_000 * NS, kind=SO_TIMESTAMPING + 1),
        [(socket.SOL_SOCKET, SO_TIMESTAMPING, b"short")],
    ],
)
def test_no_stamp(clocks: None, message: list[tuple[int, int, bytes]]) -> None:
    assert stamp_ns(message) is None


def test_clocks_that_could_not_be_read_together_make_no_stamp(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 10**12, 10**6))  # another process takes a millisecond between any two readings
    monkeypatch.setattr(clock, "now_ns", lambda: next(ticks))
    assert both_clocks() is None
    assert stamp_ns(ancillary(time.time_ns())) is None


def test_the_closest_of_disturbed_readings_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(
        [
            0,
            10**6,
            2 * 10**6,
            2 * 10**6 + 50_000,
            3 * 10**6,
            4 * 10**6,
            5 * 10**6,
            6 * 10**6,
            7 * 10**6,
            8 * 10**6,
        ]
    )
    monkeypatch.setattr(clock, "now_ns", lambda: next(ticks))
    assert (both_clocks() or Moment(0, 0, 0)).mono_ns == 2 * 10**6 + 25_000


def test_the_offset_of_the_clocks_is_read_again_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [Moment(10, 1_000, 0), None, Moment(30, 2_000, 0)]
    monkeypatch.setattr(stamps, "both_clocks", lambda: moments.pop(0))
    offset = stamps.Offset()
    fresh = stamps.FRESH_NS
    assert [offset.at(0), offset.at(fresh - 1)] == [-990, -990]
    assert offset.at(fresh) is None, "other processes came between"
    assert [offset.at(fresh + 1), offset.at(fresh + 2)] == [-1_970, -1_970]


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    here, there = socket.socketpair()
    here.setblocking(False)
    made = Wire(here, connect_ns=0)
    made._drained_ns = 1_000 * NS
    yield made
    made.close()
    there.close()


async def test_a_stamp_between_the_last_reading_and_this_one_counts(wire: Wire) -> None:
    reading = wire._reading(1_001 * NS, 1_002 * NS)
    assert reading == Reading(1_001 * NS, 1_002 * NS, 1_000 * NS, by_kernel=True)


@pytest.mark.parametrize(
    "stamp",
    [
        pytest.param(None, id="none"),
        pytest.param(999 * NS, id="before the last reading: the wall clock was set in between"),
        pytest.param(1_003 * NS, id="after this reading"),
    ],
)
async def test_else_the_time_of_reading_does(wire: Wire, stamp: int | None) -> None:
    reading = wire._reading(stamp, 1_002 * NS)
    assert reading == Reading(1_002 * NS, 1_002 * NS, 1_000 * NS, by_kernel=False)


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(-2 * EARLY_NS, 2 * EARLY_NS)), max_size=30))
@settings(deadline=None)
def test_readings_never_go_backwards(steps: list[tuple[int, int]]) -> None:
    async def read() -> list[Reading]:
        here, there = socket.socketpair()
        here.setblocking(False)
        wire, read_ns, readings = Wire(here, connect_ns=0), 1_000 * NS, []
        wire._drained_ns = read_ns
        for passed_ns, error_ns in steps:
            read_ns += passed_ns
            readings.append(wire._reading(read_ns - passed_ns // 2 + error_ns, read_ns))
            wire._drained_ns = read_ns
        wire.close()
        there.close()
        return readings

    readings = asyncio.run(read())
    arrivals = [reading.arrived_ns for reading in readings]
    assert arrivals == sorted(arrivals)
    assert all(reading.earliest_ns <= reading.arrived_ns <= reading.read_ns for reading in readings)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps")
def test_the_kernel_stamps_both_ways() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as server,
    ):
        client.setblocking(False)
        assert stamps.switch_on(client)
        assert stamps.take_sent_ns(client) is None
        before_ns = now_ns()
        client.send(b"question")
        sent_ns = stamps.take_sent_ns(client)
        assert sent_ns is not None and before_ns <= sent_ns <= now_ns()
        assert stamps.take_sent_ns(client) is None, "it is taken once"
        server.sendall(b"answer")
        _, message, _, _ = client.recvmsg(100, stamps.ANCILLARY_BYTES)
        arrived_ns = stamp_ns(message)
        assert arrived_ns is not None and sent_ns < arrived_ns <= now_ns()


def test_elsewhere_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with socket.socket() as sock:
        assert not stamps.switch_on(sock)


def test_a_kernel_that_refuses() -> None:
    with socket.socket() as sock:
        sock.close()
        assert not stamps.switch_on(sock)
