"""What became of a load, as stages: the load as a whole, and each of its requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from contracts.call import CallResult, Outcome
from contracts.formulas import counted_tokens, itl_mean_ms
from contracts.load import Served, is_served
from contracts.outcome import AskedLoad, StageResult
from contracts.records import LOAD_STAGE, REQUEST_STAGE
from worker.measurement.clock import now_ns
from worker.workloads.prompts.carrier import Carried

NOT_SENT = "not sent: the job's deadline came first"


class WallClock:
    """Turns moments of the monotonic clock into UTC."""

    def __init__(self) -> None:
        self._at, self._ns = datetime.now(UTC), now_ns()

    def at(self, ns: int) -> datetime:
        return self._at + timedelta(microseconds=(ns - self._ns) / 1e3)


def request_stages(asked: AskedLoad, requests: Sequence[Carried], ended_ns: int) -> list[StageResult]:
    """Return a stage for each request, in their order; ``ended_ns``: the end of those that were never sent."""
    wall = WallClock()
    return [_request(asked, number, one, ended_ns, wall) for number, one in enumerate(requests, start=1)]


def _request(asked: AskedLoad, number: int, one: Carried, ended_ns: int, wall: WallClock) -> StageResult:
    call, turn = one.result, one.turn
    of_it: dict[str, int | None] = {"request": number, "due_ns": one.due_ns}
    if turn is not None:
        of_it |= {"turn": turn.number, "input_tokens": turn.input_tokens, "output_tokens": turn.output_tokens}
    return StageResult(
        stage=REQUEST_STAGE,
        asked=asked.model_copy(update=of_it),
        outcome=Outcome.TIMEOUT if call is None else call.outcome,
        reason=NOT_SENT if call is None else call.reason,
        started_at=wall.at(one.due_ns),
        started_ns=one.due_ns,
        ended_ns=max(one.due_ns, ended_ns if call is None else call.timing.end_ns),
        call=call,
    )


def load_stage(
    asked: AskedLoad, begin_ns: int, requests: Sequence[StageResult], notes: Sequence[str]
) -> StageResult:
    """Return the stage of the load as a whole: ``ok`` if any request is valid, else what most of them are."""
    outcome, reasons = _judged(requests)
    return StageResult(
        stage=LOAD_STAGE,
        asked=asked,
        outcome=outcome,
        reason="; ".join([*reasons, *notes]) or None,
        started_at=WallClock().at(begin_ns),
        started_ns=begin_ns,
        ended_ns=max([begin_ns, *(request.ended_ns for request in requests)]),
    )


def lost_load(asked: AskedLoad, reason: str) -> StageResult:
    """Return the stage of a load that could not begin."""
    at_ns = now_ns()
    return StageResult(
        stage=LOAD_STAGE,
        asked=asked,
        outcome=Outcome.LOST,
        reason=reason,
        started_at=datetime.now(UTC),
        started_ns=at_ns,
        ended_ns=at_ns,
    )


def _judged(requests: Sequence[StageResult]) -> tuple[Outcome, list[str]]:
    if any(request.outcome.valid for request in requests):
        return Outcome.OK, []
    if not requests:
        return Outcome.TIMEOUT, []
    outcome, count = Counter(request.outcome for request in requests).most_common(1)[0]
    first = next(request for request in requests if request.outcome is outcome)
    return outcome, [f"{count} of {len(requests)} requests: {first.reason or outcome.value}"]


def served(request: StageResult) -> Served:
    """Return a request as :mod:`contracts.load` takes it."""
    assert request.asked is not None and request.asked.due_ns is not None
    call, due_ns = request.call, request.asked.due_ns
    if call is None:
        return Served(due_ns, None, None, request.ended_ns, None, None, ok=False)
    return _served(due_ns, call)


def _served(due_ns: int, call: CallResult) -> Served:
    timing = call.timing
    tokens, _ = counted_tokens(timing, call.counters)
    return Served(
        due_ns=due_ns,
        sent_ns=timing.sent_ns,
        first_ns=timing.text_ns[0] if timing.text_ns else None,
        end_ns=timing.end_ns,
        tokens=tokens,
        itl_ms=itl_mean_ms(timing, tokens),
        ok=is_served(call.outcome),
    )
