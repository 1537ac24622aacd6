"""The figures of complete runs as arrays, a metric each, with where and when each was measured.

Between configurations of one whole plot (they share the values of the axes whose change reloads the model) the unit of
replication is the run; between plots it is the load: all runs of one load share what loading did (a split-plot design,
docs/statistics.md). :meth:`Sample.by_load` goes from one to the other. A load that was divided over slots was loaded on each
of them, so it is as many loads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.metrics import Metric
from analysis.models import ConfigurationSummary, OverRuns, RunFigures
from contracts.plots import RELOADING

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Names = npt.NDArray[np.object_]

Plot = tuple[str | int | float | None, ...]
"""Values of the reloading axes."""

_KEY = "_samples"
UNKNOWN = -1


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """N values with their places; a place that is not known is :data:`UNKNOWN`, a name ``None``."""

    values: Floats
    runs: Integers
    blocks: Integers
    loads: Integers
    slots: Names
    pools: Names

    @property
    def size(self) -> int:
        return self.values.size

    @property
    def has_blocks(self) -> bool:
        return bool(self.size) and bool((self.blocks != UNKNOWN).all())

    @property
    def has_loads(self) -> bool:
        """Whether the load of every run is known: the order knew plots."""
        return bool(self.size) and bool((self.loads != UNKNOWN).all())

    def where(self, chosen: npt.NDArray[Any]) -> Sample:
        """Return the values at ``chosen`` (places, or a mask)."""
        return Sample(
            self.values[chosen],
            self.runs[chosen],
            self.blocks[chosen],
            self.loads[chosen],
            self.slots[chosen],
            self.pools[chosen],
        )

    def own_loads(self) -> Integers:
        """Return a code of each run's load on its slot, in the order of the loads' numbers (as :func:`own_load`)."""
        slots = self.slots.tolist()
        places = {slot: place for place, slot in enumerate(dict.fromkeys(slots))}
        codes = np.fromiter(map(places.__getitem__, slots), dtype=np.int64, count=len(slots))
        return self.loads * max(len(places), 1) + codes

    def by_load(self) -> Sample:
        """Return one value a load, the mean of its runs, in the order of the loads; the load's number stands for the block."""
        _, first, place = np.unique(self.own_loads(), return_index=True, return_inverse=True)
        means = np.bincount(place, self.values) / np.bincount(place)
        loads = self.loads[first]
        return Sample(means, loads, loads, loads, self.slots[first], self.pools[first])


def sample(figures: OverRuns, metric: Metric) -> Sample:
    """Return the values of all complete runs that have the figure, in their order. Made once for each metric."""
    kept: tuple[tuple[RunFigures, ...], dict[str, Sample]] | None = figures.__dict__.get(_KEY)
    if kept is None or kept[0] is not figures.runs:  # a changed copy of a model takes its dictionary along
        kept = (figures.runs, {})
        figures.__dict__[_KEY] = kept
    found = kept[1].get(metric.key)
    if found is None:
        found = kept[1][metric.key] = _sample(figures.runs, metric)
    return found


def sample_of(runs: Sequence[RunFigures], metric: Metric) -> Sample:
    """Return the same of runs that stand alone."""
    return _sample(runs, metric)


def together(samples: Sequence[Sample]) -> Sample:
    """Return all values one after the other."""
    return Sample(
        np.concatenate([one.values for one in samples]),
        np.concatenate([one.runs for one in samples]),
        np.concatenate([one.blocks for one in samples]),
        np.concatenate([one.loads for one in samples]),
        np.concatenate([one.slots for one in samples]),
        np.concatenate([one.pools for one in samples]),
    )


def plot_of(c: ConfigurationSummary) -> Plot:
    """Return the whole plot that a configuration belongs to."""
    given = c.parameters or {}
    return tuple(c.model if axis == "model" else given.get(axis) for axis in RELOADING)


def _sample(runs: Sequence[RunFigures], metric: Metric) -> Sample:
    key = metric.key
    known = [run for run in runs if run.complete and getattr(run, key) is not None]
    return Sample(
        np.array([getattr(run, key) for run in known], dtype=np.float64),
        np.array([run.run for run in known], dtype=np.int64),
        _places([run.block for run in known]),
        _places([run.load for run in known]),
        np.array([run.slot for run in known], dtype=object),
        np.array([run.pool for run in known], dtype=object),
    )


def _places(numbers: Sequence[int | None]) -> Integers:
    if None in numbers:
        return np.array([UNKNOWN if number is None else number for number in numbers], dtype=np.int64)
    return np.array(numbers, dtype=np.int64)
