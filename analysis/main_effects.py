"""Which axes matter: the factorial analysis of each metric of each agent, by axis, slot, block and noise."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.comparisons import error_of_look
from analysis.metrics import METRICS, Metric
from analysis.models import (
    AxisEffect,
    AxisLevel,
    ConfigurationSummary,
    InertAxis,
    InteractionEffect,
    MainEffects,
    Trend,
)
from analysis.samples import UNKNOWN, Integers, Names, Sample, sample, together
from analysis.statistics.additive import Additive, Codes, Floats, Term
from analysis.statistics.factorial import Design, Factorial, Level, Noise, analyse, beyond_noise, p_of
from analysis.statistics.holm import holm
from analysis.statistics.interval import LEVEL, Interval
from contracts.configuration import PARAMETER_NAMES, format_value
from contracts.plots import RELOADING

ALPHA = 1 - LEVEL
Value = str | int | float | None
Pair = tuple[int, int]
_ROUNDING = 1e-24
RULE = (
    "Analysis of variance of the logarithms of the runs' figures (of the figures themselves where one is not above "
    "0), over complete runs. Configurations' means are taken with slots and blocks taken out; each configuration "
    "counts the same. A share is epsilon²: what a term explains beyond what noise alone would, as a fraction of the "
    "variance between runs. F tests against the noise between runs of the same configuration, corrected by Holm over "
    "the axes and interactions of one metric. Where models were loaded plot by plot, axes whose change reloads (model, num_ctx, "
    "num_gpu) are tested against the noise between the means of a plot's loads, the others within loads (split-plot design). Drift is the slope on the block's number with configurations and slots "
    "taken out, corrected by Holm over all metrics."
)


@dataclass(frozen=True)
class _Data:
    """The complete runs with a figure, and the configurations (cells) that they are of."""

    metric: Metric
    runs: Sample
    cells: Codes
    """Of each run."""
    axes: Mapping[str, tuple[Value, ...]]
    """Axis → its values, in order."""
    codes: tuple[Codes, ...]
    """Of each axis: the place of each cell's value."""


@dataclass(frozen=True)
class _Found:
    """What the analysis of variance found, whichever the design; axes by their positions."""

    terms: tuple[Term, ...]
    tests: tuple[float | None, ...]
    levels: tuple[tuple[Level, ...], ...]
    separate: tuple[bool, ...]
    pairs: Mapping[Pair, Term]
    """Those that can be estimated."""
    pair_tests: Mapping[Pair, float | None]
    shares: Mapping[object, float]
    noise_known: bool
    noise_from_cells: bool
    notes: tuple[str, ...] = ()
    loads: int | None = None


def main_effects(
    configurations: Sequence[ConfigurationSummary], inert: Sequence[InertAxis], looks: int | None = None
) -> tuple[MainEffects, ...]:
    """Analyse each metric of each agent; nothing where no axis varies among the runs that have it."""
    made = []
    designs: dict[tuple[bytes, ...], Design] = {}
    for agent in dict.fromkeys(c.agent for c in configurations):
        of_agent = [c for c in configurations if c.agent == agent and c.parameters is not None]
        for metric in METRICS:
            data = _data(of_agent, metric)
            if data is not None:
                # Mostly all metrics have the same configurations.
                key = tuple(c.tobytes() for c in data.codes)
                if key not in designs:
                    designs[key] = Design(data.codes)
                made.append(_analysed(data, designs[key], agent, of_agent, inert, looks))
    made = _corrected(made)
    corrected = holm([m.drift.p if m.drift else None for m in made])
    return tuple(_with_drift(m, p) for m, p in zip(made, corrected, strict=True))


