"""What is said of several agents at the same time: ratios, verdicts, the answer in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.models.pairs import Fairness, PairAgent, PairConfiguration, Ratio, Slowdown, SlowdownOf
from analysis.pairs.slowdown import NAMES
from analysis.rendering.numbers import ABSENT, decimals, ends, percent, plural
from analysis.statistics.description import Description

TITLES: dict[SlowdownOf, str] = {"rate": "Rate", "ttft": "TTFT", "pace": "Pace"}
_MOST_NAMED = 3


def ratio_text(ratio: Ratio | None) -> str:
    """``1.82 (1.79 to 1.85)``; without an interval the ratio alone."""
    if ratio is None:
        return ABSENT
    within = "" if ratio.interval is None else f" ({ends(ratio.interval)})"
    return f"{ratio.value:.{decimals(ratio.interval)}f}{within}"


def slowdown_of(member: PairAgent, of: SlowdownOf) -> Slowdown | None:
    return next((s for s in member.slowdowns if s.of == of), None)


def slowdown_text(found: Slowdown | None) -> str:
    return ABSENT if found is None else ratio_text(found.ratio)


def detectable_text(member: PairAgent) -> str:
    """``rate 1.04, TTFT 1.02``: the slowdowns that would have been shown; nothing where none is known."""
    return ", ".join(
        f"{NAMES[s.of]} {s.detectable:.2f}" for s in member.slowdowns if s.detectable is not None
    )


def verdict_text(member: PairAgent, *, with_detectable: bool = True) -> str:
    """``slowed down``, ``none shown (would have been shown: rate 1.04, TTFT 1.02)``, ``not known: it was not measured alone``."""
    if member.contention == "slowed down":
        return "slowed down"
    why = f": {member.why}" if member.contention == "not known" and member.why else ""
    seen = detectable_text(member) if with_detectable else ""
    return f"{member.contention}{why}" + (f" (would have been shown: {seen})" if seen else "")


def contention_text(pair: PairConfiguration) -> str:
    """The verdict on all agents; whom it concerns where not all."""
    if pair.contention == "none shown":
        return pair.contention
    concerned = [m.agent for m in pair.members if m.contention == pair.contention]
    whom = "" if len(concerned) == len(pair.members) else f": {', '.join(concerned)}"
    whys = dict.fromkeys(m.why for m in pair.members if m.contention == "not known" and m.why)
    why = f" ({'; '.join(whys)})" if pair.contention == "not known" and whys else ""
    return f"{pair.contention}{whom}{why}"


def share_text(described: Description) -> str:
    """``97.5% (96.6% to 98.5%)``; of one run the share alone. No end lies where no share can be."""
    if described.mean is None:
        return ABSENT
    interval = described.mean_interval
    if interval is None:
        return percent(described.mean)
    return (
        f"{percent(described.mean)} ({percent(max(interval.low, 0.0))} to {percent(min(interval.high, 1.0))})"
    )


def fairness_text(found: Fairness | None) -> str:
    """Jain's index, and of what, where it is not of progress."""
    if found is None:
        return ABSENT
    return f"{found.jain:.3f}{'' if found.of == 'progress' else ' (of raw figures)'}"


def runs_of(pair: PairConfiguration) -> str:
    """``5 of 6``."""
    return f"{pair.runs_complete} of {max(pair.runs, pair.runs_planned or 0)}"


def agents_of(pair: PairConfiguration) -> str:
    return ", ".join(pair.agents)


def answer(pairs: Sequence[PairConfiguration]) -> str:
    """Say first whether the agents slowed each other down."""
    if len(pairs) == 1:
        return f"{_of_one(pairs[0])}.{_gained(pairs[0])}"
    slowed = [pair for pair in pairs if pair.contention == "slowed down"]
    none = sum(pair.contention == "none shown" for pair in pairs)
    unknown = len(pairs) - len(slowed) - none
    told = [
        f"at least one agent was slowed down in {len(slowed)}"
        if slowed
        else "no agent was shown to be slowed down",
        *([f"no slowdown is shown in {none}"] if none and slowed else []),
        *([f"{unknown} can't be told"] if unknown else []),
    ]
    text = (
        f"Of {plural(len(pairs), 'configuration')} with several agents at the same time: {', '.join(told)}."
    )
    largest = max(
        ((s.ratio.value, pair, m, s) for pair, m, s in _shown(slowed) if s.ratio is not None),
        key=lambda entry: entry[0],
        default=None,
    )
    if largest is not None:
        _, pair, member, found = largest
        text += f" The largest: {member.agent} in {pair.config}, {_by(found)}."
    return text


def _shown(
    pairs: Iterable[PairConfiguration],
) -> Iterable[tuple[PairConfiguration, PairAgent, Slowdown]]:
    return (
        (pair, m, s)
        for pair in pairs
        for m in pair.members
        for s in m.slowdowns
        if s.verdict == "slowed down"
    )


def _of_one(pair: PairConfiguration) -> str:
    match pair.contention:
        case "slowed down":
            slowed = [(m, s) for m in pair.members for s in [_largest(m)] if s is not None]
            named = [f"{m.agent} most {_by(s)}" for m, s in slowed[:_MOST_NAMED]]
            more = len(slowed) - len(named)
            named += [f"{plural(more, 'further agent')} too"] if more else []
            return f"Running at the same time slows agents down, against themselves alone: {'; '.join(named)}"
        case "none shown":
            seen = "; ".join(
                f"{m.agent}: {told}" for m in pair.members for told in [detectable_text(m)] if told
            )
            return "No slowdown of any agent is shown" + (
                f"; these runs would have shown one with a probability of 80 % from {seen} on" if seen else ""
            )
        case _:
            whys = [f"{m.agent}: {m.why}" for m in pair.members if m.contention == "not known" and m.why]
            return f"Whether the agents slowed each other down is not known ({'; '.join(whys)})"


def _by(found: Slowdown) -> str:
    """``in its rate, by a factor of 1.80 (1.76 to 1.83)``."""
    return f"in its {NAMES[found.of]}, by a factor of {slowdown_text(found)}"


def _largest(member: PairAgent) -> Slowdown | None:
    shown = [(s.ratio.value, s) for s in member.slowdowns if s.verdict == "slowed down" and s.ratio]
    return max(shown, key=lambda entry: entry[0])[1] if shown else None


def _gained(pair: PairConfiguration) -> str:
    together, alone, gain = pair.system_tok_s.mean, pair.alone_tok_s.mean, pair.gain
    if together is None or alone is None or gain is None or pair.gain_comparison is None:
        return ""
    shown = {"better": "", "worse": ""}.get(
        pair.gain_comparison.verdict, f" ({pair.gain_comparison.verdict})"
    )
    return (
        f" All together make {together:.2f} tok/s, one after the other they would make {alone:.2f}: {ratio_text(gain)} times as "
        f"much{shown}."
    )
