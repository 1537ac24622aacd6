"""A slot's own queue before its pool's, on a real Redis."""

from __future__ import annotations

from typing import Any

import pytest
from kombu import Connection, Consumer, Queue

from contracts.own_queue_first import PATH, own_queue_first
from contracts.queues import pool_queue, slot_queue

OWN, POOL = slot_queue("s0"), pool_queue("a")


def test_slots_come_before_all_others_in_whatever_order_a_set_gives_them() -> None:
    cycle = own_queue_first()
    cycle.update({POOL, "chimera.aggregate", slot_queue("z"), OWN})
    assert cycle.consume(4) == [OWN, slot_queue("z"), "chimera.aggregate", POOL]
    cycle.rotate(OWN)
    assert cycle.consume(2) == [OWN, slot_queue("z")]
    cycle.update([POOL])
    assert cycle.consume(4) == [POOL]


@pytest.mark.parametrize("consumed", [(OWN, POOL), (POOL, OWN)])
def test_kombu_takes_the_own_queue_first(redis_url: str, consumed: tuple[str, str]) -> None:
    order: list[Any] = []
    options = {"queue_order_strategy": PATH}
    with Connection(redis_url, transport_options=options) as connection:
        producer = connection.Producer()
        queues = {name: Queue(name, no_ack=True) for name in consumed}
        for number in range(3):
            for queue in queues.values():
                producer.publish(f"{queue.name} {number}", routing_key=queue.name, declare=[queue])
        channel: Any = connection.channel()  # of Redis: kombu's own types know no prefetch
        channel.basic_qos(0, 1, False)
        consumer = Consumer(
            channel, list(queues.values()), on_message=lambda message: order.append(message.decode())
        )
        with consumer:
            while len(order) < 6:
                try:
                    connection.drain_events(timeout=5)
                except TimeoutError:
                    break
    assert order == [f"{OWN} {n}" for n in range(3)] + [f"{POOL} {n}" for n in range(3)]
