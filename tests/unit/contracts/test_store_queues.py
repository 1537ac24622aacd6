"""Queues as kombu keeps them in Redis: looked into, and moved in their order."""

from __future__ import annotations

import itertools
from typing import Literal

import pytest

from contracts.celery_app import make_app
from contracts.queues import PRIORITY_STEPS, slot_queue, unit_queue
from contracts.store import Store
from contracts.store.queue_lengths import lists_of
from tests.support.care import waiting

STEPS = (0, 3, 6, 9)


def send(url: str, queue: str, *names: str, priority: int = 4) -> None:
    app = make_app(url, max_deadline_s=1)
    for name in names:
        app.send_task("chimera.measure", args=[name], task_id=name, queue=queue, priority=priority)


def ids(store: Store, queue: str) -> list[str]:
    """Return what waits in the order in which it is taken."""
    return [message.id for message in waiting(store, queue)]


def test_lists_are_those_that_celery_writes(store: Store, redis_url: str) -> None:
    for step in PRIORITY_STEPS:
        send(redis_url, "q", f"p{step}", priority=step)
    lengths = [store.client.llen(name) for name in lists_of("q")]
    assert lengths == [1] * 10 and store.queued("q") == 10
    assert ids(store, "q") == [f"p{step}" for step in PRIORITY_STEPS]


def test_ids_of_what_waits(store: Store, redis_url: str) -> None:
    assert store.queued_ids(["a", "b"]) == set()
    send(redis_url, "a", "x.1.job", "y", priority=0)
    send(redis_url, "b", "z", priority=9)
    assert store.queued_ids(["a", "b", "c"]) == {"x.1.job", "y", "z"}
    assert store.queued_ids(["b"]) == {"z"} and store.queued_ids([]) == set()


@pytest.mark.parametrize("step", PRIORITY_STEPS)
@pytest.mark.parametrize("first", ["oldest", "newest"])
@pytest.mark.parametrize("most", [0, 2, 5, 9])
def test_a_move_keeps_the_order_and_the_priority(
    store: Store, step: int, first: Literal["oldest", "newest"], most: int
) -> None:
    names = list("abcde")
    origin, target = lists_of("from")[step], lists_of("to")[step]
    for name in names:
        store.client.lpush(origin, name)
    assert store.move("from", "to", most=most, first=first) == min(most, 5)
    moved = names[:most] if first == "oldest" else names[max(0, 5 - most) :]

    def order(key: str) -> list[str]:
        return list(reversed(store.client.lrange(key, 0, -1)))  # type: ignore[arg-type]

    assert order(target) == moved
    assert order(origin) == [name for name in names if name not in moved]
    assert store.queued("from") + store.queued("to") == 5


def test_of_several_priorities_the_first_or_the_last_to_be_served_are_moved(
    store: Store, redis_url: str
) -> None:
    for step in STEPS:
        send(redis_url, "q", f"{step}a", f"{step}b", priority=step)
    served = [f"{step}{letter}" for step, letter in itertools.product(STEPS, "ab")]
    assert ids(store, "q") == served
    assert store.move("q", "first", most=3) == 3
    assert ids(store, "first") == served[:3]
    assert store.move("q", "last", most=3, first="newest") == 3
    assert ids(store, "last") == served[-3:]
    assert ids(store, "q") == served[3:-3]


def test_what_is_moved_comes_behind_what_waits(store: Store, redis_url: str) -> None:
    send(redis_url, "to", "a")
    send(redis_url, "from", "b", "c")
    assert store.move("from", "to") == 2
    assert ids(store, "to") == ["a", "b", "c"]


def test_a_unit_is_taken_once(store: Store, redis_url: str) -> None:
    unit = unit_queue("x", 1, 0)
    send(redis_url, unit, "a", "b")
    assert store.take_unit("x", unit, "s0") == 2
    assert ids(store, slot_queue("s0")) == ["a", "b"] and store.queued(unit) == 0
    for slot in ("s0", "s1"):  # its ticket is delivered again, and elsewhere
        assert store.take_unit("x", unit, slot) == 0
    assert ids(store, slot_queue("s0")) == ["a", "b"]
    assert store.taken_units("x") == {unit: "s0"}


def test_a_unit_is_noted_before_its_jobs_are_there(store: Store, redis_url: str) -> None:
    unit = unit_queue("x", 1, 0)
    store.put_unit("x", unit)
    assert store.taken_units("x") == {unit: ""}
    send(redis_url, unit, "a")
    assert store.take_unit("x", unit, "s1") == 1
    assert store.taken_units("x") == {unit: "s1"}
