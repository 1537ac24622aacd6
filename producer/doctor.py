"""``chimera doctor``: a line for each part; where it is red, what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis

from contracts.celery_app import make_app
from contracts.failures import ChimeraError
from contracts.queues import AGGREGATE_QUEUE
from contracts.redis_client import check, connect, redacted
from contracts.settings import DEFAULT_MAX_DEADLINE_S
from contracts.store import Store
from producer import embedded_redis, local_server
from producer.calibrate import describe

REPLY_S = 1.5


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    part: str
    good: bool | None
    """``None``: not good, but nothing that stops a sweep."""
    what: str
    advice: str | None = None


def examine(url: str | None) -> Iterator[Finding]:
    """Look at the broker's cluster, or at what the embedded default needs where there is no broker."""
    if url is None:
        yield Finding(
            "broker", None, "none given and no embedded one runs; 'chimera run' would start its own"
        )
        yield from _embedded_parts()
        return
    client = connect(url, retries=0)
    try:
        check(client, url)
    except ChimeraError as error:
        yield Finding("redis", False, str(error), "start Redis, or correct --broker / CHIMERA_BROKER")
        return
    yield from _redis(client, url)
    yield from _workers(url)
    yield from _slots(Store(client))


def _embedded_parts() -> Iterator[Finding]:
    try:
        yield Finding("redis", True, f"embedded: {embedded_redis.binary()}")
    except ChimeraError as error:
        yield Finding("redis", False, "no embedded Redis", str(error))
    try:
        local_server.check_installed()
        yield Finding("server", True, f"embedded: llama.cpp with {local_server.MODEL}")
    except ChimeraError as error:
        yield Finding("server", None, "no embedded model server", str(error))
    free = shutil.disk_usage(Path.cwd()).free // 2**20
    yield Finding("disk", free > 500, f"{free} MB free here", None if free > 500 else "make room")


def _redis(client: redis.Redis, url: str) -> Iterator[Finding]:
    info = client.info()
    assert isinstance(info, dict)
    version = info.get("valkey_version") or info.get("redis_version")
    yield Finding("redis", True, f"{redacted(url)}, version {version}")
    policy = info.get("maxmemory_policy")
    if policy not in (None, "noeviction"):
        yield Finding(
            "redis", False, f"maxmemory-policy is {policy}: it throws outcomes away", "set it to noeviction"
        )
    if not info.get("aof_enabled"):
        yield Finding(
            "redis",
            None,
            "no append-only file: a restart loses what is queued and stored",
            "set appendonly yes",
        )


def _workers(url: str) -> Iterator[Finding]:
    app = make_app(url, max_deadline_s=DEFAULT_MAX_DEADLINE_S)
    queues = app.control.inspect(timeout=REPLY_S).active_queues() or {}
    aggregators = [n for n, qs in queues.items() if any(q["name"] == AGGREGATE_QUEUE for q in qs)]
    if aggregators:
        yield Finding("aggregator", True, ", ".join(sorted(aggregators)))
    else:
        yield Finding("aggregator", False, "none answers", "start one: chimera aggregator --broker URL")
    others = sorted(set(queues) - set(aggregators))
    yield Finding("workers", bool(others), f"{len(others)} answer: {', '.join(others) or 'none'}")


def _slots(store: Store) -> Iterator[Finding]:
    slots = store.slots()
    if not slots:
        yield Finding(
            "slots", False, "none is live", "start one: chimera worker --slot NAME --server URL --pool POOL"
        )
    for slot in slots:
        at = f"{slot.slot} (pool {slot.pool}, pid {slot.pid} on {slot.host})"
        if slot.problem is not None:
            yield Finding("slot", False, f"{at}: {slot.problem}", f"start the model server at {slot.server}")
            continue
        busy = "measuring" if store.leased(slot.slot) else "free"
        yield Finding("slot", True, f"{at}: {busy}, deadline up to {slot.max_deadline_s:g} s")
        if slot.floor is None:
            yield Finding("floor", None, f"{slot.slot} is not calibrated", "measure it: chimera calibrate")
        else:
            yield Finding("floor", True, f"{slot.slot}: {describe(slot.floor)}")
        models = [f"{kind}: {', '.join(names) or 'no model'}" for kind, names in slot.models.items()]
        has_any = any(slot.models.values())
        advice = None if has_any else "load a model into the server"
        yield Finding("server", has_any, f"{slot.server} · {' · '.join(models)}", advice)
