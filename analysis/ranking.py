"""Configurations ranked by throughput over runs, and what that ranking shows."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.models import ConfigurationSummary, Ranked
from analysis.statistics.estimate import Estimate

CRITERION = (
    "Ranked by the mean throughput over complete runs (every stage valid), highest first; a configuration without "
    "one is not ranked. Two configurations whose intervals "
    "(mean ± sd over runs) overlap are not told apart. That is a rule of thumb, not a significance test."
)


def rank(configurations: Sequence[ConfigurationSummary]) -> tuple[Ranked, ...]:
    """Rank by the mean throughput over runs; those without one go last, unranked, in their order."""
    rated = [c for c in configurations if c.over_runs.throughput_tok_s.mean is not None]
    rated.sort(key=lambda c: -(c.over_runs.throughput_tok_s.mean or 0.0))
    unrated = [c for c in configurations if c.over_runs.throughput_tok_s.mean is None]
    first = rated[0].over_runs.throughput_tok_s if rated else None
    return tuple(
        Ranked(
            rank=place,
            config=c.config,
            agent=c.agent,
            throughput_tok_s=c.over_runs.throughput_tok_s,
            overlaps_first=overlap(first, c.over_runs.throughput_tok_s) if first and place != 1 else None,
        )
        for place, c in [*enumerate(rated, start=1), *((None, c) for c in unrated)]
    )


def overlap(a: Estimate, b: Estimate) -> bool | None:
    """Whether mean ± sd of both overlap; ``None`` where one has no mean or no sd."""
    if a.mean is None or b.mean is None or a.sd is None or b.sd is None:
        return None
    return abs(a.mean - b.mean) <= a.sd + b.sd


def verdict(ranking: Sequence[Ranked]) -> str:
    """Say in words what the ranking shows, and no more."""
    rated = [entry for entry in ranking if entry.rank is not None]
    if not rated:
        return "Nothing can be ranked: no configuration has a complete run with a throughput."
    first, others = rated[0], rated[1:]
    if not others:
        return "One configuration with complete runs: there is nothing to compare it with."
    counts = sorted({entry.throughput_tok_s.n for entry in rated})
    at_n = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
    unknown = [_name(entry) for entry in others if entry.overlaps_first is None]
    close = [_name(entry) for entry in others if entry.overlaps_first]
    if len(unknown) == len(others):
        return f"No difference can be claimed at {at_n} runs: a single run shows no spread."
    if close or unknown:
        said = (
            [f"no clear difference at {at_n} runs between {_name(first)} and {', '.join(close)}"]
            if close
            else []
        )
        said += (
            [f"none can be claimed for {', '.join(unknown)}: a single run shows no spread"] if unknown else []
        )
        words = "; ".join(said)
        return f"{words[0].upper()}{words[1:]}."
    return f"{_name(first)} is ahead of the others by more than their spreads ({at_n} runs)."


def _name(entry: Ranked) -> str:
    return f"{entry.config} ({entry.agent})"
