"""How a configuration's calls were timed: clock, lags, retries, connections, frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from analysis.gaps import gap_quantiles
from analysis.models import Conditions
from analysis.statistics.estimate import SdKind, estimate
from analysis.statistics.quantiles import quantile
from analysis.table import Calls, known
from contracts.formulas import ms


def conditions(calls: Calls, valid: Calls, sd: SdKind) -> Conditions | None:
    """Return what the measured calls, ``valid`` ones among them, tell.

    ``None`` where they tell nothing, as in results from elsewhere.
    """
    sendings = known(calls.sendings)
    found = Conditions(
        clocks=_counts(calls.arrival_clock),
        loop_lag_max_ms=ms(max(known(calls.loop_lag_max_ns), default=None)),
        arrival_lag_max_ms=ms(max(known(calls.arrival_lag_max_ns), default=None)),
        retried_calls=sum(sent > 1 for sent in sendings) if sendings else None,
        connect_median_ms=_median(known(calls.connect_ms)),
        frame_tokens=_counts(calls.frame_tokens),
        itl_mean_ms=estimate(valid.itl_mean_ms, sd),
        itl_gaps=gap_quantiles(known(valid.gaps)),
        reasoning_ttft_ms=estimate(valid.reasoning_ttft_ms, sd),
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


def _median(values: Sequence[float]) -> float | None:
    return quantile(values, 0.5) if values else None
