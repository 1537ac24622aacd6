"""Configurations ranked by throughput over runs, each compared with the first."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.comparisons import ALPHA, compare_two, corrected, floor_of, typical_spreads
from analysis.floor import rate_below_floor
from analysis.metrics import THROUGHPUT
from analysis.models import Comparison, ConfigurationSummary, Ranked, RankingRule, SweepFloor
from analysis.rates import kinds_words
from analysis.samples import plot_of
from analysis.statistics.estimate import Estimate

_BY_SPEED = (
    "Ranked by the mean throughput over complete runs (every stage valid), highest first; a configuration without "
    "one is not ranked."
)
_AGAINST_FIRST = (
    "Each is compared with the first. The data choose which is first, so p is corrected as if every pair of those "
    "compared had been tested (Bonferroni). What that claims: with a confidence of 95 %, none is called slower than the "
    "first that is not, and the fastest is the first or one that is not told apart from it. What it does not claim: the size "
    "of the lead. The first of many is there by luck too, and its lead tends to be smaller when it is measured again."
)
CRITERION: dict[RankingRule, str] = {
    "clean-first": f"{_BY_SPEED} A configuration with any degenerate call (empty, too short, repetition) stands below "
    f"every ranked one without, however fast it is. {_AGAINST_FIRST}",
    "speed": f"{_BY_SPEED} Degenerate answers don't count here: that was asked for (ranking: speed). {_AGAINST_FIRST}",
}


ALONE = "measured alone, to compare with"


TOGETHER = (
    "Agents that ran at the same time are ranked agent by agent: nobody chooses between agents. What they cost each other stands in "
    "Agents at the Same Time."
)


def rank_each_agent(
    configurations: Sequence[ConfigurationSummary],
    rule: RankingRule,
    floor: SweepFloor | None,
    looks: int | None = None,
) -> tuple[Ranked, ...]:
    """Rank the configurations of each agent by themselves (:data:`TOGETHER`), agent by agent."""
    agents = dict.fromkeys(c.agent for c in configurations)
    return tuple(
        place
        for agent in agents
        for place in rank([c for c in configurations if c.agent == agent], rule, floor, looks)
    )


def rank(
    configurations: Sequence[ConfigurationSummary],
    rule: RankingRule,
    floor: SweepFloor | None,
    looks: int | None = None,
) -> tuple[Ranked, ...]:
    """Rank by the rule; those without a throughput over runs go last, unranked, in their order."""
    rated = [c for c in configurations if c.over_runs.throughput_tok_s.mean is not None and not _is_alone(c)]
    rated.sort(key=lambda c: (_is_set_back(c, rule), -(c.over_runs.throughput_tok_s.mean or 0.0)))
    unrated = [c for c in configurations if c.over_runs.throughput_tok_s.mean is None and not _is_alone(c)]
    alone = [c for c in configurations if _is_alone(c)]
    first = rated[0] if rated else None
    set_back = rule == "clean-first" and first is not None and not first.degenerate_calls
    comparable = [c for c in rated if not (set_back and c.degenerate_calls)]
    compared = against_first(comparable, floor, looks)
    return tuple(
        _place(
            place,
            c,
            first if place not in (None, 1) else None,
            set_back,
            floor,
            compared.get((c.config, c.agent)),
        )
        for place, c in [*enumerate(rated, start=1), *((None, c) for c in (*unrated, *alone))]
    )


def against_first(
    ranked: Sequence[ConfigurationSummary], floor: SweepFloor | None, looks: int | None = None
) -> dict[tuple[str, str], Comparison]:
    """Compare the throughput of each with that of the first, by (configuration, agent).

    p is multiplied by the number of pairs of those tested, k (k − 1) / 2: the first is the largest of k means that
    the data chose, and the largest difference of k equal means is that of the worst of all pairs, so that k − 1
    would be too few (J. W. Tukey's problem of the studentised range; Bonferroni's bound for it holds however the
    tests depend on each other). It stands in ``p_holm``.
    """
    if len(ranked) < 2:
        return {}
    first, others = ranked[0], ranked[1:]
    spreads = typical_spreads([c.over_runs for c in ranked], THROUGHPUT, first.over_runs)
    made = {
        (c.config, c.agent): compare_two(
            first.over_runs,
            c.over_runs,
            THROUGHPUT,
            baseline=first.config,
            candidate=c.config,
            agent=c.agent,
            floor=floor_of(THROUGHPUT, first, c, floor),
            may_pair=True,
            spreads=spreads,
            looks=looks,
            between_plots=plot_of(c) != plot_of(first),
        )
        for c in others
    }
    tested = 1 + sum(comparison.p is not None for comparison in made.values())
    pairs = tested * (tested - 1) // 2
    return {
        key: c if c.p is None else corrected(c, min(1.0, c.p * pairs), ALPHA / pairs)
        for key, c in made.items()
    }


def overlap(a: Estimate, b: Estimate) -> bool | None:
    """Whether mean ± sd of both overlap; ``None`` where one has no mean or no sd."""
    if a.mean is None or b.mean is None or a.sd is None or b.sd is None:
        return None
    return abs(a.mean - b.mean) <= a.sd + b.sd


def _is_alone(c: ConfigurationSummary) -> bool:
    """Whether it is one of several agents measured without the others: nothing that could be chosen."""
    return c.agents == 1


def _is_set_back(c: ConfigurationSummary, rule: RankingRule) -> bool:
    return rule == "clean-first" and c.degenerate_calls > 0


def _place(
    place: int | None,
    c: ConfigurationSummary,
    first: ConfigurationSummary | None,
    set_back: bool,
    floor: SweepFloor | None,
    comparison: Comparison | None,
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
        why=ALONE if _is_alone(c) else _why(c, set_back) if place is not None else None,
        comparison=comparison,
    )


def _ttft_apart(first: ConfigurationSummary, c: ConfigurationSummary) -> float | None:
    a, b = first.over_runs.ttft_ms.mean, c.over_runs.ttft_ms.mean
    return None if a is None or b is None else b - a


def _why(c: ConfigurationSummary, set_back: bool) -> str | None:
    """``set_back``: the rule puts a degenerate configuration below others that are not."""
    if not c.degenerate_calls:
        return None
    words = f"{c.degenerate_calls} of {c.call_count} calls degenerate ({kinds_words(c.rates)})"
    return f"{words}: below every one without" if set_back else words
