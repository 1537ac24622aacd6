"""False alarms, power and recovery of comparisons, main effects and host effects, simulated.

``python -m benchmarks.statistics.comparisons`` prints all of it. A rate of R repetitions has a standard error of
sqrt(rate × (1 − rate) / R): 0.3 percentage points for 5 % of 4,000.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.comparisons import ALPHA
from analysis.host_effects import host_effects
from analysis.main_effects import main_effects
from analysis.models import ConfigurationSummary, MainEffects
from analysis.statistics.comparison import (
    MIN_TYPICAL,
    PRIOR_DF,
    TYPICAL_QUANTILE,
    paired,
    relative_spread,
    typical,
    welch,
)
from benchmarks.statistics.simulated import configuration, run

SEED = 20261121
Floats = npt.NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, int, int]], Floats]
"""(generator, shape) → figures with one mean; shape is (repetitions, configurations, runs), the baseline first."""


def _normal(rng: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
    return 100 + rng.normal(size=shape)


def _log_normal(rng: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
    return 100 * np.exp(0.5 * rng.normal(size=shape))


def _two_states(rare: float) -> Noise:
    """Runs in two states 5 % apart, each with CV 0.5 %."""

    def noise(rng: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
        figures: Floats = 100 + 5.0 * (rng.random(shape) < rare) + 0.5 * rng.normal(size=shape)
        return figures

    return noise


def _unequal(rng: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
    """CV of each configuration between 1 and 8 %."""
    return 100 + np.exp(rng.uniform(0, math.log(8), (*shape[:2], 1))) * rng.normal(size=shape)


def _baseline_times(factor: float) -> Noise:
    """CV 1 %, the baseline's times ``factor``."""

    def noise(rng: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
        apart = rng.normal(size=shape)
        apart[:, 0] *= factor
        return 100 + apart

    return noise


NOISES: Mapping[str, Noise] = {
    "normal, CV 1 %": _normal,
    "log-normal, sigma 0.5": _log_normal,
    "two states, 50 : 50": _two_states(0.5),
    "two states, 80 : 20": _two_states(0.2),
    "unequal CV, 1 … 8 %": _unequal,
    "baseline CV 5 times": _baseline_times(5),
    "baseline CV a fifth": _baseline_times(0.2),
}


def p_values(figures: Floats, pairs: bool = False, moderated: bool = True) -> list[float | None]:
    """Compare each row of (configurations, runs) with the first, as a sweep's comparisons do."""
    base, *others = figures
    if pairs:
        means = [(base.mean() + other.mean()) / 2 for other in others]
        spreads = [relative_spread(o - base, float(mean)) for o, mean in zip(others, means, strict=True)]
    else:
        spreads = [relative_spread(row) for row in figures]
    spread = typical(spreads) if moderated else None
    test = paired if pairs else welch
    found = [test(base, other, spread) for other in others]
    return [None if one is None else one.p for one in found]


def many_p_values(figures: Floats, pairs: bool = False, moderated: bool = True) -> Floats:
    """The same for (repetitions, configurations, runs) at once: (repetitions, configurations − 1)."""
    n = figures.shape[2]
    means = figures.mean(2)
    difference = means[:, 1:] - means[:, :1]
    if pairs:
        scale = (means[:, 1:] + means[:, :1]) / 2
        variance, df = _moderated((figures[:, 1:] - figures[:, :1]).std(2, ddof=1), scale, n, moderated)
        error = np.sqrt(variance / n)
    else:
        variance, each = _moderated(figures.std(2, ddof=1), means, n, moderated)
        both = variance[:, :1] + variance[:, 1:]
        df = both**2 / (variance[:, :1] ** 2 / each[:, :1] + variance[:, 1:] ** 2 / each[:, 1:])
        error = np.sqrt(both / n)
    p: Floats = np.minimum(1.0, 2 * special.stdtr(df, -np.abs(difference) / error))
    return p


def _moderated(sd: Floats, scale: Floats, n: int, moderated: bool) -> tuple[Floats, Floats]:
    own = np.full_like(sd, n - 1)
    if not moderated or sd.shape[1] < MIN_TYPICAL:
        return sd**2, own
    spread = np.quantile(sd / scale, TYPICAL_QUANTILE, axis=1)[:, None] * scale
    weighted = (PRIOR_DF * spread**2 + (n - 1) * sd**2) / (PRIOR_DF + n - 1)
    raised = weighted > sd**2
    return np.where(raised, weighted, sd**2), np.where(raised, own + np.minimum(PRIOR_DF, own), own)


def _chunks(repetitions: int, size: int) -> list[int]:
    """Split repetitions so that no chunk holds more than some million figures."""
    most = max(1, 2_000_000 // size)
    return [min(most, repetitions - start) for start in range(0, repetitions, most)]


def false_alarms(
    noise: Noise,
    n: int,
    family: int,
    repetitions: int,
    rng: np.random.Generator,
    *,
    pairs: bool = False,
    drift: float = 0.0,
    moderated: bool = True,
) -> float:
    """Return how often any of ``family`` comparisons of equals is called a difference.

    ``drift`` changes all figures by that fraction from the first block to the last. Holm's procedure rejects
    something exactly where the smallest p × family is below the level.
    """
    alarms = 0
    by_block = 1 + drift * np.linspace(0, 1, n)
    for size in _chunks(repetitions, (family + 1) * n):
        ps = many_p_values(noise(rng, (size, family + 1, n)) * by_block, pairs, moderated)
        alarms += int((ps.min(axis=1) * family < ALPHA).sum())
    return alarms / repetitions


def power(
    n: int,
    configurations: int,
    tests: int,
    repetitions: int,
    rng: np.random.Generator,
    *,
    shift: float = 0.03,
    pairs: bool = False,
    drift: float = 0.0,
) -> float:
    """Return how often a true shift at CV 1 % is found in one of ``configurations`` candidates.

    It must pass the hardest step of Holm's procedure over ``tests`` tests: the others show nothing.
    """
    by_block = 1 + drift * np.linspace(0, 1, n)
    figures = _normal(rng, (repetitions, configurations + 1, n))
    figures[:, 1] *= 1 + shift
    ps = many_p_values(figures * by_block, pairs)[:, 0]
    return float((ps * tests < ALPHA).mean())


@dataclass(frozen=True)
class Truth:
    """True fractions of the variance between runs."""

    num_gpu: float = 0.5
    num_ctx: float = 0.2
    temperature: float = 0.0
    num_gpu_num_ctx: float = 0.1
    slot: float = 0.05

    @property
    def residual(self) -> float:
        """What is left."""
        return 1 - self.num_gpu - self.num_ctx - self.temperature - self.num_gpu_num_ctx - self.slot


def factorial_sweep(
    truth: Truth, runs: int, rng: np.random.Generator, sd: float = 0.05, lost: float = 0.0
) -> list[ConfigurationSummary]:
    """Return a 4 × 3 × 3 sweep on four slots with the given shares; ``lost``: fraction of runs that failed."""
    gpu, ctx = _effects(rng.normal(size=4)), _effects(rng.normal(size=3))
    both = rng.normal(size=(4, 3))
    both = _effects(both - both.mean(0) - both.mean(1)[:, None] + both.mean())
    slots = _effects(rng.normal(size=4))
    made = []
    for g, c, t in itertools.product(range(4), range(3), range(3)):
        place = (
            math.sqrt(truth.num_gpu) * gpu[g]
            + math.sqrt(truth.num_ctx) * ctx[c]
            + math.sqrt(truth.num_gpu_num_ctx) * both[g, c]
        )
        figures = []
        for block in range(1, runs + 1):
            slot = int(rng.integers(4))
            value = place + math.sqrt(truth.slot) * slots[slot] + math.sqrt(truth.residual) * rng.normal()
            if rng.random() >= lost:
                rate = float(100 * np.exp(sd * value))
                figures.append(run(block, {"throughput_tok_s": rate}, slot=f"s{slot}", pool="p"))
        parameters = {"num_gpu": 20 * (g + 1), "num_ctx": 512 * (c + 1), "temperature": 0.2 * t}
        made.append(configuration(f"{g}-{c}-{t}", figures, parameters))
    return made


def _effects(values: Floats) -> Floats:
    """Centre, and make the mean square 1."""
    centred = values - values.mean()
    scaled: Floats = centred / np.sqrt(np.mean(centred**2))
    return scaled


def shares(found: MainEffects) -> dict[str, float | None]:
    """Return the shares under the names of :class:`Truth`."""
    axes = {axis.axis: axis.share for axis in found.axes}
    pairs = {"_".join(pair.axes): pair.share for pair in found.interactions}
    return {
        **axes,
        "num_gpu_num_ctx": pairs["num_gpu_num_ctx"],
        "slot": found.slot_share,
        "residual": found.residual_share,
    }


def recovery(
    truth: Truth, runs: int, repetitions: int, rng: np.random.Generator, lost: float = 0.0
) -> tuple[dict[str, tuple[float, float]], float]:
    """Return mean and sd of each share found, and how often an effect of temperature was claimed that has none."""
    found: list[dict[str, float]] = []
    claimed = 0
    for _ in range(repetitions):
        (effects,) = main_effects(factorial_sweep(truth, runs, rng, lost=lost), ())
        found.append({name: share or 0.0 for name, share in shares(effects).items()})
        p = {axis.axis: axis.p_holm for axis in effects.axes}["temperature"]
        claimed += p is not None and p < ALPHA
    names = found[0]
    return {
        name: (float(np.mean(values)), float(np.std(values, ddof=1)))
        for name in names
        for values in [[one[name] for one in found]]
    }, claimed / repetitions


def idle_axes(runs: int, slots: int, repetitions: int, rng: np.random.Generator) -> float:
    """Return how often p of one axis is below 5 % where neither axis matters: 3 × 2 configurations on any free slot."""
    claimed = 0
    for _ in range(repetitions):
        made = []
        for context, temperature in itertools.product((1024, 2048, 4096), (0.2, 0.8)):
            figures = [
                run(
                    block,
                    {"throughput_tok_s": float(100 * np.exp(0.01 * rng.normal()))},
                    slot=f"s{rng.integers(slots)}",
                )
                for block in range(1, runs + 1)
            ]
            parameters = {"num_ctx": context, "temperature": temperature}
            made.append(configuration(f"{context}-{temperature}", figures, parameters))
        (effects,) = main_effects(made, ())
        claimed += sum(axis.p is not None and axis.p < ALPHA for axis in effects.axes)
    return claimed / repetitions / 2


def slots_named(
    slots: int,
    configurations: int,
    runs: int,
    repetitions: int,
    rng: np.random.Generator,
    *,
    slower: float = 0.0,
    between: float = 0.0,
    cv: float = 0.01,
) -> tuple[float, float]:
    """Return how often the slower slot is named, and how often any other is.

    ``slower``: by what fraction the first slot is; ``between``: sd of all slots, as a fraction. Any free slot takes
    the next run.
    """
    found = others = 0
    for _ in range(repetitions):
        effects = rng.normal(0, between, slots)
        effects[0] -= slower
        made = []
        for c in range(configurations):
            level = rng.normal(0, 0.3)
            taken = rng.integers(slots, size=runs)
            figures = [
                run(
                    block + 1,
                    {"throughput_tok_s": float(100 * np.exp(level + effects[slot] + cv * rng.normal()))},
                    slot=f"s{slot}",
                    pool="p",
                )
                for block, slot in enumerate(taken)
            ]
            made.append(configuration(f"c{c}", figures, {"num_gpu": c}))
        named = {slot.slot for host in host_effects(made) for slot in host.slots if slot.outlying}
        found += "s0" in named
        others += bool(named - {"s0"})
    return found / repetitions, others / repetitions


def main() -> None:
    """Print all; about two minutes."""
    began = time.monotonic()
    rng = np.random.default_rng(SEED)
    print(
        "Comparisons of equals with a baseline: any false alarm of the family, %, aimed at: at most 5 (in brackets:\n"
        "Welch's test as it is, without the typical spread)"
    )
    print(f"  {'noise':24}" + "".join(f"{f'n={n}, {f}':>14}" for f in (8, 40) for n in (3, 5, 10, 30)))
    for name, noise in NOISES.items():
        cells = []
        for family, repetitions in ((8, 4000), (40, 1500)):
            for n in (3, 5, 10, 30):
                with_it, without = (
                    false_alarms(noise, n, family, repetitions, rng, moderated=moderated)
                    for moderated in (True, False)
                )
                cells.append(f"{100 * with_it:.1f} ({100 * without:.1f})")
        print(f"  {name:24}" + "".join(f"{cell:>14}" for cell in cells), flush=True)
    print("The same by pairs, figures drifting by 10 % over the execution; family of 8")
    for name, noise in NOISES.items():
        _print_row(
            name, {n: false_alarms(noise, n, 8, 4000, rng, pairs=True, drift=0.1) for n in (3, 5, 10, 30)}
        )
    print("One comparison of two equals, no others, %")
    for name, noise in NOISES.items():
        _print_row(name, {n: false_alarms(noise, n, 1, 10_000, rng) for n in (3, 5, 10, 30)})
    print("A true +3 % at CV 1 %, found, %")
    for label, candidates, tests in (
        ("1 comparison", 1, 1),
        ("8 × 1 metric", 8, 8),
        ("8 × 2 metrics", 8, 16),
    ):
        for pairs, drift in ((False, 0.0), (True, 0.0), (False, 0.05), (True, 0.05)):
            how = f"{label}, {'pairs' if pairs else 'Welch'}, drift {100 * drift:.0f} %"
            found = {
                n: power(n, candidates, tests, 5000, rng, pairs=pairs, drift=drift)
                for n in (3, 4, 5, 6, 8, 10)
            }
            _print_row(how, found)
    truth = Truth()
    for lost in (0.0, 0.15):
        print(
            f"Shares of variance of a 4 × 3 × 3 sweep with 5 runs on 4 slots, {100 * lost:.0f} % of runs lost"
        )
        recovered, claimed = recovery(truth, 5, 150, rng, lost)
        for share, (mean, sd) in recovered.items():
            print(f"  {share:18} true {getattr(truth, share):.3f}  found {mean:.3f} ± {sd:.3f}")
        print(f"  temperature, which does nothing, claimed to matter: {100 * claimed:.1f} %")
    print("Slots: 8 slots, 12 configurations, 5 runs, CV 1 %")
    for label, slower, between in (
        ("all alike", 0.0, 0.0),
        ("sd of slots 0.3 %", 0.0, 0.003),
        ("one 3 % slower", 0.03, 0.0),
        ("one 6 % slower", 0.06, 0.0),
        ("one 6 % slower, sd of slots 0.3 %", 0.06, 0.003),
    ):
        hit, wrong = slots_named(8, 12, 5, 300, rng, slower=slower, between=between)
        print(
            f"  {label:36} the slower one named: {100 * hit:5.1f} %   any other: {100 * wrong:4.1f} %",
            flush=True,
        )
    print("Axes of a 3 × 2 sweep that do nothing, p of one below 5 %, %")
    for slots in (1, 4, 8):
        _print_row(f"{slots} slots", {n: idle_axes(n, slots, 2000, rng) for n in (3, 5, 10)})
    print(f"{time.monotonic() - began:.0f} s")


def _print_row(label: str, rates: Mapping[int, float]) -> None:
    """``rates`` by number of runs."""
    cells = [f"n={n}: {100 * rate:.1f}" for n, rate in rates.items()]
    print(f"  {label:36}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
