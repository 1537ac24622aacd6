"""What the ranking shows and what it does not, in words."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.models import Ranked, RankingRule, SweepFloor


def verdict(ranking: Sequence[Ranked], rule: RankingRule, floor: SweepFloor | None) -> str:
    """Say what the ranking shows of the rates, and no more."""
    rated = [entry for entry in ranking if entry.rank is not None]
    if not rated:
        return "Nothing can be ranked: no configuration has a complete run with a throughput."
    first, others = rated[0], rated[1:]
    # Not compared with the first where their answers are degenerate and its are not.
    apart = rule == "clean-first" and not first.degenerate_calls
    set_back = [entry for entry in others if apart and entry.degenerate_calls]
    comparable = [entry for entry in others if not (apart and entry.degenerate_calls)]
    texts = [_compared(first, comparable, bool(set_back), floor)]
    if set_back:
        verb = "has" if len(set_back) == 1 else "have"
        stands = "stands" if len(set_back) == 1 else "stand"
        texts.append(
            f"{_names(set_back)} {verb} degenerate calls and {stands} below those without, whatever the rate."
        )
    if first.degenerate_calls:
        texts.append(f"{_name(first)} has degenerate calls itself: a rate of broken answers says little.")
    return " ".join(texts)


def ttft_verdict(ranking: Sequence[Ranked], floor: SweepFloor | None) -> str | None:
    """Say which differences of TTFT from the first the floor hides; ``None`` without a floor or a difference."""
    judged = [entry for entry in ranking if entry.ttft_below_floor is not None]
    if floor is None or not judged:
        return None
    first = _name(ranking[0])
    below = [entry for entry in judged if entry.ttft_below_floor]
    limit = f"the measurement floor of {floor.ttft_ms:.2f} ms"
    if not below:
        return f"TTFT over runs: every difference from {first} is above {limit}; how far it reproduces, its ± tells."
    rest = "" if len(below) == len(judged) else " The other differences are above it."
    verb = "differs" if len(below) == 1 else "differ"
    return f"TTFT over runs: {_names(below)} {verb} from {first} by less than {limit}: no difference.{rest}"


def _compared(first: Ranked, others: Sequence[Ranked], among_clean: bool, floor: SweepFloor | None) -> str:
    if not others:
        if among_clean:
            return f"{_name(first)} is the only ranked configuration without degenerate calls: there is nothing to compare it with."
        return "One configuration with complete runs: there is nothing to compare it with."
    at_n = _at_n([first, *others])
    below = [entry for entry in others if entry.below_floor]
    unknown = [entry for entry in others if entry.overlaps_first is None and not entry.below_floor]
    close = [entry for entry in others if entry.overlaps_first and not entry.below_floor]
    if len(unknown) == len(others):
        return f"No difference can be claimed at {at_n} runs: a single run shows no spread."
    said = []
    if below and floor is not None:
        said.append(
            f"no difference between {_name(first)} and {_names(below)}: it is below the client's measurement floor "
            f"({floor.rate_percent:.2g} %)"
        )
    if close:
        said.append(f"no clear difference at {at_n} runs between {_name(first)} and {_names(close)}")
    if unknown:
        said.append(f"none can be claimed for {_names(unknown)}: a single run shows no spread")
    if said:
        words = "; ".join(said)
        return f"{words[0].upper()}{words[1:]}."
    those = "the others without degenerate calls" if among_clean else "the others"
    return f"{_name(first)} is ahead of {those} by more than their spreads ({at_n} runs)."


def _at_n(rated: Sequence[Ranked]) -> str:
    counts = sorted({entry.throughput_tok_s.n for entry in rated})
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"


def _names(entries: Sequence[Ranked]) -> str:
    return ", ".join(map(_name, entries))


def _name(entry: Ranked) -> str:
    return f"{entry.config} ({entry.agent})"
