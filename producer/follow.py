"""Follows an execution until its report is there."""

from __future__ import annotations

import time
from collections.abc import Callable

import redis
from kombu.exceptions import OperationalError

from contracts.failures import BrokerError, SweepIncomplete
from contracts.store import Progress, Store
from dispatch.known_rounds import KnownRounds
from dispatch.steward import Steward
from producer.progress import ProgressView

POLL_S = 0.1


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
    away = False
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
            view.show(progress)
            _check(store, execution, progress)
            if progress.status in ("finished", "collected"):
                return progress
            steward.look(progress)
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
