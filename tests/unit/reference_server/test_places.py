"""The reference server's places: so many answers at a time, in the order of the requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.reference_server import ReferenceServer, Settings
from benchmarks.reference_server.places import Place, Places
from tests.unit.reference_server.raw_client import PATHS, connected, generation, request_bytes, until

MS = 1_000_000
SERVICE_MS = 30 + 4 * 5


@asynccontextmanager
async def serving(parallel: int) -> AsyncIterator[ReferenceServer]:
    async with ReferenceServer(Settings(ttft_ms=30, itl_ms=5, tokens=5, parallel=parallel)) as server:
        yield server


def test_places_are_given_in_the_order_of_asking() -> None:
    begun: list[tuple[str, int]] = []

    def asks(name: str) -> Place:
        return Place(lambda at_ns: begun.append((name, at_ns)))

    places = Places(2)
    a, b, c, d, e = (asks(name) for name in "abcde")
    for at, place in enumerate((a, b, c, d, e), start=1):
        places.take(place, at)
    assert begun == [("a", 1), ("b", 2)]
    places.give_back(c, 6)  # it did not wait any longer
    places.give_back(b, 7)
    places.give_back(a, 8)
    assert begun[2:] == [("d", 7), ("e", 8)]


def test_without_a_limit_all_begin_at_once() -> None:
    begun: list[int] = []
    places = Places(0)
    for at in range(100):
        places.take(Place(begun.append), at)
    assert begun == list(range(100))


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("parallel", [1, 2])
async def test_answers_wait_for_a_place_and_are_on_time_then(dialect: str, parallel: int) -> None:
    async def ask(server: ReferenceServer) -> None:
        async with connected(server.url) as client:
            await client.ask(PATHS[dialect], generation(dialect))

    async with serving(parallel) as server:
        await asyncio.gather(*(ask(server) for _ in range(6)))
        logs = sorted(server.log.requests, key=lambda log: log.begin_ns)
    assert [log.ended for log in logs] == ["sent"] * 6
    assert all(log.begin_ns == log.came_ns for log in logs[:parallel])
    for before, after in zip(logs, logs[parallel:], strict=False):
        # To the nanosecond of the schedule: how late the server was does not add up.
        assert after.begin_ns == before.begin_ns + SERVICE_MS * MS
        assert after.came_ns < after.begin_ns


async def test_who_leaves_gives_the_place_back() -> None:
    def request(model: str = "ref") -> bytes:
        return request_bytes(PATHS["ollama"], generation("ollama", model))

    async with serving(1) as server, connected(server.url) as stays:
        async with connected(server.url) as holds:
            await holds.send(request("ref:hang-first"))
            await until(lambda: len(server.log.requests) == 1)
            async with connected(server.url) as leaves:
                await leaves.send(request())
                await until(lambda: len(server.log.requests) == 2)
                await stays.send(request())
                await until(lambda: len(server.log.requests) == 3)
            holding, gone, other = server.log.requests
            await until(lambda: gone.ended == "left")
            assert not other.sent_ns and holding.ended is None
        await stays.reply()
    assert holding.ended == "left" and not gone.sent_ns
    assert other.ended == "sent"
    assert holding.end_ns is not None and other.begin_ns >= holding.end_ns