def _data(configurations: Sequence[ConfigurationSummary], metric: Metric) -> _Data | None:
    found: list[Sample] = []
    points: list[dict[str, Value]] = []
    cells: list[int] = []
    places: dict[tuple[Value, ...], int] = {}
    for c in configurations:
        known = sample(c.over_runs, metric)
        if not known.size:
            continue
        point = _point(c)
        place = places.setdefault(tuple(point.values()), len(places))
        if place == len(points):
            points.append(point)
        found.append(known)
        cells.append(place)
    if len(points) < 2:
        return None
    axes = {
        name: tuple(sorted(values, key=_order))
        for name in points[0]
        if len(values := {point[name] for point in points}) > 1
    }
    codes = tuple(
        np.array([values.index(point[name]) for point in points], dtype=np.intp)
        for name, values in axes.items()
    )
    of_runs = np.repeat(np.array(cells, dtype=np.intp), [one.size for one in found])
    return _Data(metric, together(found), of_runs, axes, codes)


def _point(c: ConfigurationSummary) -> dict[str, Value]:
    given = c.parameters or {}
    return {"model": c.model, **{name: given.get(name) for name in PARAMETER_NAMES}}


def _analysed(
    data: _Data,
    design: Design,
    agent: str,
    configurations: Sequence[ConfigurationSummary],
    inert: Sequence[InertAxis],
    looks: int | None,
) -> MainEffects:
    figures = data.runs.values
    logs = bool((figures > 0).all())
    values = np.log(figures) if logs else figures
    scale = 1.0 if logs else float(np.mean(values**2))
    whole = [index for index, name in enumerate(data.axes) if name in RELOADING]
    plotted = data.runs.has_loads
    found = (
        _of_plots(data, design, values, whole, scale) if plotted else _of_runs(data, design, values, scale)
    )
    notes = [*found.notes, *_notes_of_design(data, found, configurations)]
    names = list(data.axes)
    # As in comparisons: how many runs there are was decided by looking at them.
    beyond = ALPHA / error_of_look(looks)
    cells = np.bincount(data.cells)
    return MainEffects(
        metric=data.metric.key,
        agent=agent,
        runs=values.size,
        axes=tuple(
            AxisEffect(
                axis=name,
                levels=_axis_levels(data, index, found.levels[index], logs),
                share=found.shares.get(("axis", index)),
                largest_percent=_largest(found.levels[index], logs) if found.separate[index] else None,
                p=_allowing(found.tests[index], beyond),
                inert=_inert(name, configurations, inert),
            )
            for index, name in enumerate(names)
        ),
        interactions=tuple(
            InteractionEffect(
                axes=(names[pair[0]], names[pair[1]]),
                share=found.shares.get(("pair", pair)),
                p=_allowing(found.pair_tests[pair], beyond),
            )
            for pair in found.pairs
        ),
        slot_share=found.shares.get("slot"),
        block_share=found.shares.get("block"),
        load_share=found.shares.get("load"),
        loads=found.loads,
        higher_share=found.shares.get("higher"),
        residual_share=found.shares.get("residual"),
        balanced=design.crossed and len(set(cells.tolist())) == 1,
        drift=_drift(data, values, logs),
        notes=tuple(notes),
    )


def _allowing(p: float | None, beyond: float) -> float | None:
    return None if p is None else min(1.0, p * beyond)


def _of_runs(data: _Data, design: Design, values: Floats, scale: float) -> _Found:
    """All configurations in one randomised order: the run is the unit of all terms."""
    factors, notes = _factors(data.cells, values, {"slot": data.runs.slots, "block": data.runs.blocks})
    fit = Additive(values, data.cells, factors)
    between = fit.mean_square
    noise = Noise(between, fit.error_df) if between is not None else None
    worth = fit.worth() if noise is not None else 1.0
    made = analyse(fit.adjusted_means(), fit.counts * worth, design, noise)
    pairs = {pair: term for pair, term in made.interactions.items() if term.df}
    parts: dict[object, float] = {}
    if made.noise is not None:
        for index, term in enumerate(made.axes):
            if term.df:
                parts["axis", index] = beyond_noise(term, made.noise) / worth
        for pair, term in pairs.items():
            parts["pair", pair] = beyond_noise(term, made.noise) / worth
        parts |= _of_factors(fit, made.noise)
        if made.higher.df:
            parts["higher"] = beyond_noise(made.higher, made.noise) / worth
        parts["residual"] = made.noise.mean_square * (values.size - 1)
    return _Found(
        terms=made.axes,
        tests=tuple(p_of(term, made.noise) for term in made.axes),
        levels=made.levels,
        separate=made.separate,
        pairs=pairs,
        pair_tests={pair: p_of(term, made.noise) for pair, term in pairs.items()},
        shares=_shares(parts, values.size, scale),
        noise_known=made.noise is not None,
        noise_from_cells=made.noise_from_cells,
        notes=tuple(notes),
    )


