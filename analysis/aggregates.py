"""Calls → pooled aggregates."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.models import Aggregates, Call, ValidAggregates
from analysis.statistics.estimate import SdKind, estimate
from analysis.statistics.total import total_count, total_float

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


def _missing(calls: Sequence[Call]) -> dict[str, int]:
    counts = {name: sum(getattr(call, name) is None for call in calls) for name in _SUMS}
    return {name: count for name, count in counts.items() if count}
