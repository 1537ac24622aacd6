"""All runs of several agents under one configuration: each agent's figures, and those that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

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
from analysis.pairs.groups import Group, Member
from analysis.pairs.made_runs import alone_runs, loads_of, made_run, pace_runs, tokens_known
from analysis.pairs.slowdown import contention, of_all, ratio
from analysis.statistics.description import Description
from analysis.statistics.estimate import estimate


def pair_configuration(
    group: Group,
    runs: Sequence[PairRun],
    tested: dict[tuple[str, str], tuple[Slowdown, ...]],
    gain: Comparison | None,
    describe_: Describe,
) -> PairConfiguration:
    """Return what all runs of a group came to.

    ``tested``: (configuration, agent) → its slowdowns; ``gain``: together against one after the other.
    """
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
