"""The run as the unit of replication: one figure per run, then estimates over runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from analysis.models import Call, OverRuns, RunFigures, StageOverRuns, ThroughputMethod
from analysis.statistics.description import Description
from analysis.statistics.estimate import estimate
from analysis.statistics.total import total_count, total_float
from contracts.formulas import NS_PER_MS, NS_PER_S
from contracts.records import StageRecord
from contracts.telemetry import joules_per_token

_MS_PER_S = NS_PER_S / NS_PER_MS

NO_RECORD = "no record"
SUSPECT = "suspect"

Measured: TypeAlias = tuple[Call, StageRecord]
"""A measured call with the record that it was judged from."""

Describe: TypeAlias = Callable[[Iterable[float | None]], Description]
"""How figures over runs are described: with which sd, and whether the number of runs was fixed beforehand."""


def throughput_method(calls: Iterable[Call]) -> ThroughputMethod:
    """One method for all runs of a configuration: figures by different methods can't be averaged."""
    timed = all(_eval_tokens(call) is not None and call.eval_ms for call in calls if call.valid)
    return "tokens_over_eval_time" if timed else "mean_of_call_rates"


def run_figures(
    calls: Sequence[Call], records: Sequence[StageRecord], complete: frozenset[int]
) -> tuple[RunFigures, ...]:
    """Return one figure a run of every metric; ``records`` are those of the calls, in their order."""
    method = throughput_method(calls)
    by_run: dict[int, list[Measured]] = {}
    for call, record in zip(calls, records, strict=True):
        by_run.setdefault(call.run, []).append((call, record))
    made = [_run_figures(run, by_run[run], method, run in complete) for run in sorted(by_run)]
    return tuple(_without_loading(run) for run in made) if _some_cold(made) else tuple(made)


