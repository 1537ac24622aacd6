"""The requests of one load of one run → its figures."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from statistics import median

from analysis.load.quantiles import spread
from analysis.models.load import LoadStep, Spread
from analysis.rows import Row
from analysis.table import Values, known, place
from contracts.call import Outcome
from contracts.formulas import NS_PER_MS
from contracts.load import Served, is_served, latency_ms, step_figures, ttft_ms
from contracts.workloads import PromptsWorkload, SaturationSearch

ATTAINMENT: float = SaturationSearch().attainment
"""Part of the requests that must keep an SLO, for the server to keep up, where no search says it."""
NOBODY = "nobody"
"""The source of a token count that there is not."""
NOT_RECORDED = "not recorded"
"""The source of a count of which nothing tells who made it: foreign data."""

_SENT, _DUE, _STARTED, _ENDED, _TTFT, _DURATION = (
    place(name) for name in ("sent_ns", "due_ns", "started_ns", "ended_ns", "ttft_ms", "total_duration_ms")
)
_TOKENS, _SOURCE, _PROMPT, _ITL = (
    place(name) for name in ("tokens", "tokens_source", "prompt_tokens", "itl_mean_ms")
)
_JUDGED, _VALID, _SUSPECT, _COLD = (place(name) for name in ("judged", "valid", "suspect", "cold"))
_CONCURRENCY, _RATE = (Row._fields.index(name) for name in ("asked_concurrency", "asked_rate"))
_PARAMETERS, _OUTCOME, _REASON = (Row._fields.index(name) for name in ("parameters", "outcome", "reason"))


def load_step(
    step: int, loads: Sequence[Values], requests: Sequence[Values], workload: PromptsWorkload | None
) -> LoadStep:
    """Return the figures of one load.

    Args:
        loads: its rows of the stage ``load``, one or none.
        requests: its requests, as judged (:class:`analysis.table.Calls`).
        workload: what was asked; ``None``: not known, and then there is no goodput.
    """
    concurrency, rate = _asked([*loads, *requests])
    placed = [(row, one) for row in requests if (one := served(row)) is not None]
    rows, all_served = [row for row, _ in placed], [one for _, one in placed]
    asked: LoadStep = LoadStep(
        step=step,
        concurrency=concurrency,
        rate=rate,
        requests=len(placed),
        unplaced=len(requests) - len(placed),
    )
    if asked.over is None:
        return asked
    found = step_figures(
        all_served,
        concurrency=concurrency,
        slo=workload.slo if workload else None,
        attainment=attainment_of(workload),
    )
    cut = _cut(loads)
    # A closed loop without an SLO has no queue that could grow: its users wait.
    is_a_question = concurrency is None or (workload is not None and workload.slo is not None)
    answered = [i for i in found.counted if all_served[i].ok]
    timed = [i for i in answered if rows[i][_VALID]]
    degenerate = [i for i in answered if rows[i][_JUDGED] is Outcome.DEGENERATE]
    sources = Counter(
        NOBODY if rows[i][_TOKENS] is None else rows[i][_SOURCE] or NOT_RECORDED for i in answered
    )
    return LoadStep(
        step=step,
        concurrency=concurrency,
        rate=rate,
        requests=asked.requests,
        unplaced=asked.unplaced,
        counted=len(found.counted),
        failed=dict(Counter(rows[i][_JUDGED].value for i in found.counted if not all_served[i].ok)),
        degenerate=len(degenerate),
        suspect=len(answered) - len(degenerate) - len(timed),
        cold=sum(rows[i][_COLD] is True for i in timed),
        window_s=found.window_s,
        offered_rate=found.offered_rate,
        achieved_rate=found.achieved_rate,
        achieved_concurrency=found.achieved_concurrency,
        output_tok_s=found.output_tok_s,
        backlog_growth=found.backlog_growth,
        good=found.good,
        goodput=found.goodput,
        keeps_up=None if (cut and found.keeps_up) or not is_a_question else found.keeps_up,
        cut=cut,
        ttft_due_ms=spread(ttft_ms(all_served[i], from_due=True) for i in timed),
        ttft_sent_ms=spread(ttft_ms(all_served[i], from_due=False) for i in timed),
        itl_ms=spread(rows[i][_ITL] for i in timed),
        latency_due_ms=spread(latency_ms(all_served[i], from_due=True) for i in timed),
        latency_sent_ms=spread(latency_ms(all_served[i], from_due=False) for i in timed),
        own_late_ms=_own_delay(all_served, found.counted, concurrency, workload),
        tokens_sources=dict(sources),
        prompt_tokens=_median([rows[i][_PROMPT] for i in answered]),
        output_tokens=_median([rows[i][_TOKENS] for i in answered]),
    )


def attainment_of(workload: PromptsWorkload | None) -> float | None:
    """Return the part of the requests that must keep the SLO; ``None``: there is none."""
    if workload is None or workload.slo is None:
        return None
    return workload.search.attainment if workload.search else ATTAINMENT


def served(row: Values) -> Served | None:
    """Return one judged request as the formulas read it; ``None``: it does not tell when it was due and ended.

    Times of a record are from its sending, so that the moments are made of them again, to the nanosecond.
    """
    took, first = row[_DURATION], row[_TTFT]
    sent = row[_SENT]
    if sent is None and (took is not None or first is not None):  # foreign data may tell the start only
        sent = row[_STARTED]
    due = row[_DUE] if row[_DUE] is not None else sent
    end = row[_ENDED] if sent is None or took is None else sent + round(took * NS_PER_MS)
    if due is None or end is None:
        return None
    return Served(
        due_ns=due,
        sent_ns=sent,
        first_ns=None if sent is None or first is None else sent + round(first * NS_PER_MS),
        end_ns=end,
        tokens=row[_TOKENS],
        itl_ms=row[_ITL],
        ok=is_served(row[_JUDGED]),
    )


def _own_delay(
    requests: Sequence[Served],
    counted: Sequence[int],
    concurrency: int | None,
    workload: PromptsWorkload | None,
) -> Spread:
    """Sent less due, where it was not the limit of requests at a time that held the request back.

    The limit is reached for a request if as many that were due before it had not ended when it was due. Nothing is told of an
    open loop whose limit is not known.
    """
    if concurrency is None and workload is None:
        return Spread()
    late = {
        i: (sent - requests[i].due_ns) / NS_PER_MS
        for i in counted
        if (sent := requests[i].sent_ns) is not None
    }
    if concurrency is not None or workload is None:
        return spread(late.values())
    order = sorted(range(len(requests)), key=lambda i: requests[i].due_ns)
    ends = sorted(one.end_ns for one in requests)
    return spread(
        late[i]
        for earlier, i in enumerate(order)
        if i in late and earlier - bisect_right(ends, requests[i].due_ns) < workload.max_in_flight
    )


def _asked(rows: Sequence[Values]) -> tuple[int | None, float | None]:
    """The asked concurrency, or the rate, by the first row that tells; else by the configuration's parameters.

    Parameters of foreign data may be any numbers: one that can't be such a load tells none.
    """
    for row in rows:
        if row[_CONCURRENCY] is not None:
            return row[_CONCURRENCY], None
        if row[_RATE] is not None:
            return None, row[_RATE]
    for row in rows:
        given = row[_PARAMETERS] or {}
        users, rate = given.get("concurrency"), given.get("rate")
        if users is not None and users >= 1 and users == int(users):
            return int(users), None
        if rate is not None and rate > 0:
            return None, float(rate)
    return None, None


def _cut(loads: Sequence[Values]) -> str | None:
    """Why not all of a load was sent that was to be: a load that was carried out gives no other reason."""
    for row in loads:
        if row[_OUTCOME] is not None and Outcome(row[_OUTCOME]).valid and row[_REASON]:
            return str(row[_REASON])
    return None


def _median(counts: Sequence[int | None]) -> float | None:
    told = known(counts)
    return float(median(told)) if told else None
