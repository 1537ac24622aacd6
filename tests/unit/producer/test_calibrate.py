"""Calibrating slots from the producer: a real store and real messages; a thread answers for the workers."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from kombu.exceptions import OperationalError
from rich.console import Console

from contracts.failures import SetupError
from contracts.queues import CALIBRATE, slot_queue
from contracts.store import Store
from producer import calibrate
from producer.calibrate import calibrate_here, calibrate_slots, describe, show
from tests.support.care import Message, take
from tests.support.cluster_in_thread import a_floor, a_slot

FLOOR = a_floor().model_dump(mode="json")


def answering(store: Store, answers: dict[str, Any], taken: list[str]) -> Callable[[], None]:
    """Return a ``watch`` that takes at most one calibration of each slot and answers it."""

    def watch() -> None:
        for slot, answer in answers.items():
            message: Message | None = take(store, slot_queue(slot))
            if message is not None:
                assert (message.task, message.headers["shadow"]) == (CALIBRATE, f"{slot} / calibration")
                taken.append(slot)
                store.put_answer(message.id, answer)

    return watch


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "POLL_S", 0.005)


def test_slots_of_a_host_are_calibrated_in_turn_and_hosts_at_once(store: Store, redis_url: str) -> None:
    slots = [a_slot("a0", host="a"), a_slot("a1", host="a"), a_slot("b0", host="b")]
    taken: list[str] = []
    rounds: list[list[str]] = []
    answer = answering(store, {name: {"floor": FLOOR} for name in ("a1", "a0", "b0")}, taken)

    def watch() -> None:
        rounds.append(sorted(s for s in ("a0", "a1", "b0") if store.queued(slot_queue(s))))
        answer()

    said: list[str] = []
    floors = calibrate_slots(redis_url, slots, said.append, watch)
    assert (len(floors), said) == (3, [])
    assert rounds[0] == ["a0", "b0"] and ["a0", "a1"] not in rounds and taken.index("a0") < taken.index("a1")


def test_what_went_wrong_is_said_and_no_error(store: Store, redis_url: str) -> None:
    said: list[str] = []
    answers = {"s0": {"problem": "no free port"}, "s1": {"floor": FLOOR}}
    slots = [a_slot("s0", host="a"), a_slot("s1", host="b")]
    floors = calibrate_slots(redis_url, slots, said.append, answering(store, answers, []))
    assert [floor.calls for floor in floors] == [120]
    assert said == ["slot s0 was not calibrated: no free port"]


def test_a_slot_that_does_not_answer_is_not_waited_for_without_end(
    redis_url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "WAIT_S", 0.05)
    said: list[str] = []
    assert calibrate_slots(redis_url, [a_slot()], said.append) == []
    assert said == ["slot s0 was not calibrated: no answer within 0.05 s"]


def test_an_outage_of_redis_is_waited_out(
    redis_url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = threading.Event()
    away.set()
    real = redis.Redis.get

    def get(client: redis.Redis, name: Any) -> Any:
        if away.is_set():
            away.clear()
            raise redis.ConnectionError("refused")
        return real(client, name)

    monkeypatch.setattr(redis.Redis, "get", get)
    floors = calibrate_slots(redis_url, [a_slot()], print, answering(store, {"s0": {"floor": FLOOR}}, []))
    assert len(floors) == 1 and not away.is_set()


def test_what_can_not_be_sent_is_one_sentence(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OperationalError("OOM command not allowed")

    monkeypatch.setattr(Celery, "send_task", refused)
    with pytest.raises(SetupError, match="the calibration can't be sent: OOM"):
        calibrate_slots(redis_url, [a_slot()], print)


# --- this machine -------------------------------------------------------------------------------


@pytest.fixture
def measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have a script stand for the process that measures."""

    def by(script: str) -> None:
        file = tmp_path / "python"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(file))

    return by


def test_this_machine_is_measured_by_a_process_of_its_own(measuring: Callable[[str], None]) -> None:
    floor = a_floor(None)
    measuring(f"test \"$*\" = '-P -m worker.calibration' && echo '{floor.model_dump_json()}'")
    assert calibrate_here() == floor


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo trace >&2; echo 'chimera: no port' >&2; exit 1", "failed: chimera: no port"),
        ("exit 7", "failed: exit code 7"),
    ],
    ids=["says why", "says nothing"],
)
def test_a_failure_is_told_by_its_last_line(measuring: Callable[[str], None], script: str, said: str) -> None:
    measuring(script)
    with pytest.raises(SetupError, match=said):
        calibrate_here()


def test_it_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("python", 60)

    monkeypatch.setattr(subprocess, "run", late)
    with pytest.raises(SetupError, match="did not end within 60 s"):
        calibrate_here()


# --- what is printed ----------------------------------------------------------------------------


def test_a_floor_in_one_line() -> None:
    assert describe(a_floor()) == (
        "TTFT ± 0.50 ms, ITL ± 0.4 % (kernel clock, 120 calls, 2026-11-22 12:00 UTC)"
    )


def test_errors_are_printed_with_their_sign() -> None:
    stream = io.StringIO()
    show([a_floor(), a_floor(None, timer_resolution_ns=None)], Console(file=stream, width=200))
    first, second = (line.split() for line in stream.getvalue().splitlines() if "kernel" in line)
    assert first == ["s0", "h", "kernel", "120", "+0.100", "0.500", "1.900", "-0.010", "0.400", "0.300", "40"]
    assert second[0] == "–" and second[-1] == "–"
