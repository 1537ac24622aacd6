"""Sweeps whose models are loaded plot by plot: how often two equals are called different.

All runs of one load share what loading did (clocks, memory, placement), so that they are not independent. Nothing is
planted here: every claim is a false alarm. ``by_load=False`` treats the runs as independent, as if no load were known.

Where loads are divided, each is on one slot of several, chosen by chance, and the tail of some (a random part of their runs)
on another one, which has loaded for itself. ``by_slot=False`` takes a divided load for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from analysis.comparisons import compare_with_baseline
from analysis.main_effects import main_effects
from analysis.models import ConfigurationSummary
from benchmarks.statistics.simulated import configuration, run

RATE = 100.0
CONTEXTS = (1024, 2048, 4096)
TEMPERATURES = (0.2, 0.8)
SLOTS = 4


@dataclass(frozen=True)
class Alarms:
    """Fractions of sweeps with at least one false claim."""

    between: float
    """By a comparison of configurations of different plots (with Holm's correction over all comparisons)."""
    within: float
    """By one of configurations of the same plot."""
    reloading_axis: float
    """Of an effect of the axis that reloads (p < 0.05, as the only test)."""
    cheap_axis: float
    """Of an effect of the axis that does not."""


def false_alarms(
    runs: int,
    loads: int,
    load_cv: float,
    repetitions: int,
    rng: np.random.Generator,
    *,
    by_load: bool = True,
    divided: float = 0.0,
    by_slot: bool = True,
    cv: float = 0.01,
) -> Alarms:
    """Simulate sweeps of 3 contexts × 2 temperatures, each plot loaded ``loads`` times, a share ``divided`` of the loads over two slots."""
    counts = np.zeros(4)
    for _ in range(repetitions):
        some = equals(runs, loads, load_cv, cv, rng, by_load, divided, by_slot)
        plots = {c.config: (c.parameters or {}).get("num_ctx") for c in some}
        claimed = [
            c for c in compare_with_baseline(some, some[0].config, None) if c.verdict in ("better", "worse")
        ]
        crossing = [plots[c.baseline] != plots[c.candidate] for c in claimed]
        (effects,) = main_effects(some, ())
        p_of = {axis.axis: axis.p for axis in effects.axes}
        counts += (
            any(crossing),
            not all(crossing),
            (p_of["num_ctx"] or 1.0) < 0.05,
            (p_of["temperature"] or 1.0) < 0.05,
        )
    return Alarms(*(counts / repetitions))


def equals(
    runs: int,
    loads: int,
    load_cv: float,
    cv: float,
    rng: np.random.Generator,
    by_load: bool,
    divided: float = 0.0,
    by_slot: bool = True,
) -> list[ConfigurationSummary]:
    """Return one sweep in which nothing matters but chance and loading."""
    made = []
    for context in CONTEXTS:
        of_load = np.exp(rng.normal(0, load_cv, (1, loads)))
        slots = np.zeros((2, loads), dtype=int)
        cut = np.ones(loads)  # the part of a load's runs that its first slot has
        if divided:
            of_load = np.vstack([of_load, np.exp(rng.normal(0, load_cv, loads))])
            slots = np.array([rng.choice(SLOTS, 2, replace=False) for _ in range(loads)]).T
            cut = np.where(rng.random(loads) < divided, rng.random(loads), 1.0)
        for temperature in TEMPERATURES:
            figures = []
            for number in range(1, runs + 1):
                load, place = divmod((number - 1) * loads, runs)
                part = int(place >= cut[load] * runs)
                rate = RATE * float(of_load[part, load] * np.exp(rng.normal(0, cv)))
                where = {
                    "slot": f"s{slots[part, load] if by_slot else 0}",
                    "load": 1 + load if by_load else None,
                }
                figures.append(run(number, {"throughput_tok_s": rate}, **where))
            parameters = {"num_ctx": context, "temperature": temperature}
            made.append(configuration(f"num_ctx={context},temperature={temperature}", figures, parameters))
    return made


def main() -> None:
    """Print the tables."""
    rng = np.random.default_rng(20261122)
    print("Loaded plot by plot, nothing planted: sweeps with a false claim, % (runs as independent)")
    _table(((3, 3), (6, 3), (10, 5), (30, 3)), 400, rng, {}, {"by_load": False})
    print(f"Half of the loads divided over two of {SLOTS} slots (a divided load taken for one)")
    _table(((6, 3), (10, 5)), 1000, rng, {"divided": 0.5}, {"divided": 0.5, "by_slot": False})


def _table(
    shapes: Sequence[tuple[int, int]],
    repetitions: int,
    rng: np.random.Generator,
    right: Mapping[str, Any],
    wrong: Mapping[str, Any],
) -> None:
    header = ("between plots", "within a plot", "num_ctx", "temperature")
    print(f"  {'runs × loads, sd of loads / of runs':38}" + "".join(f"{name:>18}" for name in header))
    for runs, loads in shapes:
        for ratio in (0.0, 1.0, 5.0):
            both = [
                false_alarms(runs, loads, 0.01 * ratio, repetitions, rng, **how) for how in (right, wrong)
            ]
            cells = [f"{100 * a:.1f} ({100 * b:.1f})" for a, b in zip(*map(astuple, both), strict=True)]
            label = f"{runs} runs × {loads} loads, {ratio:g}"
            print(f"  {label:38}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