def _of_plots(data: _Data, design: Design, values: Floats, whole: Sequence[int], scale: float) -> _Found:
    """A split-plot design: axes whose change reloads the model have the load as their unit, the others the run.

    Two strata, each with a noise of its own: means of loads between plots, and runs within loads. Sources: G. E. P. Box,
    J. S. Hunter, W. G. Hunter, Statistics for Experimenters, 2nd ed. (2005), ch. 9; B. Jones, C. J. Nachtsheim,
    Split-plot designs: what, why, and how, Journal of Quality Technology 41 (2009) 340–361.
    """
    plot_of_cell = _plots(data, whole)
    plots, load_of_run = _loads(data, plot_of_cell)
    factors, notes = _factors(data.cells, values, {"load": load_of_run, "block": data.runs.blocks})
    fit = Additive(values, data.cells, factors)
    between = fit.mean_square
    noise = Noise(between, fit.error_df) if between is not None else None
    runs_a_load = values.size / plots.size
    outer, of_loads, worth, outer_notes = _between_plots(data, fit, plots, load_of_run, plot_of_cell, whole)
    means = fit.adjusted_means()
    of_plot = np.bincount(plot_of_cell, means) / np.bincount(plot_of_cell)
    inner = analyse(
        means - of_plot[plot_of_cell] + means.mean(),
        fit.counts,
        design,
        noise,
        None if of_loads is None else Noise(of_loads.mean_square / plots.size, of_loads.df),
    )
    terms, tests, levels, separate = [], [], [], []
    for index in range(len(data.axes)):
        if index in whole:
            at = whole.index(index)
            terms.append(outer.axes[at] if outer else Term(0.0, 0))
            tests.append(p_of(outer.axes[at], of_loads) if outer else None)
            levels.append(outer.levels[at] if outer else _plain_levels(means, data.codes[index]))
            separate.append(outer.separate[at] if outer else False)
        else:
            terms.append(inner.axes[index])
            tests.append(None if inner.noise_from_cells else p_of(inner.axes[index], noise))
            levels.append(inner.levels[index] if of_loads else _plain_levels(means, data.codes[index]))
            separate.append(inner.separate[index])
    pairs: dict[Pair, Term] = {}
    pair_tests: dict[Pair, float | None] = {}
    for pair, term in inner.interactions.items():
        both_whole = pair[0] in whole and pair[1] in whole
        if both_whole:
            term = (
                outer.interactions.get((whole.index(pair[0]), whole.index(pair[1])), term) if outer else term
            )
        if term.df and not (both_whole and outer is None):
            pairs[pair] = term
            pair_tests[pair] = p_of(term, of_loads if both_whole else noise)
    parts: dict[object, float] = {}
    if noise is not None:
        for index, term in enumerate(terms):
            if term.df and index not in whole:
                parts["axis", index] = beyond_noise(term, noise)
            elif term.df and of_loads is not None:
                parts["axis", index] = beyond_noise(term, of_loads) * runs_a_load / worth
        for pair, term in pairs.items():
            both_whole = pair[0] in whole and pair[1] in whole
            if not both_whole:
                parts["pair", pair] = beyond_noise(term, noise)
            elif of_loads is not None:
                parts["pair", pair] = beyond_noise(term, of_loads) * runs_a_load / worth
        parts |= _of_factors(fit, noise)
        if inner.higher.df:
            parts["higher"] = beyond_noise(inner.higher, noise)
        parts["residual"] = noise.mean_square * (values.size - 1)
    return _Found(
        terms=tuple(terms),
        tests=tuple(tests),
        levels=tuple(levels),
        separate=tuple(separate),
        pairs=pairs,
        pair_tests=pair_tests,
        shares=_shares(parts, values.size, scale),
        noise_known=noise is not None,
        noise_from_cells=False,
        notes=(*notes, *outer_notes),
        loads=plots.size,
    )


