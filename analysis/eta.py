"""How long the rest of a sweep will take, with its 95 % interval: from counters alone, never from a guess.

The work that is left is the sum over the jobs left of their expected times; the time is that work over the slots
that share it, and half a job for the last ones, which do not end together.

- A configuration that has been measured is expected to take its own mean.
- One that has not is expected to take the mean of those measured: of its own plot where that is begun, else of the
  plots begun. Jobs that still run count with what they will take at least, or the short jobs, which end first,
  would make all look short (one step of Buckley and James, Biometrika 66, 1979).
- Loads of a model lie in the times of the jobs that waited for them. Where an order knows plots there are more of
  them at its start, so they are taken out of the mean and counted by themselves.

The interval adds the variances of the means, of the unseen configurations and of the jobs to come; its quantile is
Student's with the degrees of freedom of Welch and Satterthwaite, on a log scale, as a time is never negative. As long
as no configuration has two jobs, nobody can tell the scatter of jobs from the difference of configurations: then it
allows for both. It holds for the jobs that are known, on the slots that work now, and is wider where these are not those
that worked so far; a slot that will join or leave, an outage and blocks that are decided on later are in no interval.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.base import Strict

LEVEL = 0.95
SHORT_MS = 1000.0
"""Of shorter jobs a snapshot does not tell how many slots work: they are between two jobs too often."""
LATE = 0.7
"""A slot that was busy for less than this part of what the busiest was has joined later, where no other sweep took its time."""
CHANGED_SD = 0.1
"""SD of the log of the time left, for each unit of the log by which slots have changed: those that work now are not those
that the times were measured on. It made the intervals of simulated sweeps hold (docs/watching.md)."""
MOST_EXPONENT = math.log(100)
"""An interval to a hundred times the estimate tells nothing."""
MOST_DF = 1e6
"""Degrees of freedom from which Student's quantile is the normal one."""
MOST_LOADING = 0.9
"""Loads that would make up more of a plot's time than this are shorter than the one that is known."""


@dataclass(frozen=True)
class Work:
    """What is known of one configuration's jobs."""

    planned: int
    done: int
    """With an outcome, failed ones included: they took time too."""
    ms: float
    """Sum of their times."""
    ms2: float
    """Sum of their squares, ms²."""
    plot: str = ""
    """Configurations of one plot are measured together; the same for all where the order knows no plots."""

    @property
    def left(self) -> int:
        return max(self.planned - self.done, 0)

    @property
    def mean(self) -> float:
        """ms; of a configuration with a job that is done."""
        return self.ms / self.done


@dataclass(frozen=True)
class Loads:
    """Loads of models, in an order that knows plots."""

    done: Mapping[str, int]
    """Plot → loads that lie in its jobs' times."""
    left: int
    ms: float
    """One load's time."""


class Eta(Strict):
    """Time left, s."""

    seconds: float
    low: float | None = None
    """Ends of the 95 % interval; ``None``: too little is known for one."""
    high: float | None = None
    jobs_left: int


@dataclass(frozen=True)
class _Part:
    """A part of the work left: its expectation, ms, and the variance of it, ms², with its degrees of freedom."""

    ms: float
    variance: float | None
    df: float


def parallel(
    working: Collection[str], busy_ms: Mapping[str, float], wall_ms: float, *, alone: bool = True
) -> float | None:
    """Return how many slots share the work: those that work now, each as busy as it, or its like, was so far.

    Args:
        working: Slots that can measure now.
        busy_ms: Slot → time that jobs took there so far, those that run included; also of slots that are gone.
        wall_ms: Time that the execution has taken so far.
        alone: No other execution shares the slots: one that did far less than others has joined later.

    Returns:
        ``None``: nothing works.
    """
    if not working:
        return None
    shares = {slot: min(ms / wall_ms, 1.0) for slot, ms in busy_ms.items() if ms > 0} if wall_ms > 0 else {}
    least = LATE * max(shares.values(), default=0.0) if alone else 0.0
    usual = statistics.fmean([share for share in shares.values() if share >= least] or [1.0])
    return sum(share if (share := shares.get(slot, 0.0)) > least else usual for slot in working)


