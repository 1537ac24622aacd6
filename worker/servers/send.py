"""Sending a call, again where certainly nothing was generated; every sending is kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from contracts.call import EarlierSending, Outcome
from worker.measurement.clock import now_ns
from worker.measurement.timing import CallClock
from worker.servers.base import ServerUnreachable
from worker.servers.connection import Connection
from worker.servers.limits import seconds
from worker.servers.stream import Exchange, Failure, StreamRequest, exchange

NOT_STARTED = frozenset({429, 503})
"""Too many requests; service unavailable (loading, or its queue is full): both before any work on the request."""
FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 30.0


class Sending:
    """One call: when it was due, how long it may take in all, and its sendings so far."""

    def __init__(self, timeout_s: float, retries: int, due_ns: int | None = None) -> None:
        """``timeout_s`` from now on; ``due_ns``: when it was scheduled, if that was before."""
        self._begun_ns = now_ns()
        self.due_ns = self._begun_ns if due_ns is None else due_ns
        self.earlier: list[EarlierSending] = []
        self._timeout_s = timeout_s
        self._retries = retries

    @property
    def left_s(self) -> float:
        """What is left of the call's time, s; may be negative."""
        return self._timeout_s - (now_ns() - self._begun_ns) / 1e9

    async def repeat(self, once: Callable[[], Awaitable[Exchange]]) -> Exchange:
        """Return the last exchange; the earlier ones stand in its ``earlier``."""
        while True:
            result = await once()
            result.earlier = self.earlier
            if len(self.earlier) >= self._retries or not nothing_generated(result):
                return result
            pause_s = _pause_s(result, len(self.earlier))
            if pause_s >= self.left_s:
                return result
            self.earlier.append(_earlier(result, pause_s))
            await pause(pause_s)


async def send(connection: Connection, request: StreamRequest, sending: Sending) -> Exchange:
    """Return the last exchange of the request."""
    return await sending.repeat(lambda: exchange(connection, request, sending.left_s, sending.due_ns))


async def reach(look: Callable[[], Awaitable[object]], sending: Sending) -> Exchange | None:
    """Look who is there, again where nobody is; return why the call can't be sent, or ``None``."""

    async def once() -> Exchange:
        result, left_s = Exchange(CallClock(sending.due_ns)), max(sending.left_s, 0.0)
        try:
            async with asyncio.timeout(left_s):
                await look()
        except ServerUnreachable as error:
            result.failure = Failure(Outcome.CONNECTION, f"{error} (before the request was sent)")
        except TimeoutError:
            reason = f"no answer within {seconds(left_s)}: before the request was sent"
            result.failure = Failure(Outcome.TIMEOUT, reason)
        result.clock.mark_end()
        return result

    result = await sending.repeat(once)
    return None if result.failure is None else result


def nothing_generated(result: Exchange) -> bool:
    """Whether the server certainly did not begin with the answer."""
    if result.failure is not None:
        return result.failure.outcome is Outcome.CONNECTION and result.clock.sent_ns is None
    return result.refusal is not None and result.http_status in NOT_STARTED


async def pause(seconds: float) -> None:
    """Wait before the next sending."""
    await asyncio.sleep(seconds)


def _pause_s(result: Exchange, earlier: int) -> float:
    if result.retry_after_s is not None:
        return result.retry_after_s
    # Slots that were refused together must not come back together.
    return float(min(FIRST_PAUSE_S * 2**earlier, MAX_PAUSE_S)) * random.uniform(0.75, 1.25)


def _earlier(result: Exchange, pause_s: float) -> EarlierSending:
    if result.failure is not None:
        outcome, reason = result.failure.outcome, result.failure.reason
    else:
        outcome, reason = Outcome.SERVER_ERROR, result.refusal or ""
    return EarlierSending(
        outcome=outcome,
        reason=reason,
        http_status=result.http_status,
        timing=result.clock.timing(),
        waited_s=pause_s,
    )
