"""The run as the unit of replication: one figure per run, then estimates over runs."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from analysis.load.runs import load_run_figures
from analysis.models import OverRuns, RunFigures, StageOverRuns, ThroughputMethod
from analysis.models.calls import own_load
from analysis.rows import Sampled, time_of
from analysis.statistics.description import Description
from analysis.statistics.estimate import SdKind, estimate
from analysis.statistics.total import total_count, total_float
from analysis.table import Calls, Columns, Values, first_known, known, place
from contracts.formulas import NS_PER_MS, NS_PER_S
from contracts.records import LOAD_STAGE, REQUEST_STAGE
from contracts.telemetry import joules_per_token
from contracts.workloads import PromptsWorkload, Workload

_MS_PER_S = NS_PER_S / NS_PER_MS

NO_RECORD = "no record"
SUSPECT = "suspect"


class Describe(Protocol):
    """How figures over runs are described: with which sd, and whether the number of runs was fixed beforehand."""

    def __call__(
        self,
        values: Iterable[float | None],
        *,
        loads: Sequence[Hashable | None] | None = None,
        tails: bool = True,
    ) -> Description: ...


_VALID, _COLD, _SUSPECT, _SAMPLED = place("valid"), place("cold"), place("suspect"), place("sampled")
_RATE, _TTFT, _ITL, _DURATION = (
    place(name) for name in ("throughput_tok_s", "ttft_ms", "itl_mean_ms", "total_duration_ms")
)
_TOKENS, _EVAL_TOKENS, _EVAL_MS, _SOURCE = (
    place(name) for name in ("tokens", "eval_tokens", "eval_ms", "throughput_source")
)
_SLOT, _POOL, _HOST, _BLOCK, _LOAD, _STARTED = (
    place(name) for name in ("slot", "pool", "host", "block", "load", "started_us")
)
_EXEC, _WALL, _SENT = (place(name) for name in ("exec_s", "wall_s", "sent_ns"))
_ENERGY, _THROTTLED = Sampled._fields.index("energy_j"), Sampled._fields.index("throttled")


def throughput_method(stages: Columns, valid: Calls) -> ThroughputMethod:
    """One method for all runs of a configuration: figures by different methods can't be averaged."""
    if LOAD_STAGE in stages.stage or REQUEST_STAGE in stages.stage:
        return "output_over_window"
    timed = all(
        decode_ms and (covered is not None or (source != "client" and tokens is not None))
        for decode_ms, covered, source, tokens in zip(
            valid.eval_ms, valid.eval_tokens, valid.throughput_source, valid.tokens, strict=True
        )
    )
    return "tokens_over_eval_time" if timed else "mean_of_call_rates"


def run_figures(
    calls: Calls,
    method: ThroughputMethod,
    complete: frozenset[int],
    stages: Columns | None = None,
    workload: Workload | None = None,
) -> tuple[RunFigures, ...]:
    """Return one figure a run of every metric, in the order of the runs.

    ``stages`` and ``workload`` are for loads: all rows, and what was asked, where that is known.
    """
    if method == "output_over_window":
        asked = workload if isinstance(workload, PromptsWorkload) else None
        return load_run_figures(stages or Columns([]), calls, complete, asked)
    made = _of_whole_runs(calls, method, complete)
    if made is None:
        made = [_run_figures(run, rows, method, run in complete) for run, rows in calls.by_run().items()]
    made = list(map(_with_the_others, made, calls.by_run().values())) if _may_have_others(calls) else made
    return tuple(_without_loading(run) for run in made) if _some_cold(made) else tuple(made)


def over_runs(
    runs: Sequence[RunFigures], valid: Calls, method: ThroughputMethod, describe: Describe
) -> OverRuns:
    """Estimate over one figure per run, of the complete runs only.

    A run that lacks a stage is another mix of stages: its figure is shown, but a mean with it would
    compare a configuration that fails in its slow stage with one that does not.
    """
    complete = {run.run for run in runs if run.complete}
    of_whole = (
        valid.rows if len(complete) == len(runs) else valid.where([run in complete for run in valid.run]).rows
    )
    return of_runs(runs, method, describe, _ratio_of_sums(of_whole))


