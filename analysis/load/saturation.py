"""The highest load that a server keeps up with: of searches within runs, or of a grid of loads."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.load.described import describer
from analysis.load.knee import knee_of
from analysis.models import ConfigurationSummary, RunFigures
from analysis.models.load import LoadConfiguration, LoadStep, Over, Saturation, SaturationOfRun
from analysis.statistics.comparison import MIN_RUNS
from analysis.statistics.description import Description
from contracts.configuration import LOAD_NAMES, format_value
from contracts.manifest import Manifest

_Key = tuple[str, str | None, tuple[tuple[str, int | float], ...], Over]


def saturations_of(
    configurations: Sequence[ConfigurationSummary],
    loads: Sequence[LoadConfiguration],
    manifest: Manifest | None,
) -> tuple[Saturation, ...]:
    """Return one saturation of each group of configurations that differ in nothing but the load; of a search each is one."""
    of_config: dict[tuple[str, str], list[LoadConfiguration]] = {}
    for load in loads:
        of_config.setdefault((load.config, load.agent), []).append(load)
    searches: list[ConfigurationSummary] = []
    grids: dict[_Key, list[tuple[LoadConfiguration, ConfigurationSummary]]] = {}
    for c in configurations:
        found = of_config.get((c.config, c.agent), [])
        if any(load.search for load in found):
            searches.append(c)
            continue
        for load in found:
            if load.over is not None:
                grids.setdefault(_key(c, load.over), []).append((load, c))
    labels = _labels([*searches, *(found[0][1] for found in grids.values())])
    made = [
        _of_searches(c, of_config[c.config, c.agent], label, manifest)
        for c, label in zip(searches, labels[: len(searches)], strict=True)
    ]
    made += [
        _of_grid(found, label, manifest)
        for found, label in zip(grids.values(), labels[len(searches) :], strict=True)
    ]
    return tuple(made)


def bracket(steps: Sequence[LoadStep]) -> tuple[float | None, float | None, bool]:
    """Return (highest kept up below the lowest that was not, lowest that was not, whether that is all there is to say).

    Loads beyond the first that was not kept up with don't raise the answer: a server that seems to keep up there had luck, or
    had none before.
    """
    kept = [step.asked for step in steps if step.keeps_up and step.asked is not None]
    lost = [step.asked for step in steps if step.keeps_up is False and step.asked is not None]
    high = min(lost, default=None)
    below = [asked for asked in kept if high is None or asked < high]
    return max(below, default=None), high, len(below) == len(kept)


def _of_searches(
    c: ConfigurationSummary, loads: Sequence[LoadConfiguration], label: str, manifest: Manifest | None
) -> Saturation:
    runs = [run for run in c.over_runs.runs if run.complete and run.steps]
    found = [(run, _search(run)) for run in runs]
    told = [(run, one) for run, one in found if one.low is not None or one.high is not None]
    lows = [one.low for _, one in told]
    highs = [one.high for _, one in told]
    middles = [(one.low + one.high) / 2 for _, one in told if one.low is not None and one.high is not None]
    both = len(middles) == len(told) >= MIN_RUNS
    described = describer(c, manifest)
    return Saturation(
        config=c.config,
        agent=c.agent,
        label=label,
        configurations=(c.config,),
        over=next((load.over for load in loads if load.over is not None), "rate"),
        method="search",
        slo=any(load.slo is not None for load in loads),
        runs=len(told),
        complete=len(found),
        low_runs=len(told),
        low=None if not told or None in lows else min(low for low in lows if low is not None),
        high=None if not told or None in highs else max(high for high in highs if high is not None),
        mid=described(middles, loads=[run.own_load for run, _ in told]) if both else Description.none(),
        searches=tuple(one for _, one in told),
        monotonic=all(one.monotonic for _, one in told),
    )


def _search(run: RunFigures) -> SaturationOfRun:
    low, high, monotonic = bracket(run.steps)
    return SaturationOfRun(run=run.run, low=low, high=high, monotonic=monotonic)


def _of_grid(
    found: Sequence[tuple[LoadConfiguration, ConfigurationSummary]], label: str, manifest: Manifest | None
) -> Saturation:
    found = sorted(found, key=lambda pair: pair[0].asked or 0.0)
    loads = [load for load, _ in found]
    first = loads[0]
    slo = any(load.slo is not None for load in loads)
    keeping_up_is_told = first.is_open or slo
    levels = [(load.asked, load) for load in loads if load.asked is not None]
    kept = [asked for asked, load in levels if load.can_tell and load.kept_up == load.can_tell]
    lost = [asked for asked, load in levels if load.can_tell and load.kept_up < load.can_tell]
    high = min(lost, default=None)
    below = [asked for asked in kept if high is None or asked < high]
    looks = manifest.spec.most_runs if manifest and manifest.spec.until_precise else None
    grid = [(load.asked, c) for load, c in found if load.asked is not None]
    low = max(below, default=None) if keeping_up_is_told else None
    at_low = [load for asked, load in levels if asked == low]
    return Saturation(
        config=first.config,
        agent=first.agent,
        label=label,
        configurations=tuple(load.config for load in loads),
        over=first.over or "rate",
        method="grid" if keeping_up_is_told else None,
        slo=slo,
        asked=tuple(asked for asked, _ in levels),
        untold=tuple(asked for asked, load in levels if keeping_up_is_told and not load.can_tell),
        runs=min((load.can_tell for load in loads if load.can_tell), default=0),
        complete=sum(load.runs for load in at_low) if at_low else max(load.runs for load in loads),
        low_runs=sum(load.can_tell for load in at_low),
        low=low,
        high=high if keeping_up_is_told else None,
        monotonic=len(below) == len(kept) or not keeping_up_is_told,
        knee=None if first.is_open else knee_of(grid, looks),
    )


def _key(c: ConfigurationSummary, over: Over) -> _Key:
    others = tuple(
        sorted((name, value) for name, value in (c.parameters or {}).items() if name not in LOAD_NAMES)
    )
    return c.agent, c.model, others, over


def _labels(firsts: Sequence[ConfigurationSummary]) -> list[str]:
    """``num_ctx=2048``: of each the values by which it differs from others."""
    names = dict.fromkeys(name for c in firsts for name in c.parameters or {} if name not in LOAD_NAMES)
    varied = [n for n in names if len({(c.parameters or {}).get(n) for c in firsts}) > 1]
    models, agents = len({c.model for c in firsts}) > 1, len({c.agent for c in firsts}) > 1

    def label(c: ConfigurationSummary) -> str:
        parts = [c.model or "model not recorded"] if models else []
        parts += [c.agent] if agents else []
        return ", ".join([*parts, *(f"{n}={format_value((c.parameters or {}).get(n))}" for n in varied)])

    made = [label(c) for c in firsts]
    return [c.config for c in firsts] if len(set(made)) < len(made) else made
