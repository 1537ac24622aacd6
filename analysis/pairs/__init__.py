"""Several agents at the same time: slowdown against the same work alone, shared figures, and the legacy ones.

The run is the unit, as everywhere; figures are of complete runs, in which every agent's stages are valid
([docs/pairs.md](docs/pairs.md)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from analysis.comparisons import compare_two, typical_spreads, with_holm
from analysis.floor import sweep_floor
from analysis.metrics import THROUGHPUT
from analysis.models import Comparison, ConfigurationSummary
from analysis.models.pairs import (
    Fairness,
    IncompleteRun,
    PairAgent,
    PairConfiguration,
    PairRun,
    Slowdown,
)
from analysis.over_runs import Describe
from analysis.pairs.fairness import fairness
from analysis.pairs.groups import Group, Member, groups
from analysis.pairs.legacy import legacy_pair
from analysis.pairs.made_runs import (
    alone_runs,
    as_over_runs,
    client_error,
    loads_of,
    made_run,
    pace_runs,
    together_runs,
    tokens_known,
)
from analysis.pairs.overlap import time_with
from analysis.pairs.slowdown import (
    Conditions,
    Tested,
    comparisons_of,
    contention,
    of_all,
    ratio,
    slowdown,
)
from analysis.statistics.description import Description, describe
from analysis.statistics.estimate import estimate
from analysis.statistics.interval import LAST_LOOK
from contracts.formulas import NS_PER_S
from contracts.manifest import Manifest

ONE_AFTER_THE_OTHER = "one after the other"
"""Name of the baseline of a gain."""


def pairs_of(
    configurations: Sequence[ConfigurationSummary], manifest: Manifest | None
) -> tuple[tuple[PairRun, ...], tuple[PairConfiguration, ...]]:
    """Return the runs of several agents at the same time, and their configurations; empty where there are none."""
    found = list(groups(_in_role_order(configurations, manifest)))
    if not found:
        return (), ()
    until = manifest.spec.until_precise if manifest else None
    conditions = Conditions(
        floor=sweep_floor(manifest.slots if manifest else ()),
        looks=manifest.spec.most_runs if manifest and until else None,
    )
    describe_ = partial(
        describe,
        kind=configurations[0].sd,
        confidence_sequence=until is not None,
        last=until.max if until else LAST_LOOK,
        tails=False,
    )
    tested = _corrected(comparisons_of(found, conditions))
    gains = _gains(found, conditions)
    runs = [[_pair_run(group, run) for run in group.runs] for group in found]
    made = tuple(
        _configuration(group, of_group, tested, gains.get(group.config), describe_)
        for group, of_group in zip(found, runs, strict=True)
    )
    return tuple(run for of_group in runs for run in of_group), made


def _in_role_order(
    configurations: Sequence[ConfigurationSummary], manifest: Manifest | None
) -> list[ConfigurationSummary]:
    """Agents as the sweep file names them; without a manifest as they stand."""
    places = {
        (c.name, role.label): place
        for c in (manifest.configurations if manifest else ())
        for place, role in enumerate(c.agents)
    }
    return sorted(configurations, key=lambda c: places.get((c.config, c.agent), 0))


def _corrected(
    tested: dict[tuple[str, str], tuple[Tested, ...]],
) -> dict[tuple[str, str], tuple[Slowdown, ...]]:
    """All slowdowns of the sweep are one family of tests."""
    settled = iter(with_holm(one.comparison for found in tested.values() for one in found))
    return {
        key: tuple(slowdown(Tested(one.of, next(settled))) for one in found) for key, found in tested.items()
    }


def _gains(found: Sequence[Group], conditions: Conditions) -> dict[str, Comparison]:
    """Configuration → all agents together against one after the other; a family of tests of their own."""
    sides = {}
    for group in found:
        alone = alone_runs(group)
        if alone:
            sides[group.config] = (
                group,
                as_over_runs(alone),
                as_over_runs(together_runs(group)),
            )
    spreads = typical_spreads(
        [one for _, alone, together in sides.values() for one in (alone, together)], THROUGHPUT
    )
    made = [
        compare_two(
            alone,
            together,
            THROUGHPUT,
            baseline=ONE_AFTER_THE_OTHER,
            candidate=group.config,
            agent=", ".join(member.summary.agent for member in group.members),
            floor=client_error(
                conditions.floor.ttft_ms if conditions.floor else None, [*alone.runs, *together.runs]
            ),
            may_pair=True,
            spreads=spreads,
            looks=conditions.looks,
            between_plots=group.several_plots,
        )
        for group, alone, together in sides.values()
    ]
    return dict(zip(sides, with_holm(made), strict=True))


def _pair_run(group: Group, run: int) -> PairRun:
    of_run = group.of_run(run)
    present = [one for one in of_run if one is not None]
    merged = made_run(group, run)
    busy = [one.busy_ns for one in present if one.busy_ns is not None]
    told = len(busy) == len(of_run) and not group.missing and len({one.host for one in present}) == 1
    span_ns = (merged.wall_s or 0.0) * NS_PER_S

    def active(least: int) -> float | None:
        """Rounding of a duration to ms may make it a trifle more than all."""
        return min(time_with(busy, least) / span_ns, 1.0) if told and span_ns else None

    return PairRun(
        config=group.config,
        run=run,
        agents=tuple(m.summary.agent for m in group.members if run in m.runs),
        legacy=legacy_pair([*of_run, *[None] * group.missing]),
        why_incomplete=group.why_incomplete(run),
        wall_s=merged.wall_s,
        tokens=merged.tokens,
        system_tok_s=merged.throughput_tok_s,
        all_active=active(len(of_run)),
        two_active=active(2),
    )


def _configuration(
    group: Group,
    runs: Sequence[PairRun],
    tested: dict[tuple[str, str], tuple[Slowdown, ...]],
    gain: Comparison | None,
    describe_: Describe,
) -> PairConfiguration:
    complete = group.complete
    whole = [run for run in runs if run.why_incomplete is None]
    loads = loads_of(made_run(group, run) for run in complete)
    alone = alone_runs(group)

    def described(values: Iterable[float | None]) -> Description:
        return describe_(values, loads=loads)

    members = tuple(
        _agent(member, complete, tested.get((group.config, member.summary.agent), ()), describe_)
        for member in group.members
    )
    legacy = [run.legacy for run in runs]
    return PairConfiguration(
        config=group.config,
        agents=tuple(member.agent for member in members),
        runs=len(runs),
        efficiency_percent=estimate(one.efficiency_percent for one in legacy).mean,
        speedup=estimate(one.speedup for one in legacy).mean,
        throughput_delta=estimate(one.throughput_delta for one in legacy).mean,
        ttft_delta_ms=estimate(one.ttft_delta_ms for one in legacy).mean,
        runs_planned=group.planned,
        runs_complete=len(complete),
        incomplete=tuple(_incomplete(group)),
        members=members,
        contention=of_all([member.contention for member in members]),
        wall_s=described(run.wall_s for run in whole),
        alone_wall_s=describe_([run.wall_s for run in alone], loads=loads_of(alone)),
        system_tok_s=described(run.system_tok_s for run in whole),
        alone_tok_s=describe_([run.throughput_tok_s for run in alone], loads=loads_of(alone)),
        gain=None if gain is None else ratio(gain),
        gain_comparison=gain,
        all_active=described(run.all_active for run in whole),
        two_active=described(run.two_active for run in whole),
        fairness=_fairness(group, _rates, described),
        fairness_of_pace=_fairness(group, _paces, described),
    )


def _incomplete(group: Group) -> list[IncompleteRun]:
    numbers = {*group.runs, *group.alone_runs, *range(1, (group.planned or 0) + 1)}
    found = []
    for run in sorted(numbers):
        why = group.why_incomplete(run)
        if why is not None:
            found.append(IncompleteRun(run=run, why=why if group.has_record(run) else "no record"))
    return found


def _agent(
    member: Member, complete: Sequence[int], slowdowns: tuple[Slowdown, ...], describe_: Describe
) -> PairAgent:
    c, solo = member.summary, member.solo
    runs = [member.runs[run] for run in complete]
    of_solo = [run for run in solo.over_runs.runs if run.complete] if solo is not None else []
    loads = loads_of(runs)
    verdict, why = contention(slowdowns)
    return PairAgent(
        agent=c.agent,
        model=c.model,
        parameters=c.parameters,
        server=c.server,
        solo=solo.config if solo is not None else None,
        throughput_tok_s=describe_([run.throughput_tok_s for run in runs], loads=loads),
        ttft_ms=describe_([run.ttft_ms for run in runs], loads=loads),
        exec_s=describe_([run.exec_s for run in runs], loads=loads),
        tokens=describe_([run.tokens if tokens_known(c) else None for run in runs], loads=loads),
        solo_tokens=describe_(
            [run.tokens if solo is not None and tokens_known(solo) else None for run in of_solo],
            loads=loads_of(of_solo),
        ),
        slowdowns=slowdowns,
        contention=verdict,
        why=why,
    )


def _fairness(
    group: Group,
    rates_of: Callable[[ConfigurationSummary], dict[int, float | None]],
    described: Callable[[Sequence[float | None]], Description],
) -> Fairness | None:
    together = [rates_of(member.summary) for member in group.members]
    by_run = [[rates.get(run) for rates in together] for run in group.complete]
    means = [estimate(rates).mean for rates in zip(*by_run, strict=True)]
    alone = [
        estimate(rates_of(member.solo).values()).mean if member.solo is not None else None
        for member in group.members
    ]
    return fairness(means, alone, by_run, described)


def _rates(c: ConfigurationSummary) -> dict[int, float | None]:
    """Run → rate, of complete runs."""
    return {run.run: run.throughput_tok_s for run in c.over_runs.runs if run.complete}


def _paces(c: ConfigurationSummary) -> dict[int, float | None]:
    return {run.run: run.throughput_tok_s for run in pace_runs(c, c.over_runs)}