def of_runs(
    runs: Sequence[RunFigures],
    method: ThroughputMethod,
    describe: Describe,
    ratio_of_sums_tok_s: float | None = None,
) -> OverRuns:
    """Estimate over one figure per complete run, where their calls are not at hand any more.

    ``ratio_of_sums_tok_s``: over the calls of these runs, which alone tell it; ``None``: not known.
    """
    whole = [run for run in runs if run.complete]
    loads = [run.own_load for run in whole]

    def described(name: str) -> Description:
        return describe([getattr(run, name) for run in whole], loads=loads)

    return OverRuns(
        throughput_tok_s=described("throughput_tok_s"),
        throughput_method=method,
        mean_of_rates_tok_s=described("mean_of_rates_tok_s"),
        ratio_of_sums_tok_s=ratio_of_sums_tok_s,
        ttft_ms=described("ttft_ms"),
        itl_ms=described("itl_ms"),
        duration_ms=described("duration_ms"),
        joules_per_token=described("joules_per_token"),
        ungrounded_rate=described("ungrounded_rate"),
        runs=tuple(runs),
    )


def _some_cold(runs: Sequence[RunFigures]) -> bool:
    """Whether some of the complete runs had cold calls, and others had none."""
    return len({bool(run.cold_calls) for run in runs if run.complete and run.cold_calls is not None}) > 1


def _without_loading(run: RunFigures) -> RunFigures:
    """Its duration and energy are mostly those of loading, and its TTFT is that of fewer stages: other figures."""
    return replace(run, ttft_ms=None, duration_ms=None, joules_per_token=None) if run.cold_calls else run


def stages_over_runs(
    calls: Calls, planned: int | None, describe: Describe, sd: SdKind
) -> tuple[StageOverRuns, ...]:
    """Estimate each stage over the runs in which its call is valid, in the order of first appearance."""
    runs = set(calls.run)
    return tuple(
        _stage(stage, found, runs, planned, describe, sd)
        for stage, found in calls.by_stage().items()
        if stage != REQUEST_STAGE  # a run has many: its load's figures are over runs
    )


def _may_have_others(calls: Calls) -> bool:
    """Whether other agents may have run at the same time: our own records tell, those of others may."""
    return None in calls.config_id or any(agents is not None for agents in calls.agents)


def _with_the_others(run: RunFigures, rows: Sequence[Values]) -> RunFigures:
    """Add what figures of several agents are made of."""
    ttfts = [row[_TTFT] for row in rows if row[_TTFT] is not None]
    rates = [row[_RATE] for row in rows if row[_RATE] is not None]
    busy = [
        (row[_SENT], row[_SENT] + round(row[_DURATION] * NS_PER_MS))
        for row in rows
        if None not in (row[_SENT], row[_DURATION])
    ]
    return replace(
        run,
        exec_s=first_known([row[_EXEC] for row in rows]),
        wall_s=first_known([row[_WALL] for row in rows]),
        recorded_rate=_mean(rates),
        recorded_ttft_ms=_mean(ttfts),
        busy_ns=tuple(busy) if len(busy) == len(rows) else None,
    )