def _plots(data: _Data, whole: Sequence[int]) -> Codes:
    """Return the plot of each cell, codes from 0."""
    if not whole:
        return np.zeros(data.codes[0].size, dtype=np.intp)
    values = np.column_stack([data.codes[index] for index in whole])
    codes: Codes = np.unique(values, axis=0, return_inverse=True)[1].reshape(-1)
    return codes


def _loads(data: _Data, plot_of_cell: Codes) -> tuple[Codes, Codes]:
    """Return the plot of each load, and of each run the load, codes from 0 in one count over all plots."""
    both = np.column_stack([plot_of_cell[data.cells], data.runs.own_loads()])
    loads, of_run = np.unique(both, axis=0, return_inverse=True)
    return loads[:, 0].astype(np.intp), of_run.reshape(-1).astype(np.intp)


def _between_plots(
    data: _Data, fit: Additive, plots: Codes, load_of_run: Codes, plot_of_cell: Codes, whole: Sequence[int]
) -> tuple[Factorial | None, Noise | None, float, list[str]]:
    """Analyse the loads' means, configurations taken out; nothing where there is one plot or no plot was loaded twice.

    What a plot's mean is worth (:meth:`Additive.worth`) is returned too.
    """
    levels = int(plot_of_cell.max()) + 1
    if levels < 2:
        return None, None, 1.0, []
    named = " and ".join(list(data.axes)[index] for index in whole)
    if plots.size <= levels or "load" not in fit.terms:
        once = (
            f"{named} came with the loading of the model, and each plot was loaded once: what differs between the values can't be "
            f"told from what differs between loads, so that it is not tested (order: {{loads: 3}})"
        )
        return None, None, 1.0, [once]
    cells = fit.adjusted_means()
    of_plot = np.bincount(plot_of_cell, cells) / np.bincount(plot_of_cell)
    effects = fit.effects[fit.columns("load")]
    centred = effects - (np.bincount(plots, effects) / np.bincount(plots))[plots]
    means = of_plot[plots] + centred
    first = np.unique(load_of_run, return_index=True)[1]
    factors, _ = _factors(plots, means, {"slot": data.runs.slots[first], "block": data.runs.loads[first]})
    of_loads = Additive(means, plots, factors)
    if of_loads.mean_square is None:
        return None, None, 1.0, [f"too few loads to test {named}"]
    noise = Noise(of_loads.mean_square, of_loads.error_df)
    of_axes = [_compact(data.codes[index], plot_of_cell) for index in whole]
    worth = of_loads.worth()
    made = analyse(of_loads.adjusted_means(), of_loads.counts * worth, Design(of_axes), noise)
    said = (
        f"{named} came with the loading of the model: tested over {plots.size} loads of {levels} plots, not over runs, which "
        "within one load share what loading did"
    )
    return made, noise, worth, [said]


def _compact(codes: Codes, plot_of_cell: Codes) -> Codes:
    """Return an axis' codes of plots from those of cells."""
    first = np.unique(plot_of_cell, return_index=True)[1]
    found: Codes = codes[first]
    return found


def _plain_levels(cells: Floats, codes: Codes) -> tuple[Level, ...]:
    means = np.bincount(codes, cells) / np.bincount(codes)
    return tuple(Level(float(mean), None) for mean in means)


