"""What a reader of a comparison must know beside its figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from analysis.compare.matching import Pair, named
from analysis.compare.models import Condition, Gate, Unmatched
from analysis.compare.result import Result
from analysis.formatting import plural
from analysis.models import ConfigurationSummary
from analysis.statistics.estimate import estimate

TOKENS_PERCENT = 5.0
"""Answers that differ more in length are named: duration and energy follow the length, and rates may."""
_MOST = 3


def remarks(
    baseline: Result,
    candidate: Result,
    conditions: Sequence[Condition],
    pairs: Sequence[Pair],
    alone: tuple[Sequence[Unmatched], Sequence[Unmatched]],
    gates: Sequence[Gate],
) -> tuple[str, ...]:
    """Return one sentence each, the gravest first."""
    return (
        *_gates(gates),
        *_unknown(conditions),
        *_differing(conditions),
        *_same_execution(baseline, candidate),
        *_empty(pairs),
        *_lost(pairs),
        *_suspect(pairs),
        *_alone(*alone),
        *_lengths(pairs),
        *_floor(baseline, candidate),
    )


def _gates(gates: Iterable[Gate]) -> Iterator[str]:
    for gate in gates:
        text = gate.threshold.text
        if gate.tested and gate.untested:
            yield f"--fail-on {text} was not checked in {_names(gate.untested)}: the metric could not be tested there"
        if gate.blunt:
            yield (
                f"--fail-on {text} is blunt in {_names(gate.blunt)}: so few runs would have shown only a larger "
                "difference; more runs sharpen it"
            )


def _unknown(conditions: Iterable[Condition]) -> Iterator[str]:
    unknown: dict[str, list[str]] = {}
    for condition in conditions:
        if condition.state == "not known" and condition.allow is not None:
            sides = (("baseline", condition.baseline), ("candidate", condition.candidate))
            without = " and ".join(name for name, values in sides if not values)
            unknown.setdefault(without, []).append(condition.what)
    for without, whats in unknown.items():
        yield f"not known of {without}, and so not checked to be the same: {', '.join(whats)}"


def _differing(conditions: Iterable[Condition]) -> Iterator[str]:
    for condition in conditions:
        if condition.state == "differs" and (condition.allowed or condition.allow is None):
            allowed = f" (--allow {condition.allow})" if condition.allowed else ""
            yield f"{condition.what} differs{allowed}: {_values(condition.baseline)} against {_values(condition.candidate)}"


def _same_execution(baseline: Result, candidate: Result) -> Iterator[str]:
    execution = baseline.provenance.execution
    if execution is not None and execution == candidate.provenance.execution:
        yield "both results are of the same execution: what is compared is a result with itself"


def _empty(pairs: Sequence[Pair]) -> Iterator[str]:
    for side, configurations in _sides(pairs):
        names = named([c for c in configurations if not c.runs_complete])
        if names:
            yield f"the {side} has no complete run of {_names(names)}: nothing of it could be tested"


def _suspect(pairs: Sequence[Pair]) -> Iterator[str]:
    counts = [(side, sum(c.suspect_calls or 0 for c in cs)) for side, cs in _sides(pairs)]
    if any(number for _, number in counts):
        told = " and ".join(f"{number} of the {side}" for side, number in counts)
        yield f"suspect calls are in no figure, and a run with one is not complete: {told}"


def _sides(pairs: Sequence[Pair]) -> tuple[tuple[str, list[ConfigurationSummary]], ...]:
    return ("baseline", [a for a, _ in pairs]), ("candidate", [b for _, b in pairs])


def _lost(pairs: Iterable[Pair]) -> Iterator[str]:
    fewer = [(a, b) for a, b in pairs if 0 < _share(b) < _share(a)]
    if fewer:
        counts = [f"{b.config} ({b.agent}) {_complete(b)} after {_complete(a)}" for a, b in fewer[:_MOST]]
        yield (
            "the candidate completed fewer of its runs, and what failed is in no figure: "
            f"{'; '.join(counts)}{_more(len(fewer))}"
        )


def _alone(baseline: Sequence[Unmatched], candidate: Sequence[Unmatched]) -> Iterator[str]:
    for side, names in (("baseline", baseline), ("candidate", candidate)):
        if names:
            yield f"only the {side} holds {_names(names)}: not compared"


def _lengths(pairs: Iterable[Pair]) -> Iterator[str]:
    differing = []
    for a, b in pairs:
        x, y = _tokens(a), _tokens(b)
        if x and y is not None and abs(y - x) > TOKENS_PERCENT / 100 * x:
            differing.append(f"{b.config} ({b.agent}) {100 * (y - x) / x:+.1f} %")
    if differing:
        yield (
            "the candidate's answers are of another length, so that durations are not of the same work: "
            f"{', '.join(differing[:_MOST])}{_more(len(differing))}"
        )


def _floor(baseline: Result, candidate: Result) -> Iterator[str]:
    missing = [
        name
        for name, result in (("baseline", baseline), ("candidate", candidate))
        if result.summary.floor is None
    ]
    if missing:
        yield (
            f"the measurement floor of {' and '.join(missing)} is not known: a small difference of client times may "
            "be the client's own"
        )


def _tokens(c: ConfigurationSummary) -> float | None:
    return estimate(run.tokens for run in c.over_runs.runs if run.complete).mean


def _share(c: ConfigurationSummary) -> float:
    return c.runs_complete / _of(c) if _of(c) else 0.0


def _of(c: ConfigurationSummary) -> int:
    return c.runs if c.runs_planned is None else c.runs_planned


def _complete(c: ConfigurationSummary) -> str:
    return f"{c.runs_complete} of {_of(c)}"


def _names(names: Sequence[Unmatched]) -> str:
    if len(names) > _MOST:
        return f"{plural(len(names), 'configuration')} ({', '.join(n.config for n in names[:_MOST])}, …)"
    return ", ".join(f"{n.config} ({n.agent})" for n in names)


def _values(values: Sequence[str]) -> str:
    return " and ".join(values[:_MOST]) + _more(len(values))


def _more(number: int) -> str:
    return f" and {number - _MOST} more" if number > _MOST else ""