def eta(
    work: Mapping[str, Work],
    *,
    slots: float | None,
    average: float | None = None,
    running: Sequence[tuple[str, float]] = (),
    loads: Loads | None = None,
) -> Eta | None:
    """Return the time left, ``None`` where nothing is left, nothing works, or nothing is done yet.

    Args:
        work: Configuration id → what is known of it.
        slots: Slots that share the work, as :func:`parallel` tells.
        average: Slots that shared it so far, on average; ``None``: as many.
        running: Configuration id and age, ms, of each job that runs.
        loads: Loads of models, where the order knows plots.
    """
    jobs_left = sum(one.left for one in work.values())
    seen = {name: one for name, one in work.items() if one.done > 0}
    if not jobs_left or not seen or not slots or slots <= 0:
        return None
    unloaded = _unloaded(loads, seen.values())
    loading = 0.0 if loads is None else loads.left * loads.ms
    means = {name: one.mean * unloaded.get(one.plot, 1.0) for name, one in seen.items()}
    ages: dict[str, list[float]] = {}
    for name, age in running:
        if name in work:
            loaded = 0.0
            if loads is not None and not loads.done.get(work[name].plot):
                loaded = min(age, loads.ms)  # it waits, or has waited, for its plot's first load
                loading -= loaded
            ages.setdefault(name, []).append(age - loaded)
    supposed = {name: _at_least(max(of), means.values()) for name, of in ages.items() if name not in means}
    noise, noise_df = _noise(seen.values())
    parts = [*_own(work, means, noise, noise_df), *_unseen(work, means, supposed, noise)]
    # What runs has done a part of it already; it is never later than "now".
    expected = {name: means.get(name, supposed.get(name, 0.0)) for name in ages}
    gone = sum(min(age, expected[name]) for name, of in ages.items() for age in of)
    total = max(sum(part.ms for part in parts) + loading - gone, 0.0)
    longest = max(means.values(), default=0.0) if noise is None else _typical(work, means)
    changed = math.log(slots) - math.log(average) if average else 0.0
    slots = min(slots, _takers(jobs_left, len(running), loads, seen.values()))
    seconds = (total / slots + _tail(longest, slots)) / 1e3
    if not math.isfinite(seconds):
        return None
    half = _half_width(parts, total, changed)
    if half is None:
        return Eta(seconds=seconds, jobs_left=jobs_left)
    return Eta(seconds=seconds, low=seconds / half, high=seconds * half, jobs_left=jobs_left)


def _unloaded(loads: Loads | None, seen: Iterable[Work]) -> dict[str, float]:
    """Return what share of its jobs' time was no loading, by plot."""
    if loads is None:
        return {}
    spent: dict[str, float] = {}
    for one in seen:
        spent[one.plot] = spent.get(one.plot, 0.0) + one.ms
    return {
        plot: 1 - min(loads.done.get(plot, 0) * loads.ms / ms, MOST_LOADING)
        for plot, ms in spent.items()
        if ms > 0
    }


def _at_least(age: float, means: Iterable[float]) -> float:
    """Return how long a job of an unknown kind takes that runs for ``age`` ms already."""
    longer = [mean for mean in means if mean > age]
    return sum(longer) / len(longer) if longer else 2 * age


def _noise(seen: Iterable[Work]) -> tuple[float | None, int]:
    """Return the squared CV of jobs of one configuration, and its degrees of freedom; ``None``: none has two jobs."""
    squares, df = 0.0, 0
    for one in seen:
        if one.done > 1 and one.ms > 0:
            squares += max(one.ms2 - one.ms**2 / one.done, 0.0) / one.mean**2
            df += one.done - 1
    return (squares / df, df) if df else (None, 0)


def _own(work: Mapping[str, Work], means: Mapping[str, float], noise: float | None, df: int) -> list[_Part]:
    """The jobs left of configurations that have been measured: each takes its configuration's mean."""
    spread, spread_df = (noise, df) if noise is not None else _cv2(list(means.values()))
    expected = variance = 0.0
    for name, mean in means.items():
        one = work[name]
        expected += one.left * mean
        variance += (one.left**2 / one.done + one.left) * mean**2
    return [_Part(expected, None if spread is None else variance * spread, spread_df)] if expected else []


