"""Whether a worker lives and whether it is ready, for probes of Kubernetes and Compose; answered by its parent process.

Neither question touches Redis, the model server or the process that measures: they are answered from what the parent
did anyway. A worker that can't reach Redis is alive: the job that runs goes on and keeps its outcome until Redis is back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from contracts.metrics import Check
from worker.heartbeat import TTL_S, Sign

MOST_BEATS = 40
"""Signs of life that were stored (one every 3 s) while the consumer did nothing: then it hangs. Counted and not timed, so
that a suspended machine, or a consumer that waits for Redis as the signs do, is not taken for one."""


class Health:
    """What the threads of a worker's parent process did last.

    Args:
        stopping: Whether the worker was asked to stop.
        clock: Monotonic, s.
    """

    def __init__(self, stopping: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._stopping = stopping
        self._clock = clock
        self._stored: float | None = None
        self._beats = 0

    def stored(self) -> None:
        """Note that the sign of life was stored."""
        self._stored = self._clock()
        self._beats += 1

    def turned(self) -> None:
        """Note that the consumer's event loop goes round."""
        self._beats = 0

    def not_live(self) -> str | None:
        """Return why the worker should be started again; ``None``: it should not."""
        if self._beats < MOST_BEATS:
            return None
        return f"the consumer hangs: Redis stored {self._beats} signs of life meanwhile"

    def not_ready(self) -> str | None:
        """Return why no job should be expected to be taken; ``None``: jobs are taken."""
        if self._stopping():
            return "stopping: it takes no more jobs"
        if self._stored is None:
            return "starting: no sign of life was stored yet"
        age = self._clock() - self._stored
        if age > TTL_S:
            return f"no sign of life was stored for {age:.0f} s: Redis can't be reached"
        return None

    def checks(self) -> Mapping[str, Check]:
        """Return the paths that are answered, each with its question."""
        return {"/livez": self.not_live, "/readyz": self.not_ready}


class Noted:
    """A sign of which ``health`` is told whenever it was stored."""

    def __init__(self, sign: Sign, health: Health) -> None:
        self._sign = sign
        self._health = health

    def show(self) -> None:
        self._sign.show()
        self._health.stored()

    def withdraw(self) -> None:
        self._sign.withdraw()
