"""Agents that ran at the same time: what they did to each other, and what the pair can't show."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.findings.phrases import configs, first_of, some
from analysis.formatting import decimals, ends, plural
from analysis.models import Finding, SweepSummary
from analysis.models.pairs import PairAgent, PairConfiguration, Slowdown, SlowdownOf
from analysis.pairs.slowdown import NAMES

HARDLY = 0.5
"""Part of the makespan with all agents active, below which a pair shows mostly each agent alone."""
UNFAIR = 1.25
"""Largest slowdown over the smallest, beyond which the server served one agent better; their intervals must be apart too."""
OTHER_WORK = 1.5
"""Output tokens of the agent that wrote most over those of the one that wrote least, means over runs."""
OTHER_THAN_ALONE = 1.1
"""The same of one agent together and alone, either way."""


def slowed_down(summary: SweepSummary) -> Iterator[Finding]:
    found = [
        (pair, member, slowdown)
        for pair in summary.pair_configurations
        for member in pair.members
        for slowdown in [_largest(member)]
        if slowdown is not None
    ]
    if not found:
        return
    found.sort(key=lambda entry: -_value(entry[2]))
    pair, member, slowdown = found[0]
    several = len(summary.pair_configurations) > 1
    where = f" in {pair.config}" if several else ""
    pairs = [pair for pair, *_ in found]
    yield Finding(
        rule="agents-slowed-down",
        severity="warning",
        text=f"agents that ran at the same time slowed each other down: {plural(len(found), 'agent')} of "
        f"{plural(len(set(configs(_Named(p) for p in pairs))), 'configuration')}, most of all {member.agent}{where}, "
        f"whose {NAMES[slowdown.of]} was {_times(slowdown)} times worse than alone",
        evidence=first_of(
            [
                f"{m.agent} in {p.config}: "
                + ", ".join(f"{NAMES[s.of]} {_times(s)}" for s in m.slowdowns if s.verdict == "slowed down")
                for p, m, _ in found
            ]
        ),
        advice="Plan for the slowed rates where agents share a server. Where TTFT grew most, calls wait for each other: give the server more "
        "parallel requests (OLLAMA_NUM_PARALLEL, llama.cpp --parallel). Where the rate fell, they share the memory's bandwidth: the "
        "gain of running together says whether it is worth it, a second server or GPU (agents' server, --also) takes it away.",
        configurations=configs(_Named(p) for p in pairs),
    )


def without_solo(summary: SweepSummary) -> Iterator[Finding]:
    found = [
        (pair, [m.agent for m in pair.members if m.solo is None])
        for pair in summary.pair_configurations
        if any(m.solo is None for m in pair.members)
    ]
    if found:
        yield Finding(
            rule="agents-not-measured-alone",
            severity="warning",
            text=f"agents of {plural(len(found), 'configuration')} were not measured alone: whether they slowed each other down "
            "can't be told",
            evidence=first_of([f"{pair.config}: {some(agents)}" for pair, agents in found]),
            advice="Measure each agent's work alone in the same sweep (workload.solo: true, which is the default). The legacy speedup does not "
            "stand in for it: it is near the number of agents however much each is slowed down.",
            configurations=configs(_Named(pair) for pair, _ in found),
        )


def hardly_overlap(summary: SweepSummary) -> Iterator[Finding]:
    found = [
        (mean, pair)
        for pair in summary.pair_configurations
        for mean in [pair.all_active.mean]
        if mean is not None and mean < HARDLY
    ]
    if found:
        found.sort(key=lambda entry: entry[0])
        yield Finding(
            rule="agents-hardly-overlap",
            severity="warning",
            text=f"in {plural(len(found), 'configuration')} all agents were active at the same time for less than {HARDLY:.0%} of the makespan: "
            "what is measured there is mostly each agent alone",
            evidence=first_of([f"{pair.config}: {100 * mean:.1f} % of the makespan" for mean, pair in found]),
            advice="Give the agents work of like length (the same limit of tokens, num_predict, for all), or compare only the time in "
            "which all ran. A slowdown of the whole run is then less than that of the time together.",
            configurations=configs(_Named(pair) for _, pair in found),
        )


def unfair(summary: SweepSummary) -> Iterator[Finding]:
    found = []
    for pair in summary.pair_configurations:
        apart = [one for of in NAMES for one in [_apart(pair, of)] if one is not None]
        if apart:
            found.append((max(apart, key=lambda one: _value(one[1]) / _value(one[3])), pair))
    if not found:
        return
    found.sort(key=lambda entry: -_value(entry[0][1]) / _value(entry[0][3]))
    yield Finding(
        rule="agents-unfair",
        severity="warning",
        text=f"the server served agents unevenly in {plural(len(found), 'configuration')}: one was slowed down much more than another",
        evidence=first_of(
            [
                f"{pair.config}: {NAMES[worst.of]} of {of_worst} {_times(worst)} times worse than alone, of {of_least} {_times(least)}"
                for (of_worst, worst, of_least, least), pair in found
            ]
        ),
        advice="Look at what differs between the agents: lengths of prompts and answers, parameters, model. Servers that admit requests in order "
        "favour the one with the shorter prompts. Quote each agent's slowdown, not their mean.",
        configurations=configs(_Named(pair) for _, pair in found),
    )


def other_work(summary: SweepSummary) -> Iterator[Finding]:
    found = []
    for pair in summary.pair_configurations:
        told = [(m.tokens.mean, m.agent) for m in pair.members if m.tokens.mean]
        if len(told) > 1 and max(told)[0] / min(told)[0] > OTHER_WORK:
            found.append((max(told), min(told), pair))
    if found:
        found.sort(key=lambda entry: -entry[0][0] / entry[1][0])
        yield Finding(
            rule="agents-works-differ",
            severity="note",
            text=f"agents of {plural(len(found), 'configuration')} wrote answers of very different length: the longer one runs alone at the "
            "end, and a makespan is mostly its own",
            evidence=first_of(
                [
                    f"{pair.config}: {most[1]} {most[0]:.0f} tokens a run, {least[1]} {least[0]:.0f}"
                    for most, least, pair in found
                ]
            ),
            advice="Read the part of the time with all active beside every slowdown; a limit of tokens (num_predict) makes the works alike.",
            configurations=configs(_Named(pair) for *_, pair in found),
        )


def other_than_alone(summary: SweepSummary) -> Iterator[Finding]:
    found = [
        (together, alone, member, pair)
        for pair in summary.pair_configurations
        for member in pair.members
        for together, alone in [(member.tokens.mean, member.solo_tokens.mean)]
        if together and alone and max(together / alone, alone / together) > OTHER_THAN_ALONE
    ]
    if found:
        yield Finding(
            rule="agents-wrote-other-lengths-alone",
            severity="note",
            text=f"{plural(len(found), 'agent')} wrote answers of another length together than alone: makespans are not of the same "
            "work (rates, paces and the gain are per token)",
            evidence=first_of(
                [
                    f"{member.agent} in {pair.config}: {together:.0f} tokens a run together, {alone:.0f} alone"
                    for together, alone, member, pair in found
                ]
            ),
            advice="Compare tokens per second, not seconds; more runs, temperature 0 or a limit of tokens make the works alike.",
            configurations=configs(_Named(pair) for *_, pair in found),
        )


class _Named:
    """A configuration of several agents as phrases take it."""

    def __init__(self, pair: PairConfiguration) -> None:
        self.config = pair.config
        self.agent = ", ".join(pair.agents)


def _value(slowdown: Slowdown) -> float:
    return slowdown.ratio.value if slowdown.ratio is not None else 0.0


def _times(slowdown: Slowdown) -> str:
    """``1.80 (95 % interval 1.76 to 1.83)``."""
    if slowdown.ratio is None:
        return "?"
    interval = slowdown.ratio.interval
    within = "" if interval is None else f" (95 % interval {ends(interval)})"
    return f"{slowdown.ratio.value:.{decimals(interval)}f}{within}"


def _largest(member: PairAgent) -> Slowdown | None:
    """The largest slowdown of those that are shown."""
    return max((s for s in member.slowdowns if s.verdict == "slowed down"), key=_value, default=None)


def _apart(pair: PairConfiguration, of: SlowdownOf) -> tuple[str, Slowdown, str, Slowdown] | None:
    """The agents with the largest and the smallest slowdown, where these are far apart and their intervals don't meet."""
    told = [
        (m.agent, s)
        for m in pair.members
        for s in m.slowdowns
        if s.of == of and s.ratio is not None and s.ratio.interval is not None
    ]
    if len(told) < 2:
        return None
    worst, least = max(told, key=lambda one: _value(one[1])), min(told, key=lambda one: _value(one[1]))
    a, b = worst[1].ratio, least[1].ratio
    if a is None or b is None or a.interval is None or b.interval is None:
        return None
    if worst[1].verdict != "slowed down" or not b.value > 0 or a.value / b.value < UNFAIR:
        return None
    return (*worst, *least) if a.interval.low > b.interval.high else None
