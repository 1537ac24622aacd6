"""Configurations ranked by throughput over runs."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.floor import rate_below_floor
from analysis.models import ConfigurationSummary, Ranked, RankingRule, SweepFloor
from analysis.rates import kinds_words
from analysis.statistics.estimate import Estimate

_BY_SPEED = (
    "Ranked by the mean throughput over complete runs (every stage valid), highest first; a configuration without "
    "one is not ranked."
)
_OVERLAP = (
    "Two configurations whose intervals (mean ± sd over runs) overlap are not told apart. That is a rule of thumb, "
    "not a significance test."
)
CRITERION: dict[RankingRule, str] = {
    "clean-first": f"{_BY_SPEED} A configuration with any degenerate call (empty, too short, repetition) stands below "
    f"every ranked one without, however fast it is. {_OVERLAP}",
    "speed": f"{_BY_SPEED} Degenerate answers don't count here: that was asked for (ranking: speed). {_OVERLAP}",
}


def rank(
    configurations: Sequence[ConfigurationSummary], rule: RankingRule, floor: SweepFloor | None
) -> tuple[Ranked, ...]:
    """Rank by the rule; those without a throughput over runs go last, unranked, in their order."""
    rated = [c for c in configurations if c.over_runs.throughput_tok_s.mean is not None]
    rated.sort(key=lambda c: (_is_set_back(c, rule), -(c.over_runs.throughput_tok_s.mean or 0.0)))
    unrated = [c for c in configurations if c.over_runs.throughput_tok_s.mean is None]
    first = rated[0] if rated else None
    set_back = rule == "clean-first" and first is not None and not first.degenerate_calls
    return tuple(
        _place(place, c, first if place not in (None, 1) else None, set_back, floor)
        for place, c in [*enumerate(rated, start=1), *((None, c) for c in unrated)]
    )


def overlap(a: Estimate, b: Estimate) -> bool | None:
    """Whether mean ± sd of both overlap; ``None`` where one has no mean or no sd."""
    if a.mean is None or b.mean is None or a.sd is None or b.sd is None:
        return None
    return abs(a.mean - b.mean) <= a.sd + b.sd


def _is_set_back(c: ConfigurationSummary, rule: RankingRule) -> bool:
    return rule == "clean-first" and c.degenerate_calls > 0


def _place(
    place: int | None,
    c: ConfigurationSummary,
    first: ConfigurationSummary | None,
    set_back: bool,
    floor: SweepFloor | None,
) -> Ranked:
    rate = c.over_runs.throughput_tok_s
    apart = _ttft_apart(first, c) if first else None
    return Ranked(
        rank=place,
        config=c.config,
        agent=c.agent,
        throughput_tok_s=rate,
        overlaps_first=overlap(first.over_runs.throughput_tok_s, rate) if first else None,
        below_floor=rate_below_floor(first, c, floor) if first else None,
        ttft_from_first_ms=apart,
        ttft_below_floor=None if apart is None or floor is None else abs(apart) < floor.ttft_ms,
        degenerate_calls=c.degenerate_calls,
        why=_why(c, set_back) if place is not None else None,
    )


def _ttft_apart(first: ConfigurationSummary, c: ConfigurationSummary) -> float | None:
    a, b = first.over_runs.ttft_ms.mean, c.over_runs.ttft_ms.mean
    return None if a is None or b is None else b - a


def _why(c: ConfigurationSummary, set_back: bool) -> str | None:
    """``set_back``: the rule puts a degenerate configuration below others that are not."""
    if not c.degenerate_calls:
        return None
    words = f"{c.degenerate_calls} of {len(c.calls)} calls degenerate ({kinds_words(c.rates)})"
    return f"{words}: below every one without" if set_back else words
