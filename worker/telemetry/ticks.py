"""When samples are due: an absolute schedule that skips what it missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

NS_PER_S = 1_000_000_000


def ticks(period_ns: int, clock: Callable[[], int], stopped: Callable[[float], bool]) -> Iterator[int]:
    """Yield the due time of each sample, ns, at the moment it is due, until ``stopped`` says so.

    The first is due now, the k-th k periods later; how long a sample takes does not shift the others. A
    due time that has passed by is skipped, not made up for: after a hang there is one sample, no burst.
    ``stopped`` waits up to that many seconds and returns whether to end, as ``threading.Event.wait`` does.
    """
    start = clock()
    due = start
    while not stopped(max(due - clock(), 0) / NS_PER_S):
        yield due
        due = start + ((clock() - start) // period_ns + 1) * period_ns