def _unseen(
    work: Mapping[str, Work], means: Mapping[str, float], supposed: Mapping[str, float], noise: float | None
) -> list[_Part]:
    """The jobs of configurations that have not: of plots begun, then of plots not begun."""
    known = {**means, **supposed}
    by_plot: dict[str, list[float]] = {}
    for name, mean in known.items():
        by_plot.setdefault(work[name].plot, []).append(mean)
    left: dict[str, list[tuple[str, int]]] = {}
    for name, one in work.items():
        if name not in means and one.left:
            left.setdefault(one.plot, []).append((name, one.left))
    within = _pooled(by_plot.values())
    if within[0] is None:
        within = _cv2(list(known.values()))
    plots = [sum(of) / len(of) for of in by_plot.values()]
    parts: list[_Part] = []
    new: list[int] = []
    for plot, members in left.items():
        if plot not in by_plot:
            new.append(sum(jobs for _, jobs in members))
            continue
        mean = sum(by_plot[plot]) / len(by_plot[plot])
        jobs = [n for _, n in members]
        expected = sum(n * supposed.get(name, mean) for name, n in members)
        parts.append(_predicted(expected, mean, jobs, len(by_plot[plot]), within, noise))
    if new:
        between = _cv2(plots)
        mean = sum(plots) / len(plots)
        parts.append(_predicted(mean * sum(new), mean, new, len(plots), between, noise))
    return parts


def _predicted(
    expected: float,
    mean: float,
    jobs: Sequence[int],
    seen: int,
    spread: tuple[float | None, int],
    noise: float | None,
) -> _Part:
    """A sum of ``jobs`` over members not seen, from the mean of ``seen`` others."""
    cv2, df = spread
    if cv2 is None:
        return _Part(expected, None, 0)
    total, squares = sum(jobs), sum(n**2 for n in jobs)
    return _Part(expected, mean**2 * (cv2 * (total**2 / seen + squares) + (noise or 0.0) * total), df)


def _pooled(groups: Iterable[Sequence[float]]) -> tuple[float | None, int]:
    """Return the squared CV of members of one group, and its degrees of freedom."""
    squares, df = 0.0, 0
    for group in groups:
        cv2, of = _cv2(group)
        if cv2 is not None:
            squares, df = squares + cv2 * of, df + of
    return (squares / df, df) if df else (None, 0)


def _cv2(values: Sequence[float]) -> tuple[float | None, int]:
    if len(values) < 2:
        return None, 0
    mean = statistics.fmean(values)
    return (statistics.variance(values) / mean**2, len(values) - 1) if mean > 0 else (None, 0)


def _typical(work: Mapping[str, Work], means: Mapping[str, float]) -> float:
    """Mean time of a job that is met at a random moment, ms: long ones are met more often."""
    weights = [(work[name].left or 1, mean) for name, mean in means.items()]
    total = sum(n * mean for n, mean in weights)
    return sum(n * mean**2 for n, mean in weights) / total if total > 0 else 0.0


def _takers(jobs_left: int, running: int, loads: Loads | None, seen: Iterable[Work]) -> float:
    """Return how many slots there is work for: a plot's jobs are at one slot, of others each can be at its own."""
    if loads is None:
        return jobs_left
    done, ms = (sum(parts) for parts in zip(*((one.done, one.ms) for one in seen), strict=True))
    return math.inf if ms < SHORT_MS * done else max(running + loads.left, 1)


def _tail(job_ms: float, slots: float) -> float:
    """How much later than on average the last of the slots ends, ms: jobs end at random within one job's time."""
    return job_ms * (slots - 1) / (2 * (slots + 1)) if slots > 1 else 0.0


def _half_width(parts: Sequence[_Part], total: float, changed: float) -> float | None:
    """Return the factor from the estimate to the ends of its interval; ``None``: a part's variance is not known."""
    if total <= 0:
        return None
    known = [(part.variance / total**2, part.df) for part in parts if part.variance is not None]
    if len(known) < len(parts) or not 0 < sum(v for v, _ in known) < math.inf:
        return None
    variance = sum(v for v, _ in known) + (CHANGED_SD * changed) ** 2
    share = sum((v / variance) ** 2 / max(of, 1) for v, of in known)
    df = min(1 / share, MOST_DF) if share else MOST_DF
    sd = math.sqrt(math.log1p(variance))
    from scipy import special  # much of a producer's memory: only once there is something to estimate

    exponent = float(special.stdtrit(df, 0.5 + LEVEL / 2)) * sd
    return math.exp(exponent) if exponent < MOST_EXPONENT else None