def _stage(
    stage: str, found: Calls, runs: set[int], planned: int | None, describe: Describe, sd: SdKind
) -> StageOverRuns:
    excluded: dict[str, int] = {}
    valid = found
    if not all(found.valid):
        valid = found.where(found.valid)
        for outcome, counts in zip(found.judged, found.valid, strict=True):
            if not counts:
                why = SUSPECT if outcome.valid else outcome.value
                excluded[why] = excluded.get(why, 0) + 1
    cold = valid.where(one is True for one in valid.cold) if True in valid.cold else Calls([])
    warm = valid.where(one is not True for one in valid.cold) if len(cold) else valid
    lasting = warm if len(warm) else valid
    of_valid, of_warm, of_cold, of_lasting = map(_own_loads, (valid, warm, cold, lasting))
    absent = len(runs | set(range(1, (planned or 0) + 1))) - len(found)
    if absent > 0:
        excluded[NO_RECORD] = absent
    return StageOverRuns(
        stage=stage,
        planned=planned,
        ok=len(valid),
        excluded=excluded,
        throughput_tok_s=describe(valid.throughput_tok_s, loads=of_valid, tails=False),
        ttft_ms=describe(warm.ttft_ms, loads=of_warm, tails=False),
        ttft_cold_ms=describe(cold.ttft_ms, loads=of_cold, tails=False),
        itl_ms=describe(valid.itl_mean_ms, loads=of_valid, tails=False),
        duration_ms=describe(lasting.total_duration_ms, loads=of_lasting, tails=False),
        tokens=describe(valid.tokens, loads=of_valid, tails=False),
        prompt_eval_ms=describe(valid.prompt_eval_ms, loads=of_valid, tails=False),
        eval_ms=describe(valid.eval_ms, loads=of_valid, tails=False),
        load_ms=describe(valid.load_ms, loads=of_valid, tails=False),
        call_duration_ms=estimate(valid.total_duration_ms, sd),
    )


def _run_figures(run: int, rows: Sequence[Values], method: ThroughputMethod, complete: bool) -> RunFigures:
    valid = [row for row in rows if row[_VALID]]
    mean_of_rates = _mean([row[_RATE] for row in valid if row[_RATE] is not None])
    started = [row[_STARTED] for row in rows if row[_STARTED] is not None]
    colds = [row[_COLD] for row in rows if row[_COLD] is not None]
    return RunFigures(
        run=run,
        complete=complete,
        calls=len(rows),
        valid_calls=len(valid),
        throughput_tok_s=_ratio_of_sums(valid) if method == "tokens_over_eval_time" else mean_of_rates,
        mean_of_rates_tok_s=mean_of_rates,
        ttft_ms=_mean([row[_TTFT] for row in valid if row[_TTFT] is not None and row[_COLD] is not True]),
        itl_ms=_all_known_mean([row[_ITL] for row in valid]),
        duration_ms=_all_known_sum([row[_DURATION] for row in valid]),
        tokens=total_count([row[_TOKENS] for row in valid]),
        joules_per_token=_joules_per_token(valid),
        cold_calls=sum(colds) if colds else None,
        suspect_calls=sum(bool(row[_SUSPECT]) for row in rows),
        throttled=_throttled(rows),
        slot=_one([row[_SLOT] for row in rows]),
        pool=_one([row[_POOL] for row in rows]),
        host=_one([row[_HOST] for row in rows]),
        block=next((row[_BLOCK] for row in rows if row[_BLOCK] is not None), None),
        load=next((row[_LOAD] for row in rows if row[_LOAD] is not None), None),
        started_at=time_of(min(started)) if started else None,
    )


_NEEDED = (
    "throughput_tok_s",
    "ttft_ms",
    "itl_mean_ms",
    "total_duration_ms",
    "tokens",
    "eval_tokens",
    "eval_ms",
)


