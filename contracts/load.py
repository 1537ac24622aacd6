"""The formulas of a load: which of its requests count, what was achieved, and whether the server kept up.

Both sides use them: the worker, while it looks for the saturation point, and the analysis. Times are integer
nanoseconds of one clock; ``None`` is what never happened or is not known.

**Ramp rule.** A closed loop is at its load from when each of its first ``concurrency`` requests has ended until the last
request is sent. An open loop counts from when the requests due in the first tenth of its schedule (first to last scheduled time)
have ended, but from half of it at the latest, until the last scheduled time.
Requests that are *due* in that window count for latencies, and what happens within it for rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from contracts.call import Outcome
from contracts.formulas import NS_PER_MS, NS_PER_S
from contracts.workloads import Slo

OPEN_RAMP = 0.1
"""The requests due in this part of an open loop's schedule are its ramp-up: when they have ended, as many requests run at a time
as the rate makes run. Without that the first answers' length would look like a backlog that grows."""
LATEST_BEGIN = 0.5
"""Part of the schedule after which an open loop counts whatever has ended: beyond what it can serve, nothing ends in time."""
LONGER = 2.0
"""Of a schedule that is shorter than twice its first answers: so much longer the last ones take where it is more than can be served."""
BACKLOG_SHARE = 0.05
BACKLOG_MIN = 2.0
BACKLOG_LUCK = 2.0
"""A server keeps up where its backlog grows over the window by no more than this part of the requests that were due in it, or
by so many and BACKLOG_LUCK times the root of twice the usual backlog, whichever is more. Of a long load that is the part by which it
may lie above what the server can do; the root is for luck: the number of requests that arrive by themselves and are under way varies
by about its own root (Poisson), a difference of two such numbers by the root of twice it."""
MOST_FAILED = 0.01
"""And where no more than this part of them failed."""

RULE = (
    "Ramp-up and ramp-down are cut. A closed loop counts from when each of its first requests (as many as run at a time) has "
    f"ended until the last is sent; an open loop from when the requests due in the first {OPEN_RAMP:.0%} of its schedule have ended "
    f"(from {LATEST_BEGIN:.0%} of it at the latest) until the last scheduled time. Requests due "
    "in that window count for latencies; rates are of what happens in it, where a request's tokens are taken as spread evenly "
    "from its first token to its end. Under an open loop latencies are from the scheduled time: a client that waits with a request "
    "because the server is slow must not hide it (coordinated omission); those from the sending are shown beside them."
)
KEEPS_UP = (
    "A server keeps up with a load where the backlog (requests due and not ended) grows over the window by no more than "
    f"{BACKLOG_SHARE:.0%} of the requests due in it, or {BACKLOG_MIN:g} and {BACKLOG_LUCK:g} times the root of twice the usual backlog, whichever "
    f"is more, no more than {MOST_FAILED:.0%} of them fail, and, where there is an SLO, the asked part of them keeps it. Of an open loop "
    f"that is over before the answers to its first {OPEN_RAMP:.0%} have come by half of it, the backlog says nothing: it is told only that the "
    f"server does not keep up, where the last answers take more than {LONGER:g} times as long as the first. Of a closed loop without an "
    "SLO that is no question: it has no queue that could grow."
)


@dataclass(frozen=True, slots=True)
class Served:
    """One request of a load, whatever became of it."""

    due_ns: int
    sent_ns: int | None
    """``None``: it was never sent, as is ``first_ns`` for one without a first token."""
    first_ns: int | None
    end_ns: int
    tokens: int | None
    itl_ms: float | None
    """Mean inter-token latency."""
    ok: bool
    """It was served: :func:`is_served`."""


