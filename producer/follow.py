"""Follows an execution until its report is there."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator

import redis
from kombu.exceptions import OperationalError

from contracts.failures import BrokerError, SweepIncomplete
from contracts.store import Progress, Store
from contracts.watching import alive
from dispatch.known_rounds import KnownRounds
from dispatch.steward import Steward
from producer.progress import ProgressView

POLL_S = 0.1
FOLLOWER_S = 15.0
"""A follower that has not renewed its lease for so long is dead."""
RENEW_S = 2.0


@contextlib.contextmanager
def following(store: Store, execution: str, watch: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Hold the lease of the one who will write the results; yield what is to be called once a round for ``watch``.

    Where another one follows too, the lease is taken when that one is gone. It outlasts an outage of Redis, or is taken
    again after it.
    """
    token, renewed = uuid.uuid4().hex, time.monotonic() - RENEW_S

    def watch_and_renew() -> None:
        nonlocal renewed
        watch()
        if time.monotonic() - renewed >= RENEW_S:
            renewed = time.monotonic()
            with contextlib.suppress(redis.RedisError):
                store.hold_following(execution, token, ttl_s=FOLLOWER_S)

    watch_and_renew()
    try:
        yield watch_and_renew
    finally:
        with contextlib.suppress(redis.RedisError):
            store.drop_following(execution, token)


def is_followed(store: Store, execution: str) -> bool:
    """Return whether somebody follows who will write the results; wait until the lease is renewed, or is gone."""
    left = store.following_ms(execution)
    while left:
        time.sleep(POLL_S)
        before, left = left, store.following_ms(execution)
        if left > before:
            return True
    return False


def follow(
    store: Store, steward: Steward, view: ProgressView, watch: Callable[[], None], mark: str = "0"
) -> Progress:
    """Care for an execution and show its progress until it is finished; return the last progress.

    An outage of Redis is waited out. ``watch`` is called once a round. Notes are shown from ``mark`` on.

    Raises:
        SweepIncomplete: the aggregator says that it can't summarise, or the sweep was begun anew elsewhere.
    """
    execution = steward.execution
    rounds = KnownRounds(store, steward.manifest)
    away = alone = False
    while True:
        watch()
        try:
            progress = store.progress(execution)
            for one in rounds.news():
                view.extend(len(one.jobs))
                view.say(one.why)
            notes, mark = store.told(execution, mark)
            for _, line in notes:
                view.say(line)
            view.show(alive(store, execution, progress))
            _check(store, execution, progress)
            if progress.status in ("finished", "collected"):
                return progress
            steward.look(progress)
            was_alone, alone = alone, progress.status == "cancelled" and not store.has_aggregator()
            if alone and not was_alone:
                view.say("no aggregator is live; the report waits for one: chimera aggregator")
            if away:
                view.say("Redis is back")
            away = False
        except (redis.RedisError, OperationalError, BrokerError) as error:
            if not _lost_connection(error):
                raise
            if not away:
                view.say(f"{_what_is_wrong(error)}; waiting for it")
                away = True
        time.sleep(POLL_S)


def _check(store: Store, execution: str, progress: Progress) -> None:
    if progress.status is None:
        raise SweepIncomplete(
            f"Redis came back without the execution {execution}: it keeps no append-only file "
            "(see 'chimera doctor'). What was measured is lost; run the sweep again"
        )
    if progress.status == "abandoned":
        raise SweepIncomplete(f"another 'chimera run --fresh' has taken the place of {execution}")
    problem = store.problem(execution)
    if problem is not None and progress.status not in ("finished", "collected"):
        raise SweepIncomplete(f"{problem}; the outcomes are in the store, run the sweep again to resume")


def _what_is_wrong(error: Exception) -> str:
    return (
        "Redis has no memory left (maxmemory)"
        if isinstance(error, redis.OutOfMemoryError)
        else "Redis is away"
    )


def _lost_connection(error: Exception) -> bool:
    """Return whether the error is an outage that ends, not a mistake that stays."""
    outage = (
        redis.ConnectionError | redis.TimeoutError | redis.OutOfMemoryError | OperationalError | BrokerError
    )
    return isinstance(error, outage) and not isinstance(error, redis.AuthenticationError)