def _of_whole_runs(
    calls: Calls, method: ThroughputMethod, complete: frozenset[int]
) -> list[RunFigures] | None:
    """The same as :func:`_run_figures` of every run, four times as fast, where nothing went wrong in any.

    That is: equally many calls in each run, all valid and none cold, and every figure known; mostly so. ``None``: it is not.
    """
    runs = list(dict.fromkeys(calls.run))
    n = len(calls) // len(runs) if runs else 0
    if not n or n * len(runs) != len(calls) or not all(calls.valid) or True in calls.cold:
        return None
    if calls.run[::n] != runs or calls.run[n - 1 :: n] != runs:
        return None
    columns = [known(getattr(calls, name)) for name in _NEEDED]
    if min(map(len, columns)) < len(calls):
        return None
    rates, ttfts, itls, durations, tokens, covered, eval_ms = columns
    sampled = known(calls.sampled)
    if sampled and len(sampled) < len(calls):
        return None
    energies = [one[_ENERGY] for one in sampled] or [None] * len(calls)
    throttled = [one[_THROTTLED] for one in sampled] or [None] * len(calls)
    by_sums = method == "tokens_over_eval_time"
    made = []
    for index, run in enumerate(runs):
        at = slice(index * n, index * n + n)
        first = calls.rows[at.start]
        mean_of_rates = math.fsum(rates[at]) / n
        generated, decode_ms = sum(tokens[at]), math.fsum(eval_ms[at])
        colds, of_gpu, held_back = calls.cold[at], energies[at], throttled[at]
        started = known(calls.started_us[at])
        made.append(
            RunFigures(
                run=run,
                complete=run in complete,
                calls=n,
                valid_calls=n,
                throughput_tok_s=(sum(covered[at]) / decode_ms * _MS_PER_S if decode_ms else None)
                if by_sums
                else mean_of_rates,
                mean_of_rates_tok_s=mean_of_rates,
                ttft_ms=math.fsum(ttfts[at]) / n,
                itl_ms=math.fsum(itls[at]) / n,
                duration_ms=math.fsum(durations[at]),
                tokens=generated,
                joules_per_token=None if None in of_gpu else joules_per_token(math.fsum(of_gpu), generated),
                cold_calls=None if False not in colds else 0,
                suspect_calls=0,
                throttled=True if True in held_back else None if None in held_back else False,
                slot=first[_SLOT] if calls.slot[at].count(first[_SLOT]) == n else _one(calls.slot[at]),
                pool=first[_POOL] if calls.pool[at].count(first[_POOL]) == n else _one(calls.pool[at]),
                host=first[_HOST] if calls.host[at].count(first[_HOST]) == n else _one(calls.host[at]),
                block=first_known(calls.block[at]),
                load=first_known(calls.load[at]),
                started_at=time_of(min(started)) if started else None,
            )
        )
    return made


def _ratio_of_sums(rows: Sequence[Values]) -> float | None:
    """Σ tokens / Σ eval time; ``None`` where not every call tells both."""
    tokens = [_covered(row) for row in rows]
    times = [row[_EVAL_MS] for row in rows]
    if not rows or None in tokens or None in times:
        return None
    total, eval_ms = total_count(tokens), total_float(times)
    return total / eval_ms * _MS_PER_S if total is not None and eval_ms else None


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _all_known_sum(values: Sequence[float | None]) -> float | None:
    """A sum without one of its terms is another figure."""
    return None if None in values else total_float(values)


def _all_known_mean(values: Sequence[float | None]) -> float | None:
    return None if None in values else _mean(known(values))


def _joules_per_token(valid: Sequence[Values]) -> float | None:
    energies = [row[_SAMPLED][_ENERGY] if row[_SAMPLED] else None for row in valid]
    tokens = [row[_TOKENS] for row in valid]
    if None in energies or None in tokens:
        return None
    return joules_per_token(total_float(energies), total_count(tokens))


def _throttled(rows: Sequence[Values]) -> bool | None:
    """Any throttled call makes a throttled run; a call that does not tell makes "no" unknown."""
    told = [row[_SAMPLED][_THROTTLED] if row[_SAMPLED] else None for row in rows]
    if any(told):
        return True
    return False if told and None not in told else None


def _own_loads(calls: Calls) -> Sequence[Hashable | None]:
    return calls.load if None in calls.load else list(map(own_load, calls.load, calls.slot))


def _one(values: Sequence[str | None]) -> str | None:
    """One run is one job on one slot; ``None`` in foreign data."""
    known_ = {value for value in values if value is not None}
    return known_.pop() if len(known_) == 1 else None


def _covered(row: Values) -> int | None:
    """The tokens that the eval time covers: those told, else all (foreign data), unless the client timed them."""
    covered: int | None = row[_EVAL_TOKENS]
    if covered is not None or row[_SOURCE] == "client":
        return covered
    tokens: int | None = row[_TOKENS]
    return tokens
