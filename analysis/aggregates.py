"""Calls → pooled aggregates, and estimates over runs."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.models import Aggregates, Call, OverRuns, RunFigures, ThroughputMethod, ValidAggregates
from analysis.statistics.estimate import SdKind, estimate
from analysis.statistics.total import total_count, total_float
from contracts.formulas import NS_PER_MS, NS_PER_S

_MS_PER_S = NS_PER_S / NS_PER_MS
_SUMS = ("tokens", "duration_ms", "prompt_eval_ms", "eval_ms", "load_ms")


def pool(calls: Sequence[Call], sd: SdKind) -> Aggregates:
    """Pool all calls as the first seed does: mean and sd of per-call figures, sums of the rest."""
    return Aggregates(
        calls=len(calls),
        throughput_tok_s=estimate((call.throughput_tok_s for call in calls), sd),
        ttft_ms=estimate((call.ttft_ms for call in calls), sd),
        tokens=total_count([call.tokens for call in calls]),
        duration_ms=total_float([call.duration_ms for call in calls]),
        prompt_eval_ms=total_float([call.prompt_eval_ms for call in calls]),
        eval_ms=total_float([call.eval_ms for call in calls]),
        load_ms=total_float([call.load_ms for call in calls]),
        missing=_missing(calls),
    )


def pool_valid(calls: Sequence[Call], sd: SdKind) -> ValidAggregates:
    """Pool the valid calls; their TTFT also cold and warm apart."""
    valid = [call for call in calls if call.valid]
    return ValidAggregates(
        **dict(pool(valid, sd)),
        ttft_warm_ms=estimate((call.ttft_ms for call in valid if call.cold is False), sd),
        ttft_cold_ms=estimate((call.ttft_ms for call in valid if call.cold is True), sd),
    )


def over_runs(calls: Sequence[Call], complete: frozenset[int], sd: SdKind) -> OverRuns:
    """Estimate over one figure per run, of the ``complete`` runs only.

    A run that lacks a stage is another mix of stages: its figure is shown, but a mean with it would
    compare a configuration that fails in its slow stage with one that does not.
    """
    method = _method([call for call in calls if call.valid])
    by_run: dict[int, list[Call]] = {}
    for call in calls:
        by_run.setdefault(call.run, []).append(call)
    runs = tuple(_run_figures(run, by_run[run], method, run in complete) for run in sorted(by_run))
    whole = [run for run in runs if run.complete]
    return OverRuns(
        throughput_tok_s=estimate((run.throughput_tok_s for run in whole), sd),
        throughput_method=method,
        ttft_ms=estimate((run.ttft_ms for run in whole), sd),
        runs=runs,
    )


def _missing(calls: Sequence[Call]) -> dict[str, int]:
    counts = {name: sum(getattr(call, name) is None for call in calls) for name in _SUMS}
    return {name: count for name, count in counts.items() if count}


def _method(valid: Sequence[Call]) -> ThroughputMethod:
    """One method for all runs of a configuration: figures by different methods can't be averaged."""
    timed = all(_eval_tokens(call) is not None and call.eval_ms for call in valid)
    return "tokens_over_eval_time" if timed else "mean_of_call_rates"


def _run_figures(run: int, calls: Sequence[Call], method: ThroughputMethod, complete: bool) -> RunFigures:
    valid = [call for call in calls if call.valid]
    return RunFigures(
        run=run,
        complete=complete,
        calls=len(calls),
        valid_calls=len(valid),
        throughput_tok_s=_run_throughput(valid, method),
        ttft_ms=estimate(call.ttft_ms for call in valid if call.cold is not True).mean,
    )


def _run_throughput(valid: Sequence[Call], method: ThroughputMethod) -> float | None:
    if method == "mean_of_call_rates":
        return estimate(call.throughput_tok_s for call in valid).mean
    tokens = total_count([_eval_tokens(call) for call in valid])
    eval_ms = total_float([call.eval_ms for call in valid])
    return tokens / eval_ms * _MS_PER_S if tokens is not None and eval_ms else None


def _eval_tokens(call: Call) -> int | None:
    """The tokens that the eval time covers: those told, else all (foreign data), unless the client timed them."""
    if call.eval_tokens is not None or call.throughput_source == "client":
        return call.eval_tokens
    return call.tokens
