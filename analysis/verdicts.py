"""What the ranking shows and what it does not, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.findings.phrases import detectable_words, difference, mention, mentions, several_agents
from analysis.formatting import two_digits
from analysis.models import Ranked, RankingRule, SweepFloor
from analysis.ranking import TOGETHER
from analysis.statistics.comparison import MIN_RUNS


def verdict(ranking: Sequence[Ranked], rule: RankingRule, floor: SweepFloor | None) -> str:
    """Say what the ranking shows of the rates, and no more."""
    rated = [entry for entry in ranking if entry.rank is not None]
    if not rated:
        return "Nothing can be ranked: no configuration has a complete run with a throughput."
    several = several_agents(ranking)
    first, others = rated[0], rated[1:]
    # Not compared with the first where their answers are degenerate and its are not.
    apart = rule == "clean-first" and not first.degenerate_calls
    set_back = [entry for entry in others if apart and entry.degenerate_calls]
    comparable = [entry for entry in others if not (apart and entry.degenerate_calls)]
    texts = [_compared(first, comparable, bool(set_back), floor, several)]
    if set_back:
        verb = "has" if len(set_back) == 1 else "have"
        stands = "stands" if len(set_back) == 1 else "stand"
        texts.append(
            f"{mentions(set_back, several)} {verb} degenerate calls and {stands} below those without, whatever the rate."
        )
    if first.degenerate_calls:
        texts.append(
            f"{mention(first, several)} has degenerate calls itself: a rate of broken answers says little."
        )
    return " ".join(texts)


def verdict_of_each(ranking: Sequence[Ranked], rule: RankingRule, floor: SweepFloor | None) -> str:
    """Say what the ranking of each of several agents shows, and what it is not about."""
    said = []
    for agent in dict.fromkeys(entry.agent for entry in ranking):
        of_agent = [entry for entry in ranking if entry.agent == agent]
        if sum(entry.rank is not None for entry in of_agent) > 1:
            said.append(f"{agent}: {verdict(of_agent, rule, floor)}")
    return " ".join([*said, TOGETHER])


def ttft_verdict(ranking: Sequence[Ranked], floor: SweepFloor | None) -> str | None:
    """Say which differences of TTFT from the first the floor hides; ``None`` where it hides none."""
    below = [entry for entry in ranking if entry.ttft_below_floor]
    if floor is None or not below:
        return None
    several = several_agents(ranking)
    verb = "differs" if len(below) == 1 else "differ"
    return (
        f"TTFT over runs: {mentions(below, several)} {verb} from {mention(ranking[0], several)} by less than the "
        f"measurement floor of {floor.ttft_ms:.2f} ms: no difference."
    )


def _compared(
    first: Ranked, others: Sequence[Ranked], among_clean: bool, floor: SweepFloor | None, several: bool
) -> str:
    name = mention(first, several)
    if not others:
        if among_clean:
            return f"{name} is the only ranked configuration without degenerate calls: there is nothing to compare it with."
        return "One configuration with complete runs: there is nothing to compare it with."
    equal = [entry for entry in others if same_mean(first, entry)]
    by_verdict: dict[str, list[Ranked]] = {}
    for entry in (entry for entry in others if entry not in equal):
        by_verdict.setdefault(_verdict_of(entry), []).append(entry)
    behind = by_verdict.pop("worse", [])
    if not by_verdict and not equal:
        return f"{name} is the fastest{' of those without degenerate calls' if among_clean else ''}: {_lead(behind, several)}."
    if equal:
        highest = ", the highest" if by_verdict or behind else ""
        joined = " and " if len(equal) == 1 else ", "
        said = [f"{name}{joined}{_one_of(equal, several)} have the same mean throughput{highest}"]
    else:
        said = [f"{name} has the highest mean throughput"]
    said += [_not_told_apart(what, entries, floor, several) for what, entries in by_verdict.items()]
    if behind:
        rest = "the other one is" if len(behind) == 1 else f"the other {len(behind)} are"
        said.append(f"{rest} slower: {_lead(behind, several)}")
    return f"{'; '.join(said)}."


def same_mean(first: Ranked, other: Ranked) -> bool:
    """Whether two means are one: then their order is none."""
    a, b = first.throughput_tok_s.mean, other.throughput_tok_s.mean
    return a is not None and b is not None and math.isclose(a, b, rel_tol=1e-12)


def _one_of(entries: Sequence[Ranked], several: bool) -> str:
    """``a``, ``a and 3 more``: the table below names all."""
    more = f" and {len(entries) - 1} more" if len(entries) > 1 else ""
    return f"{mention(entries[0], several)}{more}"


def _verdict_of(entry: Ranked) -> str:
    if entry.below_floor:
        return "below the floor"
    if entry.comparison is None:
        return "not compared"
    # A pairing of other runs than the ranking's may turn the sign round: that is no order that is shown.
    return "no difference shown" if entry.comparison.verdict == "better" else entry.comparison.verdict


def _lead(behind: Sequence[Ranked], several: bool) -> str:
    """The smallest lead, with its interval and p."""
    nearest = behind[0]
    if nearest.comparison is None:
        return mention(nearest, several)
    next_ = "" if len(behind) == 1 else "the nearest, "
    return f"{next_}{mention(nearest, several)}, {difference(nearest.comparison)}"


def _not_told_apart(what: str, entries: Sequence[Ranked], floor: SweepFloor | None, several: bool) -> str:
    names = _one_of(entries, several)
    match what:
        case "below the floor":
            limit = f" ({two_digits(floor.rate_percent)} %)" if floor is not None else ""
            return f"no difference between it and {names}: it is below the client's measurement floor{limit}"
        case "no difference shown":
            known = [
                found
                for entry in entries
                if entry.comparison is not None
                for found in [entry.comparison.detectable_percent]
                if found is not None
            ]
            power = f" ({_at_n(entries)}; {detectable_words(max(known))})" if known else ""
            return f"no difference is shown between it and {names}{power}"
        case "too few runs":
            by_load = any(
                entry.comparison is not None and entry.comparison.unit == "load" for entry in entries
            )
            needed = f"{MIN_RUNS} loads of each plot" if by_load else f"{MIN_RUNS} complete runs of each"
            return f"none can be claimed between it and {names}: a test takes {needed}"
        case _:
            whys = [entry.comparison.why for entry in entries if entry.comparison and entry.comparison.why]
            return f"it can't be compared with {names}{': ' + whys[0] if whys else ''}"


def _at_n(rated: Sequence[Ranked]) -> str:
    """``n = 5 runs``; of comparisons over loads ``n = 3 loads``."""
    counts = sorted({entry.comparison.n_candidate for entry in rated if entry.comparison is not None})
    units = {entry.comparison.unit for entry in rated if entry.comparison is not None}
    unit = "loads" if units == {"load"} else "runs" if units == {"run"} else "loads or runs"
    return f"n = {counts[0]} {unit}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]} {unit}"