@dataclass(frozen=True, slots=True)
class StepFigures:
    """One load as measured, over its window. Latencies are in the order of ``counted``."""

    window_s: float | None
    """``None``: there is no window (too few requests), and then no figure."""
    requests: int
    """All, with those of the ramps."""
    counted: tuple[int, ...] = ()
    """Places of the requests that were due in the window, failed ones too."""
    failed: int = 0
    """Of these."""
    offered_rate: float | None = None
    """Requests due per second, between the first and the last that were due in the window: an open loop's asked rate, but for the
    luck of the draw."""
    achieved_rate: float | None = None
    """Requests that ended well in the window, per second."""
    achieved_concurrency: float | None = None
    """Mean number of requests that were sent and had not ended."""
    output_tok_s: float | None = None
    """Output tokens per second of all requests that were served; ``None`` where one of them does not tell its tokens."""
    backlog_growth: int | None = None
    """Requests due and not ended at the window's end, less those at its beginning."""
    good: int | None = None
    """Counted requests that keep the SLO; ``None``: there is none. A failed one does not keep it."""
    goodput: float | None = None
    """Requests that keep it and ended in the window, per second: never more than ``achieved_rate``."""
    keeps_up: bool | None = None


def is_served(outcome: Outcome) -> bool:
    """Whether a request came to its end: valid, or whole with a degenerate text.

    What a text is worth says nothing of the load that a server keeps up with; degenerate answers are counted by their name.
    """
    return outcome.valid or outcome is Outcome.DEGENERATE


def window(requests: Sequence[Served], concurrency: int | None) -> tuple[int, int] | None:
    """Return begin and end of the time at full load, ns; ``None``: there is none. ``concurrency``: of a closed loop."""
    if not requests:
        return None
    if concurrency is None:
        first, last = min(r.due_ns for r in requests), max(r.due_ns for r in requests)
        full, latest = _full_ns(requests)
        begin, end = max(first + round((last - first) * OPEN_RAMP), min(full, latest)), last
    else:
        sent = sorted((r for r in requests if r.sent_ns is not None), key=lambda r: r.sent_ns or 0)
        if len(sent) <= concurrency:
            return None
        begin, end = max(r.end_ns for r in sent[:concurrency]), sent[-1].sent_ns or 0
    return (begin, end) if end > begin else None


def step_figures(
    requests: Sequence[Served],
    *,
    concurrency: int | None,
    slo: Slo | None,
    attainment: float | None = None,
) -> StepFigures:
    """Return what one load came to.

    Args:
        concurrency: requests at a time of a closed loop; ``None``: the loop is open.
        attainment: part of the counted requests that must keep the SLO, for the server to keep up; ``None``: an SLO takes no
            part in that.
    """
    found = window(requests, concurrency)
    if found is None:
        return StepFigures(None, len(requests))
    begin, end = found
    span_s = (end - begin) / NS_PER_S
    counted = tuple(i for i, r in enumerate(requests) if begin <= r.due_ns <= end)
    ended = sum(r.ok and begin < r.end_ns <= end for r in requests)
    failed = sum(not requests[i].ok for i in counted)
    backlog = _backlog(requests, begin)
    growth = _backlog(requests, end) - backlog
    # Arrivals of their own make the number that is due and not ended vary by about its root; a difference of two by more.
    usual = math.fsum(_overlap(r.due_ns, r.end_ns, begin, end) for r in requests) / (end - begin)
    luck = BACKLOG_MIN + BACKLOG_LUCK * math.sqrt(2 * max(usual, backlog))
    holds: bool | None = growth <= max(BACKLOG_SHARE * len(counted), luck)
    if concurrency is None and _is_short(requests):
        holds = _holds_of_short(requests)
    good = (
        None if slo is None else sum(is_good(requests[i], slo, from_due=concurrency is None) for i in counted)
    )
    well = 0
    if slo is not None:
        well = sum(
            begin < r.end_ns <= end and is_good(r, slo, from_due=concurrency is None) for r in requests
        )
    return StepFigures(
        window_s=span_s,
        requests=len(requests),
        counted=counted,
        failed=failed,
        offered_rate=_rate([requests[i].due_ns for i in counted]),
        achieved_rate=ended / span_s,
        achieved_concurrency=sum(_overlap(r.sent_ns, r.end_ns, begin, end) for r in requests) / (end - begin),
        output_tok_s=_output_rate(requests, begin, end),
        backlog_growth=growth,
        good=good,
        goodput=None if slo is None else well / span_s,
        keeps_up=_keeps_up(len(counted), failed, good, attainment, holds),
    )


