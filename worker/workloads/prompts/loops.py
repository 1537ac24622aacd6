"""The two kinds of load: so many users, or so many requests a second."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from worker.measurement.clock import now_ns
from worker.measurement.load import Alarm
from worker.workloads.prompts.carrier import Carrier
from worker.workloads.prompts.dialogue import Dialogue

LEAD_NS = 20_000_000
"""From making the schedule to its beginning."""
REFUSED_S = 0.5
"""Pause of a user whose request was not served."""
AHEAD_NS = 3_000_000
"""So much before it is due a request of an open loop is begun: what is written, and the connection that carries it, stand when
it is. That takes one millisecond or two."""


@dataclass(frozen=True)
class Sent:
    """How the sending of a load ended."""

    begin_ns: int
    """Its clock's zero."""
    cut_off: bool = False
    """The deadline came before all was sent."""
    not_due: int = 0
    """Requests of the schedule that were not even due then."""
    bounded: bool = False
    """Requests were left out by the bound on their number."""
    held_back: int = 0
    """Requests that waited for the limit of requests at a time."""


async def closed_loop(
    carrier: Carrier, users: int, *, requests: int | None, duration_s: float | None, most: int
) -> Sent:
    """Let ``users`` send one request after the other, each as soon as the one before is over.

    A request is due when its user is free for it. A user keeps to its conversation until that is over. No request is begun
    after ``requests`` of them, after ``duration_s`` seconds, or after ``most`` of them, which is told.
    """
    begin_ns = now_ns()
    limit = most if requests is None else min(requests, most)
    begun, cut_off, bounded = 0, False, False

    def may_begin(due_ns: int) -> bool:
        nonlocal begun, cut_off, bounded
        if duration_s is not None and due_ns - begin_ns >= duration_s * 1e9:
            return False
        if begun >= limit:
            bounded = bounded or limit != requests
            return False
        if carrier.left_s() <= 0:
            cut_off = True
            return False
        begun += 1
        return True

    async def user() -> None:
        due_ns, dialogue, goes_on = begin_ns, None, False
        while may_begin(due_ns):
            if dialogue is None or not goes_on:
                dialogue = carrier.dialogues.new()
            due_ns, goes_on, refused = await carrier.send(due_ns, dialogue)
            if refused:  # else the refused users would use up a load within a moment
                await asyncio.sleep(min(REFUSED_S, max(carrier.left_s(), 0.0)))
                due_ns = now_ns()

    async with asyncio.TaskGroup() as group:
        for _ in range(users):
            group.create_task(user())
    return Sent(begin_ns, cut_off, bounded=bounded)


async def open_loop(carrier: Carrier, times: Sequence[float], max_in_flight: int) -> Sent:
    """Send a request at each of the times (s from the start), whether those before are over or not.

    At most ``max_in_flight`` at a time: the others wait in their order, and are due all the same when they are due. At each time
    the conversation that waits longest for its next turn goes on, else a new one begins: so the rate is that of requests,
    however many turns a conversation has.
    """
    begin_ns = now_ns() + LEAD_NS
    deadline_ns = now_ns() + round(max(carrier.left_s(), 0.0) * 1e9)
    free = asyncio.Semaphore(max_in_flight)
    sent = held_back = 0

    async def send(due_ns: int, dialogue: Dialogue) -> None:
        try:
            over = await carrier.send(due_ns, dialogue, alarm.until)
        finally:
            free.release()
        if over.goes_on:
            carrier.dialogues.waits(dialogue)

    due = [begin_ns + round(at * 1e9) for at in times]
    with Alarm() as alarm:
        async with asyncio.TaskGroup() as group:
            for due_ns in due:
                await alarm.until(min(due_ns - AHEAD_NS, deadline_ns))
                held_back += free.locked()
                if now_ns() >= deadline_ns or not await _taken(free, deadline_ns):
                    break
                group.create_task(send(due_ns, carrier.dialogues.next()))
                sent += 1
    late = [due_ns for due_ns in due[sent:] if due_ns < deadline_ns]
    for due_ns in late:
        carrier.never_sent(due_ns)
    return Sent(begin_ns, cut_off=sent < len(due), not_due=len(due) - sent - len(late), held_back=held_back)


async def _taken(free: asyncio.Semaphore, deadline_ns: int) -> bool:
    """Wait for a place; return whether there was one before the deadline."""
    if not free.locked():
        await free.acquire()  # at once
        return True
    try:
        async with asyncio.timeout(max(deadline_ns - now_ns(), 0) / 1e9):
            await free.acquire()
    except TimeoutError:
        return False
    return True
