"""Which slot's waiting jobs are shared when its pool has nothing left for another slot.

With plots, a slot holds the rest of a whole unit. Where the pool's queue is empty and a slot idles, the tail of
another slot's unit goes back to the pool as a unit of its own. The thief's server must load the model first: that is
worth it only where it is done before the other slot would have been.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import fmean

RUNNING = 0.5
"""Of the job that runs at a slot, what is left on average."""

UNKNOWN_RELOAD_S = 60.0
"""What a reload is taken for where none was seen yet, s: a large model from a disk. Too long delays a split, too
short makes one that gains nothing."""


@dataclass(frozen=True, slots=True)
class Split:
    """The last ``jobs`` of those that wait at ``slot`` go back to the pool."""

    slot: str
    jobs: int


def choose_split(
    waiting: Mapping[str, int],
    idle: Collection[str],
    job_s: Mapping[str, float],
    reload_s: float | None,
) -> Split | None:
    """Return the split that ends the sweep sooner; ``None``: none does.

    To be asked while the pool's queue is empty and no sweep has more to publish, and again after each split with what
    is so then: a slot that will take the new unit is idle no more.

    Args:
        waiting: Slot → jobs that wait in its queue, without the one that runs.
        idle: Slots of the pool that run nothing and where nothing waits.
        job_s: Slot → mean time of the jobs that it has done, s; one that has done none yet is taken for the mean of
            those that have.
        reload_s: Time that a slot takes to load another plot, s; ``None``: :data:`UNKNOWN_RELOAD_S`.
    """
    known = {slot: each for slot, each in job_s.items() if each > 0}
    if not idle or not known:
        return None
    usual = fmean(known.values())
    held = {
        slot: (jobs + RUNNING) * known.get(slot, usual)
        for slot, jobs in waiting.items()
        if jobs > 0 and slot not in idle
    }
    if not held:
        return None
    # The slot that holds most work ends the sweep: to split another's does not bring the end nearer.
    slot = max(sorted(held), key=held.__getitem__)
    each, reload = known.get(slot, usual), UNKNOWN_RELOAD_S if reload_s is None else reload_s
    takers = max(1, round(len(idle) * held[slot] / sum(held.values())))
    even = (held[slot] - reload) / each / (takers + 1)  # with so many jobs for each taker, all end at once

    def end(jobs: int) -> float:
        return max(reload + jobs * each, held[slot] - takers * jobs * each)

    candidates = [jobs for jobs in (math.floor(even), math.ceil(even)) if 1 <= jobs <= waiting[slot]]
    jobs = min(candidates, key=end, default=0)
    return Split(slot, jobs) if jobs and end(jobs) < held[slot] else None
