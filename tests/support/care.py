"""The care of an execution, its looks made by the test: a real store, real messages, and no worker."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import msgpack
from celery import Celery

from contracts.celery_app import make_app
from contracts.plots import Planned
from contracts.queues import AGGREGATE_QUEUE, MEASURE, pool_queue
from contracts.slots import SlotStatus
from contracts.store import Store
from contracts.store.queue_lengths import lists_of
from dispatch.dispatcher import Dispatcher, NamedUnit
from dispatch.feeder import Feeder
from dispatch.generation import start_generation
from dispatch.known_rounds import KnownRounds
from dispatch.reconciler import Reconciler
from dispatch.rescue import Rescuer
from tests.support.rounds import Execution


@dataclass(frozen=True)
class Message:
    """One message as Celery wrote it."""

    id: str
    task: str
    arguments: list[Any]
    headers: dict[str, Any]
    priority: int
    chord: dict[str, Any] | None

    @property
    def job_id(self) -> str:
        assert self.task == MEASURE
        return str(self.arguments[-1])


def read_message(text: str) -> Message:
    envelope = json.loads(text)
    arguments, _, embedded = msgpack.unpackb(base64.b64decode(envelope["body"]))
    headers = envelope["headers"]
    priority = envelope["properties"]["priority"]
    return Message(headers["id"], headers["task"], arguments, headers, priority, embedded["chord"])


def waiting(store: Store, queue: str) -> list[Message]:
    """Return the messages of a queue in the order in which they are taken."""
    return [
        read_message(text)
        for name in lists_of(queue)
        for text in reversed(cast(list[str], store.client.lrange(name, 0, -1)))
    ]


def take(store: Store, queue: str) -> Message | None:
    """Take a queue's next message, as a worker does."""
    for name in lists_of(queue):
        if (text := store.client.rpop(name)) is not None:
            return read_message(str(text))
    return None


def empty(store: Store, *queues: str) -> None:
    """Lose the messages of queues."""
    for queue in queues:
        store.client.delete(*lists_of(queue))


def show_slot(store: Store, slot: str, pool: str = "test") -> None:
    """Make a slot live."""
    status = SlotStatus(
        slot=slot,
        pool=pool,
        host="h",
        pid=1,
        server="http://127.0.0.1:1",
        max_deadline_s=60,
        models={},
        seen_at=datetime.now(UTC),
    )
    store.put_slot(status, ttl_s=60)


class Recorded(Dispatcher):
    """A dispatcher that also keeps what it was asked for."""

    def __init__(self, app: Celery, store: Store, execution: Execution) -> None:
        super().__init__(app, store, execution.maker)
        self.units: list[NamedUnit] = []
        self.again: list[tuple[Planned, int]] = []
        self.callbacks: list[str] = []
        self.decisions: list[int] = []
        self.tickets: list[str] = []
        self.finalised = 0

    def publish(self, units: Iterable[NamedUnit], *, block: int | None = None) -> None:
        chosen = list(units)
        super().publish(chosen, block=block)
        self.units += chosen

    def send_again(self, jobs: Iterable[Planned], *, known_block: int, elsewhere: bool = False) -> None:
        chosen = list(jobs)
        super().send_again(chosen, known_block=known_block, elsewhere=elsewhere)
        self.again += [(job, known_block) for job in chosen]

    def ticket(self, unit: str, title: str) -> None:
        super().ticket(unit, title)
        self.tickets.append(unit)

    def aggregate(self, configuration_id: str) -> None:
        super().aggregate(configuration_id)
        self.callbacks.append(configuration_id)

    def decide(self, block: int) -> None:
        super().decide(block)
        self.decisions.append(block)

    def finalise(self) -> None:
        super().finalise()
        self.finalised += 1

    @property
    def sent_after_jobs(self) -> tuple[list[str], list[int], int]:
        """Callbacks, decisions and finalisers."""
        return self.callbacks, self.decisions, self.finalised


class Care:
    """What a steward has, for one execution."""

    def __init__(self, url: str, execution: Execution) -> None:
        self.execution, self.store, self.x = execution, execution.store, execution.execution
        self.pool = pool_queue(execution.plan.spec.pool)
        self.dispatcher = Recorded(make_app(url, max_deadline_s=60), self.store, execution)
        self.said: list[str] = []
        self.rounds = KnownRounds(self.store, execution.manifest)
        self.feeder = Feeder(self.store, self.dispatcher, execution.maker, self.rounds)
        self.reconciler = Reconciler(
            self.store, self.dispatcher, self.feeder, self.rounds, execution.manifest, self.said.append
        )
        self.rescuer = Rescuer(
            self.store, self.dispatcher, self.feeder, execution.maker, execution.manifest, self.said.append
        )

    def start(self) -> int:
        """Begin a generation."""
        return start_generation(self.store, self.dispatcher, self.execution.manifest)

    def feed(self, slots: int = 1, sweeps: int = 1) -> None:
        self.feeder.look(self.store.progress(self.x).done, slots, sweeps)
        for one in self.rounds.news():
            self.feeder.take_in(one.block)

    def feed_all(self) -> None:
        """Feed until everything is published, without a job being done."""
        while not self.feeder.finished:
            self.feed(slots=1000)

    def reconcile(self) -> None:
        """Two looks: what is lost is sent again at the second."""
        for _ in range(2):
            self.reconciler.look(self.store.progress(self.x))

    def aggregations(self) -> list[str]:
        """Return the task ids that wait for an aggregator."""
        return [message.id for message in waiting(self.store, AGGREGATE_QUEUE)]
