"""How much slower an agent is together than alone, and what that says of contention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from analysis.comparisons import Spreads, compare_two, floor_of, typical_spreads
from analysis.metrics import THROUGHPUT, TTFT, Metric
from analysis.models import Comparison, ConfigurationSummary, OverRuns, SweepFloor
from analysis.models.pairs import Contention, Ratio, Slowdown, SlowdownOf
from analysis.pairs.groups import Group, Member
from analysis.pairs.made_runs import as_over_runs, client_error, pace_runs
from analysis.statistics.interval import Interval

RULE = (
    "A slowdown is a ratio of means over complete runs, of the same agent, model, parameters, server and persona: the rate alone "
    "over the rate together, TTFT together over TTFT alone, and the pace (output tokens per second of the agent's own duration, "
    "with all waiting) alone over together. Above 1 is slower. Runs of a block are pairs, else Welch's test is used; intervals "
    "are Fieller's, at 95 %, of each ratio alone. Slowed down: p after Holm's correction over all slowdowns of the sweep is below "
    "0.05 and the difference is not below the measurement floor. Where none is shown, the slowdown is told that these runs "
    "would have shown with a probability of 80 %."
)
NO_SOLO = "it was not measured alone"


@dataclass(frozen=True)
class Tested:
    """One comparison of an agent together with itself alone, before and after correction."""

    of: SlowdownOf
    comparison: Comparison


@dataclass(frozen=True)
class Conditions:
    """What holds for all comparisons of a sweep."""

    floor: SweepFloor | None
    looks: int | None


def comparisons_of(
    groups: Sequence[Group], conditions: Conditions
) -> dict[tuple[str, str], tuple[Tested, ...]]:
    """Return (configuration, agent) → its comparisons with itself alone, not yet corrected."""
    solos = {id(m.solo): m.solo for group in groups for m in group.members if m.solo is not None}
    paces = {key: as_over_runs(pace_runs(solo, solo.over_runs)) for key, solo in solos.items()}
    sides = [
        _Sides(group, member, member.solo, _together(group, member), paces[id(member.solo)])
        for group in groups
        for member in group.members
        if member.solo is not None
    ]
    made: dict[tuple[str, str], list[Tested]] = {}
    for of in _KINDS:
        metric = TTFT if of == "ttft" else THROUGHPUT
        alone = {id(one.solo): one.alone[of] for one in sides}  # one solo may serve several
        of_sweep = typical_spreads([*alone.values(), *(one.together[of] for one in sides)], metric)
        served: dict[int, list[OverRuns]] = {}
        for one in sides:
            served.setdefault(id(one.solo), []).append(one.together[of])
        spreads = {
            key: _with_pairs(of_sweep, typical_spreads([figures, *served[key]], metric, figures))
            for key, figures in alone.items()
        }
        for one in sides:
            compared = compare_two(
                alone[id(one.solo)],
                one.together[of],
                metric,
                baseline=one.solo.config,
                candidate=one.group.config,
                agent=one.solo.agent,
                floor=one.floor(of, metric, conditions.floor),
                may_pair=True,
                spreads=spreads[id(one.solo)],
                looks=conditions.looks,
                between_plots=one.group.several_plots,
            )
            made.setdefault((one.group.config, one.solo.agent), []).append(Tested(of, compared))
    return {key: tuple(found) for key, found in made.items()}


_KINDS: tuple[SlowdownOf, ...] = ("rate", "ttft", "pace")


class _Sides:
    """An agent's runs together and alone, by what is compared."""

    def __init__(
        self,
        group: Group,
        member: Member,
        solo: ConfigurationSummary,
        together: OverRuns,
        pace_alone: OverRuns,
    ) -> None:
        self.group, self.member, self.solo = group, member, solo
        pace = as_over_runs(pace_runs(member.summary, together))
        self.alone = {"rate": solo.over_runs, "ttft": solo.over_runs, "pace": pace_alone}
        self.together = {"rate": together, "ttft": together, "pace": pace}

    def floor(self, of: SlowdownOf, metric: Metric, floor: SweepFloor | None) -> float | None:
        if of != "pace":
            return floor_of(metric, self.solo, self.member.summary, floor)
        return client_error(floor.ttft_ms if floor else None, [*self.alone[of].runs, *self.together[of].runs])


