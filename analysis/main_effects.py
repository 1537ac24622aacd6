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
    RunFigures,
    Trend,
)
from analysis.statistics.additive import Additive, Codes, Floats
from analysis.statistics.factorial import Design, Factorial, Level, Noise, analyse, beyond_noise, p_of
from analysis.statistics.holm import holm
from analysis.statistics.interval import LEVEL, Interval
from contracts.configuration import PARAMETER_NAMES, format_value

ALPHA = 1 - LEVEL
Value = str | int | float | None
_ROUNDING = 1e-24
RULE = (
    "Analysis of variance of the logarithms of the runs' figures (of the figures themselves where one is not above "
    "0), over complete runs. Configurations' means are taken with slots and blocks taken out; each configuration "
    "counts the same. A share is epsilon²: what a term explains beyond what noise alone would, as a fraction of the "
    "variance between runs. F tests against the noise between runs of the same configuration, corrected by Holm over "
    "the axes and interactions of one metric. Drift is the slope on the block's number with configurations and slots "
    "taken out, corrected by Holm over all metrics."
)


@dataclass(frozen=True)
class _Data:
    """The complete runs with a figure, and the configurations (cells) that they are of."""

    metric: Metric
    runs: tuple[RunFigures, ...]
    cells: Codes
    """Of each run."""
    axes: Mapping[str, tuple[Value, ...]]
    """Axis → its values, in order."""
    codes: tuple[Codes, ...]
    """Of each axis: the place of each cell's value."""

    @property
    def figures(self) -> Floats:
        return np.array([getattr(run, self.metric.key) for run in self.runs], dtype=np.float64)


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
    runs: list[RunFigures] = []
    points: list[dict[str, Value]] = []
    cells: list[int] = []
    places: dict[tuple[Value, ...], int] = {}
    for c in configurations:
        known = [r for r in c.over_runs.runs if r.complete and getattr(r, metric.key) is not None]
        if not known:
            continue
        point = _point(c)
        place = places.setdefault(tuple(point.values()), len(places))
        if place == len(points):
            points.append(point)
        runs += known
        cells += [place] * len(known)
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
    return _Data(metric, tuple(runs), np.array(cells, dtype=np.intp), axes, codes)


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
    figures = data.figures
    logs = bool((figures > 0).all())
    values = np.log(figures) if logs else figures
    factors, notes = _factors(data, values)
    fit = Additive(values, data.cells, factors)
    between = fit.mean_square
    noise = Noise(between, fit.error_df) if between is not None else None
    made = analyse(fit.adjusted_means(), fit.counts, design, noise)
    notes += _notes_of_design(data, made, configurations)
    names = list(data.axes)
    pairs = [pair for pair, term in made.interactions.items() if term.df]
    found = [p_of(term, made.noise) for term in [*made.axes, *(made.interactions[pair] for pair in pairs)]]
    # As in comparisons: how many runs there are was decided by looking at them.
    tests = [None if p is None else min(1.0, p * ALPHA / error_of_look(looks)) for p in found]
    shares = _shares(made, fit, values.size, 1.0 if logs else float(np.mean(values**2)))
    return MainEffects(
        metric=data.metric.key,
        agent=agent,
        runs=values.size,
        axes=tuple(
            AxisEffect(
                axis=name,
                levels=_axis_levels(data, index, made.levels[index], logs),
                share=shares.get(("axis", index)),
                largest_percent=_largest(made.levels[index], logs) if made.separate[index] else None,
                p=tests[index],
                inert=_inert(name, configurations, inert),
            )
            for index, name in enumerate(names)
        ),
        interactions=tuple(
            InteractionEffect(
                axes=(names[pair[0]], names[pair[1]]),
                share=shares.get(("pair", pair)),
                p=tests[len(names) + index],
            )
            for index, pair in enumerate(pairs)
        ),
        slot_share=shares.get("slot"),
        block_share=shares.get("block"),
        higher_share=shares.get("higher"),
        residual_share=shares.get("residual"),
        balanced=design.crossed and len(set(fit.counts)) == 1,
        drift=_drift(data, values, logs),
        notes=tuple(notes),
    )


def _factors(data: _Data, values: Floats) -> tuple[dict[str, Codes], list[str]]:
    """Return slot and block as far as known and as they leave something for the noise, and what is to be said."""
    factors: dict[str, Codes] = {}
    notes: list[str] = []
    for name in ("slot", "block"):
        codes = _codes([getattr(run, name) for run in data.runs])
        if codes is None:
            continue
        fit = Additive(values, data.cells, {**factors, name: codes})
        if fit.error_df < 1:
            notes.append(f"too few runs to take the {name}s out: they are part of the noise")
            continue
        rank, levels = fit.terms[name].df, int(codes.max()) + 1
        if rank == 0:
            notes.append(
                f"each configuration was measured on one {name} only: what {name}s differ by can't be told from the axes"
            )
            continue
        if rank < levels - 1:
            notes.append(
                f"not all {name}s can be told apart, for some share no configuration: "
                f"what those differ by may be in the axes' effects"
            )
        factors[name] = codes
    return factors, notes


def _codes(levels: Sequence[str | int | None]) -> Codes | None:
    """Return codes from 0; ``None`` where a level is not known or all are one."""
    if None in levels or len(set(levels)) < 2:
        return None
    places = {level: place for place, level in enumerate(dict.fromkeys(levels))}
    return np.array([places[level] for level in levels], dtype=np.intp)


def _shares(made: Factorial, fit: Additive, runs: int, scale: float) -> dict[object, float]:
    """Return each estimated term's share of the variance between runs.

    None where the noise is not known, and where all figures are the same: ``scale``, the size of a value squared,
    tells what is rounding.
    """
    noise = made.noise
    if noise is None:
        return {}
    parts: dict[object, float] = {}
    for index, term in enumerate(made.axes):
        if term.df:
            parts["axis", index] = beyond_noise(term, noise)
    for pair, term in made.interactions.items():
        if term.df:
            parts["pair", pair] = beyond_noise(term, noise)
    for name, term in fit.terms.items():
        if term.df:
            parts[name] = beyond_noise(term, noise) / fit.seen(name)
    if made.higher.df:
        parts["higher"] = beyond_noise(made.higher, noise)
    parts["residual"] = noise.mean_square * (runs - 1)
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


def _notes_of_design(
    data: _Data, made: Factorial, configurations: Sequence[ConfigurationSummary]
) -> list[str]:
    names = list(data.axes)
    notes = []
    if made.noise is None:
        notes.append(
            "no configuration has two runs, and nothing else tells the noise: no shares and no tests"
        )
    elif made.noise_from_cells:
        notes.append(
            "no degree of freedom is left between runs of one configuration: the interactions that are not listed stand for "
            "the noise"
        )
    for name, term, apart in zip(names, made.axes, made.separate, strict=True):
        if not term.df:
            notes.append(
                f"{name} can't be told apart from the other axes: its values come with values of theirs"
            )
        elif not apart:
            notes.append(f"{name} can be told apart from the other axes only for some of its values")
    missing = [
        f"{names[i]} × {names[j]}"
        for i, j in itertools.combinations(range(len(names)), 2)
        if (i, j) not in made.interactions or not made.interactions[i, j].df
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
    """Regress on the block's number (without blocks: the run's) with configurations and slots taken out."""
    blocks = [run.block for run in data.runs]
    order = blocks if None not in blocks else [run.run for run in data.runs]
    slots = _codes([run.slot for run in data.runs])
    fit = Additive(values, data.cells, {} if slots is None else {"slot": slots})
    slope = fit.slope(np.array(order, dtype=np.float64))
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