def over_runs(runs: Sequence[RunFigures], calls: Sequence[Call], describe: Describe) -> OverRuns:
    """Estimate over one figure per run, of the complete runs only.

    A run that lacks a stage is another mix of stages: its figure is shown, but a mean with it would
    compare a configuration that fails in its slow stage with one that does not.
    """
    whole = [run for run in runs if run.complete]
    complete = {run.run for run in whole}

    def described(name: str) -> Description:
        return describe(getattr(run, name) for run in whole)

    return OverRuns(
        throughput_tok_s=described("throughput_tok_s"),
        throughput_method=throughput_method(calls),
        mean_of_rates_tok_s=described("mean_of_rates_tok_s"),
        ratio_of_sums_tok_s=_ratio_of_sums([call for call in calls if call.run in complete]),
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
    return (
        run.model_copy(update={"ttft_ms": None, "duration_ms": None, "joules_per_token": None})
        if run.cold_calls
        else run
    )


def stages_over_runs(
    calls: Sequence[Call], records: Sequence[StageRecord], planned: int | None, describe: Describe
) -> tuple[StageOverRuns, ...]:
    """Estimate each stage over the runs in which its call is valid, in the order of first appearance."""
    of_stage: dict[str, list[Measured]] = {}
    for call, record in zip(calls, records, strict=True):
        of_stage.setdefault(call.stage, []).append((call, record))
    runs = {call.run for call in calls}
    return tuple(_stage(stage, found, runs, planned, describe) for stage, found in of_stage.items())


def _stage(
    stage: str, found: Sequence[Measured], runs: set[int], planned: int | None, describe: Describe
) -> StageOverRuns:
    valid = [(call, record) for call, record in found if call.valid]
    calls = [call for call, _ in valid]
    excluded: dict[str, int] = {}
    for call, _ in found:
        if not call.valid:
            why = SUSPECT if call.outcome.valid else call.outcome.value
            excluded[why] = excluded.get(why, 0) + 1
    warm = [call for call in calls if call.cold is not True]
    absent = len(runs | set(range(1, (planned or 0) + 1))) - len(found)
    if absent > 0:
        excluded[NO_RECORD] = absent
    return StageOverRuns(
        stage=stage,
        planned=planned,
        ok=len(valid),
        excluded=excluded,
        throughput_tok_s=describe(call.throughput_tok_s for call in calls),
        ttft_ms=describe(call.ttft_ms for call in warm),
        ttft_cold_ms=describe(call.ttft_ms for call in calls if call.cold is True),
        itl_ms=describe(record.itl_mean_ms for _, record in valid),
        duration_ms=describe(call.duration_ms for call in warm or calls),
        tokens=describe(call.tokens for call in calls),
        prompt_eval_ms=describe(call.prompt_eval_ms for call in calls),
        eval_ms=describe(call.eval_ms for call in calls),
        load_ms=describe(call.load_ms for call in calls),
    )


def _run_figures(
    run: int, measured: Sequence[Measured], method: ThroughputMethod, complete: bool
) -> RunFigures:
    calls = [call for call, _ in measured]
    records = [record for _, record in measured]
    valid = [(call, record) for call, record in measured if call.valid]
    valid_calls = [call for call, _ in valid]
    mean_of_rates = estimate(call.throughput_tok_s for call in valid_calls).mean
    by_sums = method == "tokens_over_eval_time"
    started = [record.started_at for record in records if record.started_at is not None]
    colds = [call.cold for call in calls if call.cold is not None]
    return RunFigures(
        run=run,
        complete=complete,
        calls=len(calls),
        valid_calls=len(valid),
        throughput_tok_s=_ratio_of_sums(valid_calls) if by_sums else mean_of_rates,
        mean_of_rates_tok_s=mean_of_rates,
        ttft_ms=estimate(call.ttft_ms for call in valid_calls if call.cold is not True).mean,
        itl_ms=_all_known_mean([record.itl_mean_ms for _, record in valid]),
        duration_ms=_all_known_sum([call.duration_ms for call in valid_calls]),
        tokens=total_count([call.tokens for call in valid_calls]),
        joules_per_token=_joules_per_token(valid),
        cold_calls=sum(colds) if colds else None,
        suspect_calls=sum(bool(call.suspect) for call in calls),
        throttled=_throttled(records),
        slot=_one([record.slot for record in records]),
        pool=_one([record.pool for record in records]),
        host=_one([record.host for record in records]),
        block=next((record.block for record in records if record.block is not None), None),
        started_at=min(started, default=None),
    )


def _ratio_of_sums(calls: Sequence[Call]) -> float | None:
    """Σ tokens / Σ eval time; ``None`` where not every call tells both."""
    tokens = [_eval_tokens(call) for call in calls]
    times = [call.eval_ms for call in calls]
    if not calls or None in tokens or None in times:
        return None
    total, eval_ms = total_count(tokens), total_float(times)
    return total / eval_ms * _MS_PER_S if total is not None and eval_ms else None


def _all_known_sum(values: Sequence[float | None]) -> float | None:
    """A sum without one of its terms is another figure."""
    return None if None in values else total_float(values)


def _all_known_mean(values: Sequence[float | None]) -> float | None:
    return None if None in values else estimate(values).mean


def _joules_per_token(valid: Sequence[Measured]) -> float | None:
    energies = [record.telemetry.energy_j if record.telemetry else None for _, record in valid]
    tokens = [call.tokens for call, _ in valid]
    if None in energies or None in tokens:
        return None
    return joules_per_token(total_float(energies), total_count(tokens))


def _throttled(records: Sequence[StageRecord]) -> bool | None:
    """Any throttled call makes a throttled run; a call that does not tell makes "no" unknown."""
    told = [record.telemetry.throttled if record.telemetry else None for record in records]
    if any(told):
        return True
    return False if told and None not in told else None


def _one(values: Sequence[str | None]) -> str | None:
    """One run is one job on one slot; ``None`` in foreign data."""
    known = {value for value in values if value is not None}
    return known.pop() if len(known) == 1 else None


def _eval_tokens(call: Call) -> int | None:
    """The tokens that the eval time covers: those told, else all (foreign data), unless the client timed them."""
    if call.eval_tokens is not None or call.throughput_source == "client":
        return call.eval_tokens
    return call.tokens
