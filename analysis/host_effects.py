"""The slots of a pool apart from the configurations: do they differ, and which one stands apart.

Any free slot takes the next job, so that slots meet configurations and blocks unequally often: effects are those
of the additive model configuration + block + slot, never raw means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.metrics import METRICS, Metric
from analysis.models import ConfigurationSummary, HostEffects, RunFigures, SlotEffect
from analysis.statistics.additive import Additive, Codes
from analysis.statistics.interval import LEVEL, Interval
from analysis.statistics.variance_components import Apart, component, stand_apart

ALPHA = 1 - LEVEL
MIN_RUNS = 2
"""Of a slot, to be compared."""
OUTLYING_PERCENT = 1.0
"""Slots are never exactly alike, and many runs show any difference. Named is one as large as what makes a call
suspect."""
_ROUNDING = 1e-24
"""Variance of logarithms of equal figures."""

RULE = (
    "Logarithms of the figures of complete runs, with configurations and blocks taken out by least squares. Each slot is "
    "compared with the mean of the other slots of its pool that do not stand apart themselves; it stands apart where p "
    "after Holm's correction, over slots and over all metrics and pools of the report, is below 0.05, the difference is at "
    f"least {OUTLYING_PERCENT:g} %, and fewer than half of the pool do. Of two slots the worse one is named: nothing tells "
    "which of them is the odd one."
)


@dataclass(frozen=True)
class _Pool:
    """The runs of the slots of one pool that can be compared with each other."""

    metric: Metric
    agent: str
    pool: str | None
    slots: tuple[str, ...]
    runs: tuple[int, ...]
    """Of each slot."""
    fit: Additive


def host_effects(configurations: Sequence[ConfigurationSummary]) -> tuple[HostEffects, ...]:
    """Compare the slots of each pool, a metric and an agent each.

    Nothing for a pool without two slots that share a configuration with each other, directly or through other
    slots, and have at least :data:`MIN_RUNS` runs each.
    """
    pools = [
        made
        for agent in dict.fromkeys(c.agent for c in configurations)
        for metric in METRICS
        for made in _pools([c for c in configurations if c.agent == agent], metric, agent)
    ]
    return tuple(made for pool in pools if (made := _analysed(pool, len(pools))) is not None)


def _pools(configurations: Sequence[ConfigurationSummary], metric: Metric, agent: str) -> list[_Pool]:
    by_pool: dict[str | None, list[tuple[str, RunFigures]]] = defaultdict(list)
    for c in configurations:
        for run in c.over_runs.runs:
            if run.complete and run.slot is not None and getattr(run, metric.key) is not None:
                by_pool[run.pool].append((c.config, run))
    found = []
    for pool, runs in by_pool.items():
        made = _connected(runs)
        # A share can be 0 and has no logarithm; it is the model's doing and no slot's.
        if made and all(getattr(run, metric.key) > 0 for _, run in made):
            found.append(_fitted(metric, agent, pool, made))
    return [pool for pool in found if pool.fit.error_df > 0]


def _connected(runs: Sequence[tuple[str, RunFigures]]) -> list[tuple[str, RunFigures]]:
    """Return the runs of the largest set of slots that can be told apart from configurations; none of fewer than 2."""
    counts: dict[str | None, int] = defaultdict(int)
    for _, run in runs:
        counts[run.slot] += 1
    kept = [(config, run) for config, run in runs if counts[run.slot] >= MIN_RUNS]
    slots_of: dict[str, set[str]] = defaultdict(set)
    for config, run in kept:
        if run.slot is not None:
            slots_of[config].add(run.slot)
    groups: list[set[str]] = []
    for slots in slots_of.values():
        touching = [group for group in groups if group & slots]
        groups = [group for group in groups if not group & slots]
        groups.append(slots.union(*touching))
    largest = max(groups, key=lambda group: (len(group), sorted(group)), default=set())
    return [(config, run) for config, run in kept if run.slot in largest] if len(largest) > 1 else []


def _fitted(metric: Metric, agent: str, pool: str | None, runs: Sequence[tuple[str, RunFigures]]) -> _Pool:
    values = np.log(np.array([getattr(run, metric.key) for _, run in runs], dtype=np.float64))
    slots = tuple(sorted({run.slot for _, run in runs if run.slot is not None}))
    cells = _codes([config for config, _ in runs])
    codes = np.array([slots.index(str(run.slot)) for _, run in runs], dtype=np.intp)
    factors, counts = {"slot": codes}, tuple(int(n) for n in np.bincount(codes))
    blocks = [run.block for _, run in runs]
    if None not in blocks and len(set(blocks)) > 1:
        with_blocks = Additive(values, cells, {**factors, "block": _codes(blocks)})
        # Blocks may take from slots what there is to see: then drift stays in the noise.
        if with_blocks.error_df > 0 and with_blocks.terms["slot"].df == len(slots) - 1:
            return _Pool(metric, agent, pool, slots, counts, with_blocks)
    return _Pool(metric, agent, pool, slots, counts, Additive(values, cells, factors))


def _analysed(pool: _Pool, tests: int) -> HostEffects | None:
    fit = pool.fit
    between, noise = component(fit, "slot"), fit.mean_square
    if between is None or noise is None or between + noise <= _ROUNDING:
        return None
    large = float(np.log1p(OUTLYING_PERCENT / 100))
    found = stand_apart(fit, "slot", ALPHA, large, tests)
    return HostEffects(
        metric=pool.metric.key,
        agent=pool.agent,
        pool=pool.pool,
        variance_share=between / (between + noise),
        sd_percent=100 * float(np.sqrt(between)),
        slots=tuple(
            _slot(slot, n, one, pool.metric, len(pool.slots) == 2)
            for slot, n, one in zip(pool.slots, pool.runs, found, strict=True)
        ),
    )


def _slot(slot: str, runs: int, one: Apart, metric: Metric, of_two: bool) -> SlotEffect:
    worse = (one.difference < 0) == (metric.better == "higher")
    return SlotEffect(
        slot=slot,
        runs=runs,
        percent=_percent(one.difference),
        interval=Interval(
            low=_percent(one.difference - one.half_width),
            high=_percent(one.difference + one.half_width),
            method="t",
        ),
        p=one.p,
        p_holm=one.p_holm,
        outlying=one.named and (worse or not of_two),
    )


def _percent(logarithm: float) -> float:
    return float(100 * np.expm1(logarithm))


def _codes(levels: Sequence[object]) -> Codes:
    places = {level: place for place, level in enumerate(dict.fromkeys(levels))}
    return np.array([places[level] for level in levels], dtype=np.intp)
