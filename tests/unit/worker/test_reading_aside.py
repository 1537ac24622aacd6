"""While one answer is read, the loop goes on with the calls of the others."""

from __future__ import annotations

import asyncio
import sys
import threading

from contracts.call import CallResult, Outcome
from worker.reading_aside import giving_way, read_aside
from worker.servers.verdict import not_sent


async def test_the_loop_goes_on_while_a_recording_is_read() -> None:
    turned = threading.Event()

    def recording() -> CallResult:
        assert turned.wait(30), "the loop stood still"
        return not_sent(Outcome.OK, "read")

    reading = asyncio.ensure_future(read_aside(recording))
    await asyncio.sleep(0)
    turned.set()
    assert (await reading).reason == "read"


def test_threads_give_way_within_the_block_only() -> None:
    before = sys.getswitchinterval()
    with giving_way():
        assert sys.getswitchinterval() < before / 10
    assert sys.getswitchinterval() == before
