"""How often a configuration's calls came to each outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from analysis.models import OutcomeRate
from analysis.table import Calls, known
from contracts.call import Degeneration, Outcome

KINDS: tuple[Degeneration | None, ...] = (*get_args(Degeneration), None)


def outcome_rates(calls: Calls) -> tuple[OutcomeRate, ...]:
    """Count the measured calls by outcome, in the order of the vocabulary; outcomes without a call are left out.

    Degenerate calls are counted by kind.
    """
    counts: Counter[tuple[Outcome, Degeneration | None]] = Counter()
    for (outcome, kind), counted in Counter(zip(calls.judged, calls.degeneration, strict=True)).items():
        counts[outcome, kind if outcome is Outcome.DEGENERATE else None] += counted
    return tuple(
        OutcomeRate(outcome=outcome, degeneration=kind, calls=counted, fraction=counted / len(calls))
        for outcome in Outcome
        for kind in KINDS
        if (counted := counts[outcome, kind])
    )


def outcome_counts(rates: Sequence[OutcomeRate]) -> dict[str, int]:
    """Return outcome → calls, sorted."""
    counts: Counter[str] = Counter()
    for rate in rates:
        counts[rate.outcome.value] += rate.calls
    return dict(sorted(counts.items()))


def suspect_calls(calls: Calls) -> int | None:
    """Count the calls that diagnosed themselves as suspect; ``None`` where none was diagnosed."""
    diagnosed = known(calls.suspect)
    return sum(map(bool, diagnosed)) if diagnosed else None


def suspect_reasons(calls: Calls) -> dict[str, int]:
    """Return reason → calls that name it, in the order of first appearance."""
    return dict(Counter(reason for reasons in calls.suspect if reasons for reason in reasons))


def kinds_words(rates: Sequence[OutcomeRate]) -> str:
    """``short 2, repetition 1``: the degenerate calls by kind."""
    return ", ".join(
        f"{rate.degeneration or 'kind not recorded'} {rate.calls}"
        for rate in rates
        if rate.outcome is Outcome.DEGENERATE
    )
