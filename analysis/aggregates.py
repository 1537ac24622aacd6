"""Calls → pooled aggregates."""

from __future__ import annotations

from analysis.models import Aggregates, ValidAggregates
from analysis.statistics.estimate import SdKind, estimate
from analysis.statistics.total import total_count, total_float
from analysis.table import Calls

_SUMS = {
    "tokens": "tokens",
    "duration_ms": "total_duration_ms",
    "prompt_eval_ms": "prompt_eval_ms",
    "eval_ms": "eval_ms",
    "load_ms": "load_ms",
}


def pool(calls: Calls, sd: SdKind) -> Aggregates:
    """Pool all calls as the first seed does: mean and sd of per-call figures, sums of the rest."""
    return Aggregates(
        calls=len(calls),
        throughput_tok_s=estimate(calls.throughput_tok_s, sd),
        ttft_ms=estimate(calls.ttft_ms, sd),
        tokens=total_count(calls.tokens),
        duration_ms=total_float(calls.total_duration_ms),
        prompt_eval_ms=total_float(calls.prompt_eval_ms),
        eval_ms=total_float(calls.eval_ms),
        load_ms=total_float(calls.load_ms),
        missing={
            name: count for name, column in _SUMS.items() if (count := getattr(calls, column).count(None))
        },
    )


def pool_valid(valid: Calls, sd: SdKind) -> ValidAggregates:
    """Pool the valid calls; their TTFT also cold and warm apart."""
    both = list(zip(valid.ttft_ms, valid.cold, strict=True))
    return ValidAggregates(
        **dict(pool(valid, sd)),
        ttft_warm_ms=estimate((ttft for ttft, cold in both if cold is False), sd),
        ttft_cold_ms=estimate((ttft for ttft, cold in both if cold is True), sd),
    )