def _factors(
    cells: Codes, values: Floats, levels: Mapping[str, Names | Integers | Codes]
) -> tuple[dict[str, Codes], list[str]]:
    """Return the factors as far as known and as they leave something for the noise, and what is to be said."""
    factors: dict[str, Codes] = {}
    notes: list[str] = []
    for name, found in levels.items():
        codes = codes_of(found)
        if codes is None:
            continue
        fit = Additive(values, cells, {**factors, name: codes})
        if fit.error_df < 1:
            notes.append(f"too few runs to take the {name}s out: they are part of the noise")
            continue
        rank, count = fit.terms[name].df, int(codes.max()) + 1
        if rank == 0:
            if "load" not in levels:
                notes.append(
                    f"each configuration was measured on one {name} only: what {name}s differ by can't be told from the axes"
                )
            continue
        if rank < count - 1 and "load" not in levels:
            notes.append(
                f"not all {name}s can be told apart, for some share no configuration: "
                f"what those differ by may be in the axes' effects"
            )
        factors[name] = codes
    return factors, notes


def codes_of(levels: Names | Integers | Codes) -> Codes | None:
    """Return codes from 0; ``None`` where a level is not known or all are one."""
    if levels.dtype != object:
        if int(levels.min()) <= UNKNOWN:
            return None
        present = np.bincount(levels) > 0
        return None if present.sum() < 2 else (np.cumsum(present) - 1)[levels].astype(np.intp)
    places = {level: place for place, level in enumerate(dict.fromkeys(levels.tolist()))}
    if None in places or len(places) < 2:
        return None
    return np.fromiter(map(places.__getitem__, levels.tolist()), dtype=np.intp, count=levels.size)


def _of_factors(fit: Additive, noise: Noise) -> dict[object, float]:
    return {name: beyond_noise(term, noise) / fit.seen(name) for name, term in fit.terms.items() if term.df}


def _shares(parts: Mapping[object, float], runs: int, scale: float) -> dict[object, float]:
    """Return each part as a fraction of all: each estimated term's share of the variance between runs.

    None where all figures are the same: ``scale``, the size of a value squared, tells what is rounding.
    """
    total = sum(parts.values())
    return {term: part / total for term, part in parts.items()} if total > _ROUNDING * runs * scale else {}


def _axis_levels(data: _Data, index: int, levels: Sequence[Level], logs: bool) -> tuple[AxisLevel, ...]:
    name = list(data.axes)[index]
    runs = np.bincount(data.codes[index][data.cells], minlength=len(levels))
    return tuple(
        AxisLevel(
            value=format_value(value),
            runs=int(n),
            mean=_back(level.mean, logs),
            interval=None
            if level.half_width is None
            else Interval(
                low=_back(level.mean - level.half_width, logs),
                high=_back(level.mean + level.half_width, logs),
                method="t",
            ),
        )
        for value, level, n in zip(data.axes[name], levels, runs, strict=True)
    )


def _back(value: float, logs: bool) -> float:
    return float(np.exp(value)) if logs else value


def _largest(levels: Sequence[Level], logs: bool) -> float | None:
    low, high = min(level.mean for level in levels), max(level.mean for level in levels)
    if logs:
        return float(100 * np.expm1(high - low))
    return 100 * (high - low) / low if low > 0 else None


def _inert(name: str, configurations: Sequence[ConfigurationSummary], inert: Sequence[InertAxis]) -> bool:
    """Whether the server made one value of all of the axis' values, for every model."""
    models = {entry.model for entry in inert if entry.axis == name and not entry.others}
    return bool(models) and {c.model for c in configurations} <= models


