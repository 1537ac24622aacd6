"""What the processes noted, as figures."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pace:
    """Of the jobs of one sweep, over all slots."""

    jobs: int
    jobs_per_s: float
    """From the first job's begin to the last one's end."""
    gap_p50_ms: float
    gap_p99_ms: float
    between_ms: float
    """Time of a slot between its jobs, for each of them: what was not workload."""
    workload_ms: float
    """Of a job, mean."""
    last_ns: int
    """End of the last job."""


def pace_of(jobs: Iterable[dict[str, Any]]) -> Pace:
    """Return the pace of jobs, each with its slot, begin and end on one clock, ns."""
    by_slot: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for job in jobs:
        by_slot[job["slot"]].append((job["begin"], job["end"]))
    gaps = []
    for times in by_slot.values():
        times.sort()
        gaps += [(after[0] - before[1]) / 1e6 for before, after in itertools.pairwise(times)]
    count = sum(map(len, by_slot.values()))
    first = min(times[0][0] for times in by_slot.values())
    last = max(times[-1][1] for times in by_slot.values())
    return Pace(
        jobs=count,
        jobs_per_s=count / ((last - first) / 1e9),
        gap_p50_ms=statistics.median(gaps),
        gap_p99_ms=percentile(gaps, 99),
        between_ms=statistics.fmean(gaps),
        workload_ms=statistics.fmean(
            (end - begin) / 1e6 for times in by_slot.values() for begin, end in times
        ),
        last_ns=last,
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile, by linear interpolation."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
