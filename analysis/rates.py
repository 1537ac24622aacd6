"""How often a configuration's calls came to each outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from analysis.models import Call, OutcomeRate
from contracts.call import Degeneration, Outcome

KINDS: tuple[Degeneration | None, ...] = (*get_args(Degeneration), None)


def outcome_rates(calls: Sequence[Call]) -> tuple[OutcomeRate, ...]:
    """Count the measured calls by outcome, in the order of the vocabulary; outcomes without a call are left out.

    Degenerate calls are counted by kind.
    """
    counts = Counter((call.outcome, call.degeneration) for call in calls)
    return tuple(
        OutcomeRate(outcome=outcome, degeneration=kind, calls=counted, fraction=counted / len(calls))
        for outcome in Outcome
        for kind in KINDS
        if (counted := counts[outcome, kind])
    )


def suspect_calls(calls: Sequence[Call]) -> int | None:
    """Count the calls that diagnosed themselves as suspect; ``None`` where none was diagnosed."""
    diagnosed = [call.suspect for call in calls if call.suspect is not None]
    return sum(bool(reasons) for reasons in diagnosed) if diagnosed else None


def kinds_words(rates: Sequence[OutcomeRate]) -> str:
    """``short 2, repetition 1``: the degenerate calls by kind."""
    return ", ".join(
        f"{rate.degeneration or 'kind not recorded'} {rate.calls}"
        for rate in rates
        if rate.outcome is Outcome.DEGENERATE
    )
