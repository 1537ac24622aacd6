"""Two results → one comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from analysis.compare.answer import nothing_tested
from analysis.compare.conditions import conditions
from analysis.compare.gates import gate
from analysis.compare.matching import Pair, match, named, would_match
from analysis.compare.models import Allowable, ComparisonOfResults, Condition, Threshold
from analysis.compare.remarks import remarks
from analysis.compare.result import Result
from analysis.comparisons import compare_two, floor_of, typical_spreads, with_holm
from analysis.metrics import METRICS, Metric
from analysis.models import Comparison, ConfigurationSummary, SweepFloor
from analysis.naming import result_name
from contracts.base import content_hash

__all__ = ["Result", "compare_results"]


def compare_results(
    baseline: Result,
    candidate: Result,
    *,
    allow: frozenset[Allowable] = frozenset(),
    thresholds: Sequence[Threshold] = (),
    metrics: Sequence[Metric] = METRICS,
    made_at: datetime,
    chimera: str | None = None,
    command: str = "",
) -> ComparisonOfResults:
    """Compare every matched configuration in each of ``metrics`` that either result has; one family of tests.

    Blocks of two executions are no pairs: they were measured at different times.
    """
    found, left, right = match(baseline.summary.configurations, candidate.summary.configurations, allow)
    pairs = [pair for _, pair in found]
    checked = conditions(baseline, candidate, pairs, allow)
    why_not = tuple(_why_not(baseline, candidate, pairs, checked))
    floor = larger_floor(baseline.summary.floor, candidate.summary.floor)
    comparisons = (
        () if why_not else with_holm(_comparisons(pairs, metrics, floor, _looks(baseline, candidate)))
    )
    gates = () if why_not else tuple(gate(threshold, comparisons) for threshold in thresholds)
    alone = named(left), named(right)
    made = ComparisonOfResults(
        name=_name(baseline, candidate, made_at),
        made_at=made_at,
        chimera=chimera,
        command=command,
        baseline=baseline.provenance,
        candidate=candidate.provenance,
        comparable=not why_not,
        conditions=checked,
        matched=tuple(entry for entry, _ in found),
        only_baseline=alone[0],
        only_candidate=alone[1],
        floor=floor,
        comparisons=comparisons,
        tests=sum(c.p is not None for c in comparisons),
        gates=gates,
        warnings=remarks(baseline, candidate, checked, pairs, alone, gates),
        why_not=why_not,
    )
    return made.model_copy(update={"untested": nothing_tested(made)})


def larger_floor(a: SweepFloor | None, b: SweepFloor | None) -> SweepFloor | None:
    """Return the floor that holds for a difference between both: the larger one, by its parts."""
    known = [floor for floor in (a, b) if floor is not None]
    if not known:
        return None
    return SweepFloor(
        ttft_ms=max(floor.ttft_ms for floor in known),
        rate_percent=max(floor.rate_percent for floor in known),
        slots=tuple(dict.fromkeys(slot for floor in known for slot in floor.slots)),
    )


def _comparisons(
    pairs: Sequence[Pair], metrics: Sequence[Metric], floor: SweepFloor | None, looks: int | None
) -> Iterator[Comparison]:
    agents = dict.fromkeys(a.agent for a, _ in pairs)
    figures = {agent: [c.over_runs for pair in pairs for c in pair if c.agent == agent] for agent in agents}
    spreads = {(agent, m.key): typical_spreads(figures[agent], m) for agent in agents for m in metrics}
    for a, b in pairs:
        for metric in metrics:
            if not (_has(a, metric) or _has(b, metric)):
                continue
            yield compare_two(
                a.over_runs,
                b.over_runs,
                metric,
                baseline=a.config,
                candidate=b.config,
                agent=a.agent,
                floor=floor_of(metric, a, b, floor),
                may_pair=False,
                between_plots=True,  # even of one plot: no load of one execution is a load of the other
                spreads=spreads[a.agent, metric.key],
                looks=looks,
            )


def _looks(baseline: Result, candidate: Result) -> int | None:
    """The most runs of both, where looking at them decided the number of either; ``None``: both were fixed."""
    specs = [result.manifest.spec for result in (baseline, candidate) if result.manifest is not None]
    if all(spec.until_precise is None for spec in specs):
        return None
    return max(spec.most_runs for spec in specs)


def _has(c: ConfigurationSummary, metric: Metric) -> bool:
    return c.over_runs.of(metric.key).n > 0


def _why_not(
    baseline: Result, candidate: Result, pairs: Sequence[Pair], checked: Sequence[Condition]
) -> Iterator[str]:
    if not pairs:
        sides = (("baseline", baseline), ("candidate", candidate))
        held = [
            f"the {side} holds {_some(list(dict.fromkeys(c.config for c in r.summary.configurations)))}"
            for side, r in sides
        ]
        counts = would_match(baseline.summary.configurations, candidate.summary.configurations)
        ways = [f"--allow {name} would match {count}" for name, count in counts.items()]
        yield "; ".join(["no configuration is in both results", *held, *ways])
    for condition in checked:
        if condition.forbids:
            yield (
                f"{condition.what} differs: {_some(condition.baseline)} in the baseline, "
                f"{_some(condition.candidate)} in the candidate (--allow {condition.allow} compares all the same)"
            )


def _some(values: Sequence[str], most: int = 3) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return " and ".join(values[:most]) + more


def _name(baseline: Result, candidate: Result, made_at: datetime) -> str:
    sides = [baseline, candidate]
    sweeps = "-vs-".join(side.summary.sweep or "results" for side in sides)
    models = {model for side in sides for model in side.summary.models}
    digest = content_hash([[side.provenance.title, side.provenance.sweep_id] for side in sides])
    return result_name(sweeps, models, made_at, digest)
