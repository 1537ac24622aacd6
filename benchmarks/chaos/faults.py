"""Everything that is done to a cluster. Each fault happens at once; what heals it is put off, so that faults overlap."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from benchmarks.chaos.clock import Clock
from benchmarks.chaos.parts import Parts
from benchmarks.chaos.trapped import AGGREGATE_POINTS, MEASURE_POINTS, POISON, PUBLISH_POINT
from contracts.redis_client import connect
from producer.processes import Child

OUTAGE_S = (0.2, 6.0)
FREEZE_S = (1.0, 8.0)
ILL_S = (0.5, 5.0)
HOUR_S = 3600
FILE_LIMIT = 20_000
"""Bytes that the producer's files may have when its disk is full."""


@dataclass
class Target:
    """The cluster that the faults strike, and when what was done to it ends."""

    parts: Parts
    chance: random.Random
    clock: Clock | None
    """``None``: there is no compiler to make one."""
    producer: Child | None = None
    heals: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    redis_ill: bool = False
    """Redis is away, frozen or without memory: one of them at a time, and nobody asks it anything meanwhile."""
    servers_ill: set[str] = field(default_factory=set)
    poisoned: bool = False

    def later(self, seconds: tuple[float, float], heal: Callable[[], None]) -> None:
        """Heal after a time drawn from a range."""
        self.heals.append((time.monotonic() + self.chance.uniform(*seconds), heal))

    def heal(self, *, all_: bool = False) -> None:
        """Heal what is due, or everything."""
        now = time.monotonic()
        due = [heal for at, heal in self.heals if all_ or at <= now]
        self.heals = [] if all_ else [(at, heal) for at, heal in self.heals if at > now]
        for heal in due:
            heal()

    def a_worker(self) -> Child | None:
        """One of the workers that live; ``None``: all are dead."""
        alive = [worker for worker in self.parts.workers.values() if worker.alive]
        return self.chance.choice(alive) if alive else None

    def a_well_server(self) -> str | None:
        well = sorted(set(self.parts.servers) - self.servers_ill)
        return self.chance.choice(well) if well else None


Fault = Callable[[Target], bool]
"""Returns whether it could be done now."""


def worker_killed(at: Target) -> bool:
    return _signalled(at.a_worker(), signal.SIGKILL)


def worker_told_to_end(at: Target) -> bool:
    """SIGTERM, as Kubernetes sends it."""
    return _signalled(at.a_worker(), signal.SIGTERM)


def pool_process_killed(at: Target) -> bool:
    worker = at.a_worker()
    children = psutil.Process(worker.pid).children() if worker is not None else []
    for child in children[:1]:
        child.kill()
    return bool(children)


def worker_dies_at_a_point(at: Target) -> bool:
    at.parts.arm(at.chance.choice(MEASURE_POINTS), at.chance.choice(["worker", "process"]))
    return True


def job_is_poison(at: Target) -> bool:
    """The next job that starts takes its pool process with it each time that it is delivered; one job a repetition."""
    if at.poisoned:
        return False
    at.poisoned = True
    at.parts.arm(POISON, "process")
    return True


def aggregator_killed(at: Target) -> bool:
    return _signalled(at.parts.aggregators[-1], signal.SIGKILL)


def aggregator_dies_at_a_point(at: Target) -> bool:
    at.parts.arm(at.chance.choice(AGGREGATE_POINTS), "worker")
    return True


def producer_killed(at: Target) -> bool:
    return _signalled(at.producer, signal.SIGKILL)


def producer_dies_while_it_publishes(at: Target) -> bool:
    """The one that is started next: the one that runs may have nothing more to publish."""
    at.parts.arm(PUBLISH_POINT, "process")
    return _signalled(at.producer, signal.SIGKILL)


