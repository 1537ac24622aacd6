"""Reading one call's answer while other calls run: in a thread that gives way to the loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.call import CallResult
from worker.servers import Recording

GIVE_WAY_S = 0.0001
"""How long the loop waits for the interpreter's lock; Python's own 5 ms is longer than the time between two frames."""


@contextmanager
def giving_way() -> Iterator[None]:
    """Have threads give way to each other soon, as long as the block lasts."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(GIVE_WAY_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


async def read_aside(recording: Recording) -> CallResult:
    """Return what a recording holds.

    Some 10 µs of CPU a frame: in the loop the frames of other calls that come meanwhile would be read together, and only
    the last of them has the kernel's stamp then.
    """
    return await asyncio.to_thread(recording)
