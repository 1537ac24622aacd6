"""Phrases that rules and verdicts share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from analysis.formatting import ends, p_words, signed, two_digits
from analysis.metrics import BY_KEY
from analysis.models import Comparison

MOST_NAMES = 3
MOST_EVIDENCE = 3
MOST_DETECTABLE = 100
"""Per cent."""


class Named(Protocol):
    """What has a configuration's and an agent's name."""

    @property
    def config(self) -> str: ...

    @property
    def agent(self) -> str: ...


def mention(entry: Named, several_agents: bool) -> str:
    """The configuration's name, with the agent's where there are several."""
    return f"{entry.config} ({entry.agent})" if several_agents else entry.config


def several_agents(entries: Iterable[Named]) -> bool:
    return len({entry.agent for entry in entries}) > 1


def mentions(entries: Sequence[Named], several: bool) -> str:
    """The first few names of many."""
    return some([mention(entry, several) for entry in entries])


def some(names: Iterable[str]) -> str:
    """Join names, the first few of many."""
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - MOST_NAMES} more" if len(distinct) > MOST_NAMES else ""
    return ", ".join(distinct[:MOST_NAMES]) + more


def first_of(evidence: Sequence[str]) -> tuple[str, ...]:
    """The first few of many lines, and how many more there are."""
    if len(evidence) <= MOST_EVIDENCE:
        return tuple(evidence)
    return (*evidence[:MOST_EVIDENCE], f"… and {len(evidence) - MOST_EVIDENCE} more")


def share(fraction: float) -> str:
    """``70.1 %`` from 0.701."""
    return f"{100 * fraction:.1f} %"


def listed(texts: Sequence[str]) -> str:
    """``a, b and c``."""
    return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else "".join(texts)


def configs(entries: Iterable[Named]) -> tuple[str, ...]:
    """Names of the configurations that a finding concerns, each once."""
    return tuple(dict.fromkeys(entry.config for entry in entries))


def difference(comparison: Comparison) -> str:
    """``+12.3 % (95 % interval 11.8 to 12.9 %, adjusted p < 0.001)``, as far as it is known."""
    interval = comparison.percent_interval
    if comparison.percent is None:
        return signed(comparison.difference, comparison.difference_interval, BY_KEY[comparison.metric].unit)
    within = []
    if interval is not None:
        within.append(f"95 % interval {ends(interval)} %")
    if comparison.p_holm is not None:
        within.append(f"adjusted {p_words(comparison.p_holm)}")
    told = f" ({', '.join(within)})" if within else ""
    return f"{signed(comparison.percent, interval)} %{told}"


def detectable_words(percent: float) -> str:
    """What could have been shown; of what is beyond all that could be, only that."""
    if percent > MOST_DETECTABLE:
        return f"only a true difference of more than {MOST_DETECTABLE} % would have been shown"
    return f"a true difference of {two_digits(percent)} % would have been shown with a probability of 80 %"


def verdict_words(comparison: Comparison) -> str:
    """A comparison's verdict with what it rests on: what was seen, or what could have been seen."""
    match comparison.verdict:
        case "better" | "worse":
            return f"{comparison.verdict}, {difference(comparison)}"
        case "no difference shown":
            power = (
                ""
                if comparison.detectable_percent is None
                else f"; {detectable_words(comparison.detectable_percent)}"
            )
            return f"no difference shown, {difference(comparison)}{power}"
        case "below the floor":
            return "below the measurement floor: no difference"
        case _:
            return comparison.verdict + (f": {comparison.why}" if comparison.why else "")
