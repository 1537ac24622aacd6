"""Leases on a real Redis."""

from __future__ import annotations

import threading

import pytest

from contracts.store import Store
from tests.support.cluster import wait_for
from worker.lease import Lease, LeaseHeld

KEY = "chimera:lease:s0"


def lease(store: Store, *, ttl_s: float = 10.0, patience_s: float = 10.0) -> Lease:
    return Lease(store.client, KEY, patience_s=patience_s, ttl_s=ttl_s)


def test_a_lease_is_held_and_released(store: Store) -> None:
    with lease(store) as held:
        assert store.leased("s0")
        assert not held.lost
    assert not store.leased("s0")


def test_a_second_holder_waits_for_the_first(store: Store) -> None:
    order: list[str] = []

    def second() -> None:
        with lease(store):
            order.append("second")

    with lease(store):
        thread = threading.Thread(target=second)
        thread.start()
        with pytest.raises(LeaseHeld), lease(store, patience_s=0.1):
            pass
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_the_heartbeat_keeps_it_beyond_its_time_to_live(store: Store) -> None:
    with lease(store, ttl_s=0.3):
        wait_for(lambda: store.client.pttl(KEY) < 260, what="its time runs")
        wait_for(lambda: store.client.pttl(KEY) > 260, what="it was renewed")
        assert store.leased("s0")


def test_without_its_holder_it_expires(store: Store) -> None:
    store.client.set(KEY, "a dead worker's token", px=200)
    with lease(store):
        assert store.client.get(KEY) != "a dead worker's token"


def test_a_lease_that_another_took_is_lost_and_not_released(store: Store) -> None:
    with lease(store, ttl_s=0.3) as held:
        store.client.set(KEY, "another's token")
        wait_for(lambda: held.lost, what="the loss is seen")
    assert store.client.get(KEY) == "another's token"


def test_a_lease_that_vanished_with_redis_data_is_taken_again(store: Store) -> None:
    with lease(store, ttl_s=0.3) as held:
        store.client.delete(KEY)
        wait_for(lambda: store.leased("s0"), what="it is taken again")
        assert not held.lost
