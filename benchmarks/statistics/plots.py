"""Sweeps whose models are loaded plot by plot: how often two equals are called different.

All runs of one load share what loading did (clocks, memory, placement), so that they are not independent. Nothing is
planted here: every claim is a false alarm. ``by_load=False`` treats the runs as independent, as if no load were known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.comparisons import compare_with_baseline
from analysis.main_effects import main_effects
from analysis.models import ConfigurationSummary
from benchmarks.statistics.simulated import configuration, run

RATE = 100.0
CONTEXTS = (1024, 2048, 4096)
TEMPERATURES = (0.2, 0.8)


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
    cv: float = 0.01,
) -> Alarms:
    """Simulate sweeps of 3 contexts × 2 temperatures, each plot loaded ``loads`` times."""
    counts = np.zeros(4)
    for _ in range(repetitions):
        some = equals(runs, loads, load_cv, cv, rng, by_load)
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
    runs: int, loads: int, load_cv: float, cv: float, rng: np.random.Generator, by_load: bool
) -> list[ConfigurationSummary]:
    """Return one sweep in which nothing matters but chance and loading."""
    made = []
    for context in CONTEXTS:
        of_load = np.exp(rng.normal(0, load_cv, loads))
        for temperature in TEMPERATURES:
            figures = []
            for number in range(1, runs + 1):
                load = 1 + (number - 1) * loads // runs
                rate = RATE * float(of_load[load - 1] * np.exp(rng.normal(0, cv)))
                place = {"slot": "s0", "load": load if by_load else None}
                figures.append(run(number, {"throughput_tok_s": rate}, **place))
            parameters = {"num_ctx": context, "temperature": temperature}
            made.append(configuration(f"num_ctx={context},temperature={temperature}", figures, parameters))
    return made


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(20261122)
    print("Loaded plot by plot, nothing planted: sweeps with a false claim, % (runs as independent)")
    header = ("between plots", "within a plot", "num_ctx", "temperature")
    print(f"  {'runs × loads, sd of loads / of runs':38}" + "".join(f"{name:>18}" for name in header))
    for runs, loads in ((3, 3), (6, 3), (10, 5), (30, 3)):
        for ratio in (0.0, 1.0, 5.0):
            right, naive = (
                false_alarms(runs, loads, 0.01 * ratio, 400, rng, by_load=by_load)
                for by_load in (True, False)
            )
            cells = [
                f"{100 * a:.1f} ({100 * b:.1f})"
                for a, b in (
                    (right.between, naive.between),
                    (right.within, naive.within),
                    (right.reloading_axis, naive.reloading_axis),
                    (right.cheap_axis, naive.cheap_axis),
                )
            ]
            label = f"{runs} runs × {loads} loads, {ratio:g}"
            print(f"  {label:38}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