def _notes_of_design(data: _Data, made: _Found, configurations: Sequence[ConfigurationSummary]) -> list[str]:
    names = list(data.axes)
    notes = []
    if not made.noise_known:
        notes.append(
            "no configuration has two runs, and nothing else tells the noise: no shares and no tests"
        )
    elif made.noise_from_cells:
        notes.append(
            "no degree of freedom is left between runs of one configuration: the interactions that are not listed stand for "
            "the noise"
        )
    for name, term, apart in zip(names, made.terms, made.separate, strict=True):
        if not term.df and made.loads is not None and name in RELOADING:
            continue  # said of the loads
        if not term.df:
            notes.append(
                f"{name} can't be told apart from the other axes: its values come with values of theirs"
            )
        elif not apart:
            notes.append(f"{name} can be told apart from the other axes only for some of its values")
    missing = [
        f"{names[i]} × {names[j]}"
        for i, j in itertools.combinations(range(len(names)), 2)
        if (i, j) not in made.pairs
    ]
    if missing and not made.noise_from_cells:
        notes.append(f"not estimable, for combinations are missing: {', '.join(missing)}")
    points = [_point(c) for c in configurations]
    for name in points[0]:
        measured = set(data.axes.get(name, ()))
        planned = {point[name] for point in points}
        lost = planned - measured
        if len(planned) > 1 and measured and lost:
            values = ", ".join(format_value(value) for value in sorted(lost, key=_order))
            notes.append(f"no complete run with {name} = {values}")
        elif len(planned) > 1 and not measured:
            notes.append(f"{name}: complete runs of one of its values only")
    return notes


def _drift(data: _Data, values: Floats, logs: bool) -> Trend | None:
    """Regress on the block's number (without blocks: the run's) with configurations and slots taken out.

    Where loads are known, each run of a load is off by what loading did: then loads' means are regressed.
    """
    order = (data.runs.blocks if data.runs.has_blocks else data.runs.runs).astype(np.float64)
    cells, slots = data.cells, data.runs.slots
    if data.runs.has_loads:
        plot_of_cell = _plots(data, [i for i, name in enumerate(data.axes) if name in RELOADING])
        plots, load_of_run = _loads(data, plot_of_cell)
        within = values - (np.bincount(cells, values) / np.bincount(cells))[cells]
        first, counts = np.unique(load_of_run, return_index=True)[1], np.bincount(load_of_run)
        values = np.bincount(load_of_run, within) / counts + values.mean()
        order = np.bincount(load_of_run, order) / counts
        cells, slots = plots, slots[first]
    codes = codes_of(slots)
    fit = Additive(values, cells, {} if codes is None else {"slot": codes})
    slope = fit.slope(order)
    if slope is None:
        return None
    mean = float(values.mean())
    percent = 100 * np.expm1(slope.per_unit) if logs else 100 * slope.per_unit / mean if mean else None
    return Trend(
        n=values.size,
        percent_per_run=None if percent is None else float(percent),
        p=slope.p,
        drifting=slope.p is not None and slope.p < ALPHA,
    )


def _corrected(made: Sequence[MainEffects]) -> list[MainEffects]:
    """Holm's correction over all axes and pairs of axes, of all metrics and agents: one report, one family."""
    tests = [[*(axis.p for axis in m.axes), *(pair.p for pair in m.interactions)] for m in made]
    adjusted = iter(holm([p for ps in tests for p in ps]))
    return [
        m.model_copy(
            update={
                "axes": tuple(a.model_copy(update={"p_holm": next(adjusted)}) for a in m.axes),
                "interactions": tuple(
                    i.model_copy(update={"p_holm": next(adjusted)}) for i in m.interactions
                ),
            }
        )
        for m in made
    ]


def _with_drift(m: MainEffects, p_holm: float | None) -> MainEffects:
    if m.drift is None:
        return m
    drift = m.drift.model_copy(update={"p_holm": p_holm, "drifting": p_holm is not None and p_holm < ALPHA})
    return m.model_copy(update={"drift": drift})


def _order(value: Value) -> tuple[bool, bool, float, str]:
    """Default first, then numbers, then names."""
    text = isinstance(value, str)
    return (value is not None, text, float(value) if isinstance(value, int | float) else 0.0, str(value))
