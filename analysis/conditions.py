"""How a configuration's calls were timed: clock, lags, retries, connections, frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from analysis.models import Call, Conditions, GapQuantiles
from analysis.statistics.estimate import SdKind, estimate
from analysis.statistics.percentiles import percentiles
from analysis.statistics.quantiles import quantile
from contracts.formulas import itl_gaps_ms, ms
from contracts.records import StageRecord


def conditions(records: Sequence[StageRecord], calls: Sequence[Call], sd: SdKind) -> Conditions | None:
    """Return what the measured calls tell; ``records`` are theirs, in the same order.

    ``None`` where they tell nothing, as in results from elsewhere.
    """
    valid = [record for record, call in zip(records, calls, strict=True) if call.valid]
    diagnoses = [record.diagnosis for record in records if record.diagnosis is not None]
    sendings = [record.sendings for record in records if record.sendings is not None]
    found = Conditions(
        clocks=_counts(record.arrival_clock for record in records),
        loop_lag_max_ms=ms(_largest(d.loop_lag_max_ns for d in diagnoses)),
        arrival_lag_max_ms=ms(_largest(d.arrival_lag_max_ns for d in diagnoses)),
        retried_calls=sum(sent > 1 for sent in sendings) if sendings else None,
        connect_median_ms=_quantile([r.connect_ms for r in records if r.connect_ms is not None], 50),
        frame_tokens=_counts(record.frame_tokens for record in records),
        itl_mean_ms=estimate((record.itl_mean_ms for record in valid), sd),
        itl_gaps=_gaps(valid),
        reasoning_ttft_ms=estimate((record.reasoning_ttft_ms for record in valid), sd),
    )
    return found if _tells(found) else None


def _tells(found: Conditions) -> bool:
    told = (found.loop_lag_max_ms, found.arrival_lag_max_ms, found.retried_calls, found.connect_median_ms)
    counted = (
        found.clocks,
        found.frame_tokens,
        found.itl_mean_ms.n,
        found.itl_gaps,
        found.reasoning_ttft_ms.n,
    )
    return any(value is not None for value in told) or any(counted)


def _counts(values: Iterable[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(value for value in values if value is not None).items()))


def _largest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _quantile(values: Sequence[float], percent: float) -> float | None:
    return quantile(values, percent / 100) if values else None


def _gaps(valid: Sequence[StageRecord]) -> GapQuantiles | None:
    """Quantiles of single gaps, of the calls whose tokens per frame are known: elsewhere a gap is no ITL."""
    gaps = [gap for record in valid for gap in _itl_gaps(record)]
    median = _quantile(gaps, 50)
    if median is None:
        return None
    (p99,) = percentiles(gaps, (99,))
    return GapQuantiles(n=len(gaps), median_ms=median, max_ms=max(gaps), p99_ms=p99.value)


def _itl_gaps(record: StageRecord) -> Sequence[float]:
    if record.timing is not None:
        return itl_gaps_ms(record.timing, record.tokens) or ()
    return (record.gaps_ms or ()) if record.frame_tokens == "one" else ()