def ttft_ms(request: Served, *, from_due: bool) -> float | None:
    """Time to first token from the scheduled time, or from the sending."""
    start = request.due_ns if from_due else request.sent_ns
    return None if request.first_ns is None or start is None else (request.first_ns - start) / NS_PER_MS


def latency_ms(request: Served, *, from_due: bool) -> float | None:
    """Time to the end of the answer from the scheduled time, or from the sending."""
    start = request.due_ns if from_due else request.sent_ns
    return None if start is None else (request.end_ns - start) / NS_PER_MS


def is_good(request: Served, slo: Slo, *, from_due: bool) -> bool:
    """Whether a request keeps every limit; one that failed, or does not tell what is asked about, does not."""
    if not request.ok:
        return False
    told = (
        (slo.ttft_ms, ttft_ms(request, from_due=from_due)),
        (slo.itl_ms, request.itl_ms),
        (slo.latency_ms, latency_ms(request, from_due=from_due)),
    )
    return all(limit is None or (value is not None and value <= limit) for limit, value in told)


def _keeps_up(
    counted: int, failed: int, good: int | None, attainment: float | None, holds: bool | None
) -> bool | None:
    """``holds``: the backlog did not grow; ``None``: that can't be told."""
    if not counted:
        return None
    slo_missed = attainment is not None and good is not None and good < attainment * counted
    return False if failed > MOST_FAILED * counted or slo_missed else holds


def _full_ns(requests: Sequence[Served]) -> tuple[int, int]:
    """Return when the requests due in the first part of an open loop's schedule had ended, and the latest begin of its window."""
    first, last = min(r.due_ns for r in requests), max(r.due_ns for r in requests)
    ramp = first + round((last - first) * OPEN_RAMP)
    return max(r.end_ns for r in requests if r.due_ns <= ramp), first + round((last - first) * LATEST_BEGIN)


def _is_short(requests: Sequence[Served]) -> bool:
    """Whether a schedule is so short beside its first answers that a backlog says nothing: they are all still under way."""
    full, latest = _full_ns(requests)
    return full > latest


def _holds_of_short(requests: Sequence[Served]) -> bool | None:
    """``False`` where the last answers took more than :data:`LONGER` times as long as the first ones; else it can't be told."""
    order = sorted(requests, key=lambda r: r.due_ns)
    part = max(1, round(len(order) * OPEN_RAMP))
    first, last = (median(r.end_ns - r.due_ns for r in some) for some in (order[:part], order[-part:]))
    return False if last > LONGER * first else None


def _rate(times_ns: Sequence[int]) -> float | None:
    """Arrivals per second: the gaps between the first and the last, over their time."""
    lasted = max(times_ns) - min(times_ns) if times_ns else 0
    return (len(times_ns) - 1) / (lasted / NS_PER_S) if lasted else None


def _backlog(requests: Sequence[Served], at: int) -> int:
    return sum(r.due_ns <= at < r.end_ns for r in requests)


def _overlap(start: int | None, stop: int, begin: int, end: int) -> int:
    return 0 if start is None else max(0, min(stop, end) - max(start, begin))


def _output_rate(requests: Sequence[Served], begin: int, end: int) -> float | None:
    parts: list[float] = []
    for r in requests:
        if (
            not r.ok
            or r.first_ns is None
            or not _overlap(r.first_ns, max(r.end_ns, r.first_ns + 1), begin, end)
        ):
            continue
        if r.tokens is None:
            return None
        lasted = max(r.end_ns - r.first_ns, 1)
        parts.append(r.tokens * _overlap(r.first_ns, r.first_ns + lasted, begin, end) / lasted)
    return math.fsum(parts) / ((end - begin) / NS_PER_S)