def producers_disk_full(at: Target) -> bool:
    if at.producer is None or not at.producer.alive:
        return False
    resource.prlimit(at.producer.pid, resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
    return True


def redis_killed(at: Target) -> bool:
    if at.redis_ill:
        return False
    at.redis_ill = True
    at.parts.redis.kill()
    at.later(OUTAGE_S, lambda: _redis_well(at, at.parts.redis.start))
    return True


def redis_frozen(at: Target) -> bool:
    if at.redis_ill:
        return False
    at.redis_ill = True
    at.parts.redis.freeze()
    at.later(FREEZE_S, lambda: _redis_well(at, at.parts.redis.thaw))
    return True


def redis_without_memory(at: Target) -> bool:
    if at.redis_ill:
        return False
    at.redis_ill = True
    at.parts.redis.refuse_writes()
    at.later(ILL_S, lambda: _redis_well(at, lambda: at.parts.redis.limit_memory(0)))
    return True


def _redis_well(at: Target, cure: Callable[[], None]) -> None:
    cure()
    at.redis_ill = False


def messages_doubled(at: Target) -> bool:
    """Every message that is handed out now comes once more."""
    if at.redis_ill:
        return False
    client = connect(at.parts.redis.url)
    handed_out = [json.loads(str(text)) for text in client.hvals("unacked")]
    for message, _, routing_key in handed_out:
        client.lpush(routing_key, json.dumps(message))
    return bool(handed_out)


def server_killed(at: Target) -> bool:
    return _ill(at, lambda slot: at.parts.servers[slot].stop())


def server_fails(at: Target) -> bool:
    return _ill(at, lambda slot: at.parts.servers[slot].start("http-500"))


def server_without_memory(at: Target) -> bool:
    return _ill(at, lambda slot: at.parts.servers[slot].start("out-of-memory"))


def server_hangs(at: Target) -> bool:
    slot = at.a_well_server()
    if slot is None:
        return False
    at.servers_ill.add(slot)
    at.parts.servers[slot].freeze()

    def thaw() -> None:
        at.parts.servers[slot].thaw()
        at.servers_ill.discard(slot)

    at.later(ILL_S, thaw)
    return True


def _ill(at: Target, strike: Callable[[str], None]) -> bool:
    slot = at.a_well_server()
    if slot is None:
        return False
    at.servers_ill.add(slot)
    strike(slot)

    def start() -> None:
        at.parts.servers[slot].start()
        at.servers_ill.discard(slot)

    at.later(ILL_S, start)
    return True


def clock_jumps(at: Target) -> bool:
    """The wall clock of half of the slots' machines is an hour ahead, or behind, from now on."""
    if at.clock is None:
        return False
    at.clock.jump(at.chance.choice([-HOUR_S, 0, HOUR_S]))
    return True


def _signalled(child: Child | None, number: signal.Signals) -> bool:
    if child is None or not child.alive:
        return False
    os.kill(child.pid, number)
    return True


FAULTS: dict[str, tuple[Fault, int]] = {
    "worker killed": (worker_killed, 3),
    "worker told to end": (worker_told_to_end, 2),
    "pool process killed": (pool_process_killed, 3),
    "worker dies at a point": (worker_dies_at_a_point, 6),
    "job is poison": (job_is_poison, 1),
    "aggregator killed": (aggregator_killed, 2),
    "aggregator dies at a point": (aggregator_dies_at_a_point, 3),
    "producer killed": (producer_killed, 1),
    "producer dies publishing": (producer_dies_while_it_publishes, 1),
    "producer's disk full": (producers_disk_full, 1),
    "Redis killed": (redis_killed, 2),
    "Redis frozen": (redis_frozen, 1),
    "Redis without memory": (redis_without_memory, 1),
    "messages doubled": (messages_doubled, 3),
    "server killed": (server_killed, 1),
    "server fails": (server_fails, 1),
    "server without memory": (server_without_memory, 1),
    "server hangs": (server_hangs, 1),
    "clock jumps": (clock_jumps, 1),
}
"""Name → the fault and its weight in the draw."""
