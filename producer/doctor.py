"""``chimera doctor``: a line for each part; where it is red, what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from analysis.rendering.plain import one_line
from contracts.breaker import Breaker
from contracts.celery_app import make_app
from contracts.failures import ChimeraError
from contracts.queues import AGGREGATE_QUEUE
from contracts.redis_client import check, connect
from contracts.settings import DEFAULT_MAX_DEADLINE_S, SIGNING_KEY_FILE
from contracts.signing import SIGNED, read_keys, serializer
from contracts.slots import FurtherServer, SlotStatus
from contracts.store import Store
from producer import embedded_redis, local_server
from producer.calibrate import describe
from producer.finding import Finding
from producer.redis_health import redis_findings

__all__ = ["Finding", "examine"]

REPLY_S = 1.5
MOST_MODELS = 5
"""That are named of one server."""


def examine(url: str | None) -> Iterator[Finding]:
    """Look at the broker's cluster, or at what the embedded default needs where there is no broker.

    Names of models and words of servers are in what is found: control characters are made visible.
    """
    for finding in _examine(url):
        advice = None if finding.advice is None else one_line(finding.advice)
        yield replace(finding, what=one_line(finding.what), advice=advice)


def _examine(url: str | None) -> Iterator[Finding]:
    if url is None:
        yield Finding(
            "broker", None, "none given and no embedded one runs; 'chimera run' would start its own"
        )
        yield from _embedded_parts()
        return
    try:
        client = connect(url, retries=0)
        check(client, url)
    except ChimeraError as error:
        yield Finding("redis", False, str(error), "start Redis, or correct --broker / CHIMERA_BROKER")
        return
    yield from redis_findings(client, url)
    yield from signing_findings()
    store = Store(client)
    slots = store.slots()
    yield from _workers(url, len(slots))
    yield from _slots(store, slots)


def signing_findings() -> Iterator[Finding]:
    """Say whether this machine's processes sign, and who else could; nothing where they don't."""
    file = os.environ.get(SIGNING_KEY_FILE)
    if not file:
        return
    try:
        keys = read_keys(Path(file))
    except ChimeraError as error:
        yield Finding("signing", False, str(error), "correct the file; no process starts with it")
        return
    yield Finding("signing", True, f"messages are signed, and only signed ones accepted: {len(keys)} key(s)")
    if Path(file).stat().st_mode & 0o077:
        yield Finding("signing", None, f"{file} can be read by others: they could sign", f"chmod 600 {file}")


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


def _workers(url: str, live_slots: int) -> Iterator[Finding]:
    app = make_app(url, max_deadline_s=DEFAULT_MAX_DEADLINE_S)
    queues = app.control.inspect(timeout=REPLY_S).active_queues() or {}
    aggregators = [n for n, qs in queues.items() if any(q["name"] == AGGREGATE_QUEUE for q in qs)]
    if aggregators:
        yield Finding("aggregator", True, ", ".join(sorted(aggregators)))
    else:
        yield Finding("aggregator", False, "none answers", "start one: chimera aggregator --broker URL")
    others = sorted(set(queues) - set(aggregators))
    advice = None
    if live_slots and not queues:
        keys = (
            f"with the same {SIGNING_KEY_FILE} as here" if serializer() == SIGNED else "without signing keys"
        )
        advice = f"slots are live but no worker understands this command: are they started {keys}?"
    yield Finding("workers", bool(others), f"{len(others)} answer: {', '.join(others) or 'none'}", advice)


def _slots(store: Store, slots: list[SlotStatus]) -> Iterator[Finding]:
    if not slots:
        yield Finding(
            "slots", False, "none is live", "start one: chimera worker --slot NAME --server URL --pool POOL"
        )
    for slot in slots:
        breaker = store.breaker(slot.slot)
        if breaker is not None:
            yield _broken(breaker)
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
        models = [f"{kind}: {_first_of(names) or 'no model'}" for kind, names in slot.models.items()]
        has_any = any(slot.models.values())
        advice = None if has_any else "load a model into the server"
        yield Finding("server", has_any, f"{slot.server} · {' · '.join(models)}", advice)
        yield from (_further(name, server) for name, server in slot.further.items())


def _further(name: str, server: FurtherServer) -> Finding:
    if server.problem is not None:
        return Finding(
            "server", False, f"{name}: {server.problem}", f"start the model server at {server.server}"
        )
    models = [f"{kind}: {_first_of(names) or 'no model'}" for kind, names in server.models.items()]
    return Finding("server", any(server.models.values()), f"{name}: {server.server} · {' · '.join(models)}")


def _first_of(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_MODELS} more" if len(names) > MOST_MODELS else ""
    return ", ".join(names[:MOST_MODELS]) + more


def _broken(breaker: Breaker) -> Finding:
    state = "out of its pool" if breaker.state == "open" else "on trial: the next job decides"
    what = f"{breaker.slot} is {state}, since {breaker.since:%Y-%m-%d %H:%M:%S} UTC, after {breaker.failures} failures"
    advice = f"look at its model server; it is asked again at {breaker.probe_at:%H:%M:%S} UTC"
    return Finding("breaker", None, f"{what}: {breaker.reason}", advice)
