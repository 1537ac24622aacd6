"""Which calls are measurements."""

from __future__ import annotations

from typing import Protocol

from contracts.call import Outcome
from contracts.diagnosis import SUSPECT_PERCENT

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


def infer_outcome(
    outcome: Outcome | None, reason: str | None, tokens: int | None, *, nothing: bool, chars: int | None
) -> tuple[Outcome, str | None, bool]:
    """Return a call's outcome by :data:`RULE`, why it is not ``ok``, and whether it was inferred.

    Args:
        outcome: as recorded, as is ``reason``.
        nothing: :func:`is_no_measurement`.
        chars: length of the answer, where that is known.
    """
    if outcome is None:
        return (Outcome.ABORTED, _no_final_record(chars), True) if nothing else (Outcome.OK, None, True)
    if tokens == 0 and nothing and outcome.valid:
        return Outcome.ABORTED, _no_final_record(chars), True
    return outcome, reason, False


def is_no_measurement(counted: Counted) -> bool:
    """Whether the server's counters are all missing or zero."""
    return not any((counted.tokens, counted.prompt_eval_ms, counted.eval_ms, counted.load_ms))


def _no_final_record(chars: int | None) -> str:
    after = "" if chars is None else f" after {chars} characters"
    return f"no final record from the server (all counters missing or zero){after}"
