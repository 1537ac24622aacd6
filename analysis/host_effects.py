"""The slots of a pool apart from the configurations: do they differ, and which one stands apart.

Any free slot takes the next job, so that slots meet configurations and blocks unequally often: effects are those
of the additive model configuration + block + slot, never raw means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.metrics import METRICS, Metric
from analysis.models import ConfigurationSummary, HostEffects, SlotEffect
from analysis.samples import Integers, Names, Sample, plot_of, sample, together
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
    "Logarithms of the figures of complete runs (where models were loaded plot by plot: of the means of loads on one "
    "slot), with configurations and blocks taken out by least squares. Each slot is "
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
    """Of each slot: runs, or loads where models were loaded plot by plot."""
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
    found = [(c, known) for c in configurations if (known := sample(c.over_runs, metric)).size]
    if not found:
        return []
    sizes = [known.size for _, known in found]
    names = {config: place for place, config in enumerate(dict.fromkeys(c.config for c, _ in found))}
    plots = {plot: place for place, plot in enumerate(dict.fromkeys(plot_of(c) for c, _ in found))}
    cells = np.repeat(np.array([names[c.config] for c, _ in found], dtype=np.intp), sizes)
    of_plot = np.repeat(np.array([plots[plot_of(c)] for c, _ in found], dtype=np.intp), sizes)
    runs = together([known for _, known in found])
    made = []
    for pool in dict.fromkeys(runs.pools.tolist()):
        chosen = np.flatnonzero((runs.pools == pool) & (runs.slots != None))  # noqa: E711 (element by element)
        one = _comparable(metric, agent, pool, runs.where(chosen), cells[chosen], of_plot[chosen])
        if one is not None and one.fit.error_df > 0:
            made.append(one)
    return made


def _comparable(
    metric: Metric, agent: str, pool: str | None, runs: Sample, cells: Codes, plots: Codes
) -> _Pool | None:
    if runs.has_loads:  # a load is on one slot: it is the unit
        return (
            _fitted(metric, agent, pool, *_of_loads(runs, cells, plots)) if (runs.values > 0).all() else None
        )
    kept = _connected(runs.slots, cells)
    runs, cells = runs.where(kept), cells[kept]
    # A share can be 0 and has no logarithm; it is the model's doing and no slot's.
    if not runs.size or not (runs.values > 0).all():
        return None
    return _fitted(metric, agent, pool, replace(runs, values=np.log(runs.values)), cells)


def _of_loads(runs: Sample, cells: Codes, plots: Codes) -> tuple[Sample, Codes]:
    """Return the means of loads, configurations taken out (logarithms), and their plots; of slots that can be compared."""
    both = np.column_stack([plots, runs.own_loads()])
    loads, first, of_run = np.unique(both, axis=0, return_index=True, return_inverse=True)
    of_run = of_run.reshape(-1).astype(np.intp)
    fit = Additive(np.log(runs.values), _dense(cells), {"load": of_run})
    plot_of_load = _dense(loads[:, 0].astype(np.intp))
    effects = fit.effects[fit.columns("load")]
    centred = effects - (np.bincount(plot_of_load, effects) / np.bincount(plot_of_load))[plot_of_load]
    adjusted = fit.adjusted_means()
    plot_of_cell = np.zeros(adjusted.size, dtype=np.intp)
    plot_of_cell[_dense(cells)] = plot_of_load[of_run]
    of_plot = np.bincount(plot_of_cell, adjusted) / np.bincount(plot_of_cell)
    made = replace(runs.where(first), values=of_plot[plot_of_load] + centred)
    made = replace(made, blocks=made.loads)
    at = _connected(made.slots, plot_of_load)
    return made.where(at), plot_of_load[at]


def _connected(slots: Names, cells: Codes) -> Codes:
    """Return where the runs are of the largest set of slots that can be told apart from cells; none of fewer than 2."""
    _, codes = _named(slots)
    often = np.bincount(codes) >= MIN_RUNS
    slots_of: dict[int, set[int]] = defaultdict(set)
    met = np.bincount((cells * often.size + codes)[often[codes]])
    for both in np.flatnonzero(met).tolist():
        slots_of[both // often.size].add(both % often.size)
    groups: list[set[int]] = []
    for found in slots_of.values():
        touching = [group for group in groups if group & found]
        groups = [group for group in groups if not group & found]
        groups.append(found.union(*touching))
    largest = max(groups, key=lambda group: (len(group), sorted(group)), default=set())
    if len(largest) < 2:
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(np.isin(codes, sorted(largest)))


def _fitted(metric: Metric, agent: str, pool: str | None, runs: Sample, cells: Codes) -> _Pool | None:
    if not runs.size:
        return None
    slots, codes = _named(runs.slots)
    counts = tuple(np.bincount(codes).tolist())
    factors, cells = {"slot": codes}, _dense(cells)
    if runs.has_blocks and np.unique(runs.blocks).size > 1:
        with_blocks = Additive(runs.values, cells, {**factors, "block": _dense(runs.blocks)})
        # Blocks may take from slots what there is to see: then drift stays in the noise.
        if with_blocks.error_df > 0 and with_blocks.terms["slot"].df == len(slots) - 1:
            return _Pool(metric, agent, pool, slots, counts, with_blocks)
    return _Pool(metric, agent, pool, slots, counts, Additive(runs.values, cells, factors))


def _named(slots: Names) -> tuple[tuple[str, ...], Codes]:
    """Return the slots' names, sorted, and each run's place among them."""
    found = slots.tolist()
    names = tuple(sorted(set(found)))
    places = {name: place for place, name in enumerate(names)}
    return names, np.fromiter(map(places.__getitem__, found), dtype=np.intp, count=len(found))


def _dense(codes: Codes | Integers) -> Codes:
    """Return the same codes without gaps."""
    present = np.bincount(codes) > 0
    places = np.cumsum(present) - 1
    found: Codes = places[codes].astype(np.intp)
    return found


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