def _together(group: Group, member: Member) -> OverRuns:
    """A run in which another agent failed is no run of all: this one had the server to itself for a while."""
    whole = frozenset(group.complete)
    runs = member.summary.over_runs.runs
    if all(run.run in whole for run in runs if run.complete):
        return member.summary.over_runs
    left = tuple(run if run.run in whole else replace(run, complete=False) for run in runs)
    return member.summary.over_runs.model_copy(update={"runs": left})


def slowdown(tested: Tested) -> Slowdown:
    """Return the slowdown that a corrected comparison shows."""
    c = tested.comparison
    rising = tested.of == "ttft"
    verdict = _VERDICTS.get(c.verdict, "not known")
    below = "the difference is below the measurement floor" if c.verdict == "below the floor" else None
    return Slowdown(
        of=tested.of,
        ratio=ratio(c) if rising else _inverse(ratio(c)),
        verdict=verdict,
        why=c.why or below,
        detectable=_detectable(c, rising) if verdict == "none shown" else None,
        comparison=c,
    )


_VERDICTS: dict[str, Literal["slowed down", "faster", "none shown", "not known"]] = {
    "worse": "slowed down",
    "better": "faster",
    "no difference shown": "none shown",
    "below the floor": "none shown",
}


def ratio(c: Comparison) -> Ratio | None:
    """Return candidate / baseline with its interval."""
    if c.percent is None:
        return None
    interval = c.percent_interval
    ends = (
        None
        if interval is None
        else Interval(low=1 + interval.low / 100, high=1 + interval.high / 100, method=interval.method)
    )
    return Ratio(value=1 + c.percent / 100, interval=ends)


def contention(slowdowns: Sequence[Slowdown]) -> tuple[Contention, str | None]:
    """Return what an agent's slowdowns say, and why where that is not known.

    None is shown only where all three are known: an agent that waits may be slowed down in its TTFT alone. One that is
    faster together is not slowed down; its figures say so.
    """
    if not slowdowns:
        return "not known", NO_SOLO
    unknown = [s for s in slowdowns if s.verdict == "not known"]
    if any(s.verdict == "slowed down" for s in slowdowns):
        return "slowed down", None
    if not unknown:
        return "none shown", None
    of_why: dict[str, list[str]] = {}
    for one in unknown:
        of_why.setdefault(one.why or "it can't be compared", []).append(NAMES[one.of])
    if len(of_why) == 1 and len(unknown) == len(slowdowns):
        return "not known", next(iter(of_why))
    return "not known", "; ".join(f"{' and '.join(names)}: {why}" for why, names in of_why.items())


NAMES: dict[SlowdownOf, str] = {"rate": "rate", "ttft": "TTFT", "pace": "pace"}


def of_all(agents: Sequence[Contention]) -> Contention:
    """Return what is said of the agents together."""
    if "slowed down" in agents:
        return "slowed down"
    return "not known" if "not known" in agents or not agents else "none shown"


def _with_pairs(of_sweep: Spreads, of_solo: Spreads) -> Spreads:
    """Runs' spreads of the whole sweep; those of differences from the same runs alone."""
    loads = of_sweep.of_loads
    if loads is not None and of_solo.of_loads is not None:
        loads = replace(loads, pairs=of_solo.of_loads.pairs)
    return replace(of_sweep, pairs=of_solo.pairs, of_loads=loads)


def _inverse(made: Ratio | None) -> Ratio | None:
    """``None`` where together there was no rate at all; an interval that reaches 0 has no upper end."""
    if made is None or not made.value > 0:
        return None
    ends = made.interval
    turned = (
        None
        if ends is None or not ends.low > 0
        else Interval(low=1 / ends.high, high=1 / ends.low, method=ends.method)
    )
    return Ratio(value=1 / made.value, interval=turned)


def _detectable(c: Comparison, rising: bool) -> float | None:
    if c.detectable_percent is None:
        return None
    part = c.detectable_percent / 100
    if rising:
        return 1 + part
    return 1 / (1 - part) if part < 1 else None
