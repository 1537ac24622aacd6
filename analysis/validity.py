"""Which calls are measurements."""

from __future__ import annotations

from typing import Protocol

from contracts.call import Outcome
from contracts.diagnosis import SUSPECT_PERCENT
from contracts.records import StageRecord

RULE = (
    "A call counts in the valid figures if its outcome is ok or truncated (complete up to the asked length "
    "limit). Where the input gives no outcome, it is inferred: a call whose server counters (tokens, prompt "
    "eval, eval and load time) are all missing or zero is no measurement (aborted: the stream ended without "
    "the server's final record); any other is ok. A recorded outcome stands, except ok or truncated with a "
    "count of 0 tokens and no other counter above zero, which is no measurement either. A suspect call does not "
    "count, whatever its outcome: the worker that timed it found that its own overhead could have changed the "
    f"TTFT or the duration by more than {SUSPECT_PERCENT:g} %, or that a clock jumped."
)


class Counted(Protocol):
    """Anything with the server's counters: a record, or a call made from one."""

    @property
    def tokens(self) -> int | None: ...
    @property
    def prompt_eval_ms(self) -> float | None: ...
    @property
    def eval_ms(self) -> float | None: ...
    @property
    def load_ms(self) -> float | None: ...


def infer_outcome(record: StageRecord) -> tuple[Outcome, str | None, bool]:
    """Return a call's outcome by :data:`RULE`, why it is not ``ok``, and whether it was inferred."""
    if record.outcome is None:
        if is_no_measurement(record):
            return Outcome.ABORTED, _no_final_record(record), True
        return Outcome.OK, None, True
    if record.outcome.valid and record.tokens == 0 and is_no_measurement(record):
        return Outcome.ABORTED, _no_final_record(record), True
    return record.outcome, record.reason, False


def is_no_measurement(counted: Counted) -> bool:
    """Whether the server's counters are all missing or zero."""
    return not any((counted.tokens, counted.prompt_eval_ms, counted.eval_ms, counted.load_ms))


def _no_final_record(record: StageRecord) -> str:
    after = "" if record.response_chars is None else f" after {record.response_chars} characters"
    return f"no final record from the server (all counters missing or zero){after}"
