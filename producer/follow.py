"""Follows an execution until its report is there."""

from __future__ import annotations

import time
from collections.abc import Callable

import redis
from kombu.exceptions import OperationalError

from contracts.failures import SweepIncomplete
from contracts.store import Progress, Store
from producer.progress import ProgressView
from producer.published import Published
from producer.reconcile import Reconciler, lost_connection

POLL_S = 0.1


def follow(
    store: Store,
    execution: str,
    view: ProgressView,
    published: Published,
    reconciler: Reconciler,
    watch: Callable[[], None],
) -> Progress:
    """Show progress until the execution is finished; return the last progress.

    An outage of Redis is waited out. ``watch`` is called once a round.

    Raises:
        SweepIncomplete: the aggregator says that it can't summarise, or the sweep was begun anew elsewhere.
    """
    away = False
    while True:
        watch()
        try:
            progress = store.progress(execution)
            for one in published.news():
                view.extend(len(one.jobs))
                view.say(one.why)
            view.show(progress)
            if progress.status is None:
                raise SweepIncomplete(
                    f"Redis came back without the execution {execution}: it keeps no append-only file "
                    "(see 'chimera doctor'). What was measured is lost; run the sweep again"
                )
            if progress.status == "abandoned":
                raise SweepIncomplete(f"another 'chimera run --fresh' has taken the place of {execution}")
            if progress.status != "running":
                return progress
            problem = store.problem(execution)
            if problem is not None:
                raise SweepIncomplete(
                    f"{problem}; the outcomes are in the store, run the sweep again to resume"
                )
            reconciler.look(progress)
            if away:
                view.say("Redis is back")
            away = False
        except (redis.RedisError, OperationalError) as error:
            if not lost_connection(error):
                raise
            if not away:
                view.say("Redis is away; waiting for it")
                away = True
        time.sleep(POLL_S)
