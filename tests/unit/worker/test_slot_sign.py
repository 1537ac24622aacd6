"""The sign of life of a slot: what its server can run, asked while nothing is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from benchmarks.reference_server import ReferenceServer, Settings
from contracts.settings import WorkerSettings
from contracts.store import Store, lease_key
from tests.support.present import present
from worker import slot
from worker.heartbeat import BEAT_S
from worker.slot import AggregatorSign, SlotSign


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    async with ReferenceServer(Settings(max_context=8192)) as started:
        yield started


def settings(url: str, **changes: Any) -> WorkerSettings:
    values: dict[str, Any] = {"slot": "s0", "pool": "p", "server": url, "gpu": None, "max_deadline_s": 60.0}
    return WorkerSettings(**(values | changes))


async def test_it_shows_what_the_server_can_run_by_each_protocol(
    server: ReferenceServer, store: Store
) -> None:
    sign = SlotSign(settings(server.url.replace("//", "//user:hunter2@"), also=(("b", server.url),)), store)
    await asyncio.to_thread(sign.show)
    shown = present(store.slot("s0"))
    assert set(shown.models) == {"ollama", "openai", "llama.cpp"} and shown.problem is None
    assert "ref:latest" in shown.models["ollama"]
    assert present(shown.limits["ref:latest"].context) == 8192
    assert shown.further["b"].models == shown.models
    assert "hunter2" not in shown.model_dump_json()
    sign.withdraw()
    assert store.slot("s0") is None


def test_a_server_that_does_not_answer_is_a_problem_that_is_told(store: Store) -> None:
    SlotSign(settings("http://127.0.0.1:1"), store).show()
    shown = present(store.slot("s0"))
    assert shown.models == {} and "127.0.0.1:1" in present(shown.problem)


def test_a_server_is_not_asked_while_it_is_measured(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def asking(url: str) -> tuple[dict[str, tuple[str, ...]], str | None]:
        asked.append(url)
        return {}, None

    monkeypatch.setattr(slot, "probe", asking)
    sign = SlotSign(settings("http://server"), store)
    store.client.set(lease_key("s0"), "a job", px=60_000)
    sign.show()
    assert asked == [] and store.slot("s0") is not None
    store.client.delete(lease_key("s0"))
    for _ in range(3):  # once, and then only every 15 s
        sign.show()
    assert asked == ["http://server"]


def test_an_ill_server_is_asked_again_sooner(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    answers: list[tuple[dict[str, tuple[str, ...]], str | None]] = [({}, "refused"), ({"ollama": ()}, None)]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(slot, "probe", lambda url: answers.pop(0))
    sign = SlotSign(settings("http://server"), store)
    sign.show()
    assert present(store.slot("s0")).problem == "refused"
    clock[0] += BEAT_S
    sign.show()
    assert present(store.slot("s0")).problem is None
    clock[0] += BEAT_S  # it is well: nobody is asked, and there is no third answer
    sign.show()


def test_an_aggregator_shows_that_it_lives(store: Store) -> None:
    sign = AggregatorSign(store)
    sign.show()
    assert store.has_aggregator()
    sign.withdraw()
    assert not store.has_aggregator()
