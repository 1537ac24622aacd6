"""Whole plots: which configurations share a load of the server's model, and the units in which their jobs are pulled.

A change of a reloading axis costs a reload of the server, a change of the others nothing. So the runs of all
configurations that agree in the reloading axes go together, as the whole plots of a split-plot design: the plots are
ordered as units, the other axes are randomised within. Each plot is loaded several times, its runs shared out over
the loads, for with one load a difference between plots can't be told from one between loads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.blocks import shuffled
from contracts.configuration import Configuration, format_value
from contracts.sweep import SweepSpec

RELOADING = ("model", "num_ctx", "num_gpu")
"""Axes whose change makes the server load anew."""

DEFAULT_LOADS = 3
"""Loads of each plot where the sweep names no number: the fewest that show how much loads differ from each other."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One job before anything but its place is known: a run of a configuration."""

    configuration: Configuration
    run: int
    """1-based."""
    block: int
    """1-based; has each configuration at most once."""
    load: int | None
    """1-based load of the configuration's plot; ``None``: the order knows no plots."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Jobs that one slot takes together, in their order."""

    plot: str | None
    """:func:`plot_of` its configurations; ``None``: a job by itself."""
    load: int | None
    jobs: tuple[Planned, ...]


def plot_of(configuration: Configuration) -> str:
    """Return the key of the plot: ``model=gemma3,num_ctx=4096,num_gpu=default``.

    All axes are written, also those left to the server: no model's name can make two plots one. Of several agents each
    way of loading is written, once.
    """
    runs = [(role.model, role.parameters) for role in configuration.agents]
    runs = runs or [(configuration.model, configuration.parameters)]
    keys = (
        ",".join(
            f"{axis}={format_value(value)}"
            for axis, value in zip(RELOADING, (model, given.num_ctx, given.num_gpu), strict=True)
        )
        for model, given in runs
    )
    return " + ".join(sorted(set(keys)))


def has_plots(spec: SweepSpec, configurations: Sequence[Configuration]) -> bool:
    """Return whether the sweep's jobs are pulled plot by plot.

    With ``auto`` they are where there is a reload to be saved: more than one plot, and a model that stays loaded
    between two runs (``warmup: unload`` reloads for each, in any order).
    """
    if spec.order.kind != "auto":
        return spec.order.kind == "plots"
    return spec.warmup != "unload" and len({plot_of(c) for c in configurations}) > 1


def loads_of(spec: SweepSpec, runs: int) -> int:
    """Return how often each plot is loaded for so many runs of each of its configurations.

    More loads than runs are as many as runs: there is no load without a run.
    """
    asked = DEFAULT_LOADS if spec.order.loads is None else spec.order.loads
    return min(asked, runs)


def units_at_start(spec: SweepSpec, configurations: Sequence[Configuration]) -> Iterator[Unit]:
    """Yield the units that are published at the start, one at a time: no more than one block or unit is in memory.

    Without plots each job is a unit, block by block. With plots come all plots' units of the first load, then all of
    the second, so that drift hits all plots alike. Run ``r`` of each configuration is in block ``r``.
    """
    runs = spec.first_runs
    if not has_plots(spec, configurations):
        for block in range(1, runs + 1):
            yield from _single(spec, configurations, block, {c.id: block for c in configurations})
        return
    loads = loads_of(spec, runs)
    plots = _plots(configurations)
    for load in range(1, loads + 1):
        blocks = range((load - 1) * runs // loads + 1, load * runs // loads + 1)
        for plot in _longest_first(plots, spec.order.seed, load):
            jobs = tuple(
                Planned(configuration, block, block, load)
                for block in blocks
                for configuration in shuffled(plots[plot], spec.order.seed, block)
            )
            yield Unit(plot, load, jobs)


def units_of_block(
    spec: SweepSpec, configurations: Sequence[Configuration], block: int, runs: Mapping[str, int]
) -> list[Unit]:
    """Return the units of a block that was decided later, in their order.

    Args:
        configurations: All of the sweep: whether there are plots depends on them all.
        block: Number of the block, after those of the start.
        runs: Configuration's id → number of its run, of those that get one.

    With plots each such block loads its plots once more, so the loads are numbered on: the first block after the start
    has the load after the last of :func:`units_at_start`. A plot that sat out a block has a gap in its numbers.

    Raises:
        ValueError: The block is one of those at the start.
    """
    if block <= spec.first_runs:
        raise ValueError(f"block {block} is one of the {spec.first_runs} that are published at the start")
    chosen = [c for c in configurations if c.id in runs]
    if not has_plots(spec, configurations):
        return list(_single(spec, chosen, block, runs))
    load = loads_of(spec, spec.first_runs) + block - spec.first_runs
    plots = _plots(chosen)
    return [
        Unit(
            plot,
            load,
            tuple(Planned(c, runs[c.id], block, load) for c in shuffled(plots[plot], spec.order.seed, block)),
        )
        for plot in _longest_first(plots, spec.order.seed, load)
    ]


def _single(
    spec: SweepSpec, configurations: Sequence[Configuration], block: int, runs: Mapping[str, int]
) -> Iterator[Unit]:
    for c in shuffled(configurations, spec.order.seed, block):
        yield Unit(None, None, (Planned(c, runs[c.id], block, None),))


def _plots(configurations: Sequence[Configuration]) -> dict[str, list[Configuration]]:
    plots: dict[str, list[Configuration]] = {}
    for configuration in configurations:
        plots.setdefault(plot_of(configuration), []).append(configuration)
    return plots


def _longest_first(plots: Mapping[str, Sequence[Configuration]], seed: int, load: int) -> list[str]:
    """Return the plots by their estimated length, the longest first; equal ones in the load's random order.

    The estimate: one run of each configuration, a run as long as its limit of tokens. One without a limit counts as the
    longest that is given: what it will write is unknown, and a long unit that starts last is what ends a sweep late.
    """
    given = {c.id: c.parameters.num_predict for members in plots.values() for c in members}
    unlimited = max((n for n in given.values() if n is not None), default=1)

    def key(plot: str) -> tuple[int, bytes]:
        length = sum(given[c.id] or unlimited for c in plots[plot])
        return -length, hashlib.sha256(f"{seed}:{load}:{plot}".encode()).digest()

    return sorted(plots, key=key)
