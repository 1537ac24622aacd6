"""Which configuration of one result is which of the other."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Literal

from analysis.compare.models import Allowable, Match, Unmatched
from analysis.models import ConfigurationSummary

RULE = (
    "Configurations are matched by the content hash of model and parameters, within one agent. Where a result does "
    "not tell it, they are matched by name."
)

Pair = tuple[ConfigurationSummary, ConfigurationSummary]
_Key = Callable[[ConfigurationSummary], Hashable | None]
_By = Literal["id", "parameters", "name"]


def match(
    baseline: Sequence[ConfigurationSummary],
    candidate: Sequence[ConfigurationSummary],
    allow: frozenset[Allowable],
) -> tuple[list[tuple[Match, Pair]], list[ConfigurationSummary], list[ConfigurationSummary]]:
    """Return the matched pairs in the baseline's order, and those that are in one result alone.

    By the id where both have it; where one has none, by name. ``allow`` with ``model`` also matches those with
    the same parameters of another model; with ``parameters``, those of the same name.
    A key that stands twice in a result matches nothing: it does not tell which is meant.
    """
    left, right = list(baseline), list(candidate)
    found: list[tuple[Match, Pair]] = []

    def take(by: _By, key: _Key, may: Callable[[Pair], bool]) -> None:
        pairs = [pair for pair in _unique_pairs(left, right, key) if may(pair)]
        for a, b in pairs:
            found.append((Match(agent=a.agent, baseline=a.config, candidate=b.config, by=by), (a, b)))
        taken = {id(c) for pair in pairs for c in pair}
        left[:] = [c for c in left if id(c) not in taken]
        right[:] = [c for c in right if id(c) not in taken]

    take("id", lambda c: c.config_id, lambda pair: True)
    take("name", lambda c: c.config, _one_has_no_id)
    if "model" in allow:
        take("parameters", _parameters, lambda pair: True)
    if "parameters" in allow:
        take("name", lambda c: c.config, lambda pair: True)
    order = {id(c): place for place, c in enumerate(baseline)}
    found.sort(key=lambda entry: order[id(entry[1][0])])
    return found, left, right


def named(configurations: Sequence[ConfigurationSummary]) -> tuple[Unmatched, ...]:
    return tuple(Unmatched(agent=c.agent, config=c.config) for c in configurations)


def would_match(
    baseline: Sequence[ConfigurationSummary], candidate: Sequence[ConfigurationSummary]
) -> dict[Allowable, int]:
    """Return how many configurations ``--allow`` of each would match, where any."""
    names: tuple[Allowable, ...] = ("model", "parameters")
    counts = {name: len(match(baseline, candidate, frozenset({name}))[0]) for name in names}
    return {name: count for name, count in counts.items() if count}


def _unique_pairs(
    left: Sequence[ConfigurationSummary], right: Sequence[ConfigurationSummary], key: _Key
) -> list[Pair]:
    a, b = _by_unique(left, key), _by_unique(right, key)
    return [(a[at], b[at]) for at in a if at in b]


def _by_unique(
    configurations: Sequence[ConfigurationSummary], key: _Key
) -> dict[Hashable, ConfigurationSummary]:
    found: dict[Hashable, list[ConfigurationSummary]] = {}
    for c in configurations:
        value = key(c)
        if value is not None:
            found.setdefault((c.agent, value), []).append(c)
    return {at: several[0] for at, several in found.items() if len(several) == 1}


def _one_has_no_id(pair: Pair) -> bool:
    return pair[0].config_id is None or pair[1].config_id is None


def _parameters(c: ConfigurationSummary) -> Hashable | None:
    return None if c.parameters is None else tuple(sorted(c.parameters.items()))
