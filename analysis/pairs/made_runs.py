"""Runs whose rate is another one than that of their calls: an agent's pace, all agents' together, all one after the other.

They are :class:`analysis.models.RunFigures` like others, with the rate in ``throughput_tok_s`` and the seconds that it is over in
``wall_s``, so that the comparisons of configurations serve for them too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from analysis.models import ConfigurationSummary, OverRuns, RunFigures
from analysis.pairs.groups import Group
from analysis.statistics.description import Description
from contracts.formulas import NS_PER_MS, NS_PER_S

_MS_PER_S = NS_PER_S / NS_PER_MS


def pace_runs(c: ConfigurationSummary, figures: OverRuns) -> list[RunFigures]:
    """Return the complete runs of one agent with its pace: output tokens per second of its own duration."""
    told = tokens_known(c)
    return [_with_rate(run, run.tokens if told else None, run.exec_s) for run in figures.runs if run.complete]


def together_runs(group: Group) -> list[RunFigures]:
    """Return the complete runs of all agents with their common rate: output tokens of all per second of the makespan."""
    return [made_run(group, run) for run in group.complete]


def made_run(group: Group, run: int) -> RunFigures:
    """Return one run of all agents as one; agents without a record take no part, and then nothing is known of tokens."""
    found = [one for one in group.of_run(run) if one is not None]
    told = group.why_incomplete(run) is None and all(tokens_known(m.summary) for m in group.members)
    wall = next((one.wall_s for one in found if one.wall_s is not None), None)
    return _with_rate(_merged(found), _total_tokens(found) if told else None, wall)


def alone_runs(group: Group) -> list[RunFigures]:
    """Return the agents' runs alone as if one followed the other: Σ tokens over Σ durations.

    The runs of one block make one; where blocks are not known, those of one number. Empty where any agent was not measured
    alone.
    """
    solos = [member.solo for member in group.members]
    known = [solo for solo in solos if solo is not None]
    if len(known) < len(solos):
        return []
    complete = [[run for run in solo.over_runs.runs if run.complete] for solo in known]
    by_block = all(run.block is not None for runs in complete for run in runs)
    keyed = [{(run.block if by_block else run.run): run for run in runs} for runs in complete]
    made = []
    for key in sorted(key for key in keyed[0] if key is not None and all(key in other for other in keyed)):
        found = [runs[key] for runs in keyed]
        told = all(map(tokens_known, known))
        durations = [run.exec_s for run in found if run.exec_s is not None]
        seconds = math.fsum(durations) if len(durations) == len(found) else None
        made.append(
            replace(_with_rate(_merged(found), _total_tokens(found) if told else None, seconds), run=key)
        )
    return made


def as_over_runs(runs: Sequence[RunFigures]) -> OverRuns:
    """Return runs as comparisons take them: these read the runs, and no description."""
    nothing = Description.none()
    return OverRuns(
        throughput_tok_s=nothing,
        throughput_method="mean_of_call_rates",
        ttft_ms=nothing,
        runs=tuple(runs),
    )


def loads_of(runs: Iterable[RunFigures]) -> list[tuple[int, str | None] | None]:
    return [run.own_load for run in runs]


def client_error(floor_ttft_ms: float | None, runs: Sequence[RunFigures]) -> float | None:
    """Return the measurement floor of such a rate, tok/s: what the client's error in each call's time makes of it.

    ``None``: no floor is known.
    """
    parts = [
        run.throughput_tok_s * floor_ttft_ms * run.valid_calls / (run.wall_s * _MS_PER_S)
        for run in runs
        if floor_ttft_ms is not None and run.throughput_tok_s is not None and run.wall_s
    ]
    return max(parts, default=None)


def tokens_known(c: ConfigurationSummary) -> bool:
    """Whether every valid call tells its tokens: a sum without some is another figure."""
    return all(stage.tokens.n == stage.ok for stage in c.stages_over_runs)


def _with_rate(run: RunFigures, tokens: int | None, seconds: float | None) -> RunFigures:
    rate = tokens / seconds if tokens is not None and seconds else None
    return replace(run, throughput_tok_s=rate, tokens=tokens, wall_s=seconds, ttft_ms=None)


def _merged(runs: Sequence[RunFigures]) -> RunFigures:
    """The first with what is the same of all."""
    first = runs[0]
    return replace(
        first,
        complete=all(run.complete for run in runs),
        calls=sum(run.calls for run in runs),
        valid_calls=sum(run.valid_calls for run in runs),
        slot=first.slot if all(run.slot == first.slot for run in runs) else None,
        host=first.host if all(run.host == first.host for run in runs) else None,
        pool=first.pool if all(run.pool == first.pool for run in runs) else None,
        block=first.block if all(run.block == first.block for run in runs) else None,
        load=first.load if all(run.load == first.load for run in runs) else None,
    )


def _total_tokens(runs: Sequence[RunFigures]) -> int | None:
    told = [run.tokens for run in runs if run.tokens is not None]
    return sum(told) if len(told) == len(runs) else None
