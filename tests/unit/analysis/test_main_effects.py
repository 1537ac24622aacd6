"""Which axes matter: planted effects come back, and what can't be told is not told."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from analysis.main_effects import main_effects
from analysis.models import ConfigurationSummary, InertAxis, MainEffects
from benchmarks.statistics.comparisons import Truth, factorial_sweep, idle_axes, recovery, shares
from benchmarks.statistics.simulated import configuration, run
from tests.support.present import present


def sweep(
    rate: Any, *, runs: int = 4, cv: float = 0.01, seed: int = 0, skip: Any = None, **place: Any
) -> list[ConfigurationSummary]:
    """num_gpu 40, 80 × temperature default, 0.2, 0.8; ``rate(num_gpu, temperature, block)`` is the factor."""
    rng = np.random.default_rng(seed)
    made = []
    for gpu, temperature in itertools.product((40, 80), (None, 0.2, 0.8)):
        parameters = {"num_gpu": gpu} | ({} if temperature is None else {"temperature": temperature})
        figures = [
            run(
                block,
                {"throughput_tok_s": 100 * rate(gpu, temperature, block) * math.exp(cv * rng.normal())},
                **{key: value(gpu, temperature, block) for key, value in place.items()},
            )
            for block in range(1, runs + 1)
        ]
        if skip is None or not skip(gpu, temperature):
            made.append(configuration(f"{gpu}-{temperature}", figures, parameters))
    return made


def only(configurations: list[ConfigurationSummary], inert: tuple[InertAxis, ...] = ()) -> MainEffects:
    (made,) = main_effects(configurations, inert)
    return made


def test_the_axis_that_matters_is_found() -> None:
    made = only(sweep(lambda gpu, t, block: 1.1 if gpu == 80 else 1.0))
    gpu, temperature = made.axes
    assert (gpu.axis, temperature.axis, made.runs, made.balanced) == ("num_gpu", "temperature", 24, True)
    assert present(gpu.share) > 0.9
    assert present(gpu.p_holm) < 1e-9
    assert gpu.largest_percent == pytest.approx(10, abs=1)
    assert present(temperature.share) < 0.02
    assert present(temperature.p_holm) > 0.05
    assert [(level.value, level.runs) for level in temperature.levels] == [
        ("default", 8),
        ("0.2", 8),
        ("0.8", 8),
    ]
    low, high = gpu.levels
    assert present(low.interval).low < 100 < present(low.interval).high
    assert present(high.interval).low < 110 < present(high.interval).high
    assert made.slot_share is None
    assert made.notes == ()


def test_shares_add_up() -> None:
    made = only(sweep(lambda gpu, t, block: (1.1 if gpu == 80 else 1.0) * (1.05 if t else 1.0), cv=0.03))
    parts = [axis.share for axis in made.axes] + [pair.share for pair in made.interactions]
    assert sum(present(part) for part in parts) + present(made.block_share) + present(
        made.residual_share
    ) == pytest.approx(1)


def test_an_interaction_is_told_from_its_axes() -> None:
    made = only(sweep(lambda gpu, t, block: 1.2 if gpu == 80 and t == 0.8 else 1.0))
    (pair,) = made.interactions
    assert pair.axes == ("num_gpu", "temperature")
    assert present(pair.p_holm) < 1e-9
    assert present(pair.share) > 0.2


def test_planted_shares_come_back() -> None:
    found, claimed = recovery(Truth(), 5, 20, np.random.default_rng(1), lost=0.1)
    for name, (mean, _) in found.items():
        assert mean == pytest.approx(getattr(Truth(), name), abs=0.03), name
    assert claimed <= 0.1
    assert set(shares(main_effects(factorial_sweep(Truth(), 5, np.random.default_rng(2)), ())[0])) == set(
        found
    )


def test_drift_over_the_blocks_is_found_and_is_no_axis() -> None:
    made = only(sweep(lambda gpu, t, block: 1 - 0.02 * block, runs=6))
    assert present(made.drift).drifting
    assert present(made.drift).percent_per_run == pytest.approx(-2.2, abs=0.4)
    assert present(made.drift).p_holm == present(present(made.drift).p) < 1e-6
    assert present(made.block_share) > 0.8
    assert all(present(axis.p_holm) > 0.05 for axis in made.axes)
    quiet = only(sweep(lambda gpu, t, block: 1.0, runs=6))
    assert not present(quiet.drift).drifting
    assert present(quiet.drift).n == 36


def test_a_slow_slot_is_no_axis() -> None:
    taken = {key: f"s{key % 3}" for key in range(100)}
    rng = np.random.default_rng(3)
    places = {
        (g, t, b): taken[int(rng.integers(100))]
        for g in (40, 80)
        for t in (None, 0.2, 0.8)
        for b in range(1, 9)
    }
    made = only(
        sweep(
            lambda *at: 0.9 if places[at] == "s1" else 1.0,
            runs=8,
            slot=lambda *at: places[at],
        )
    )
    assert present(made.slot_share) > 0.8
    assert all(present(axis.p_holm) > 0.05 for axis in made.axes)


def test_slots_that_configurations_met_unevenly_make_no_effects() -> None:
    """Adjusted means vary more than plain ones: taken for as certain, a sixth of idle axes seemed to matter."""
    assert idle_axes(3, 8, 300, np.random.default_rng(1)) <= 0.05 + 0.025


def test_slots_that_each_have_their_own_configurations_are_not_told_apart() -> None:
    made = only(sweep(lambda *at: 1.0, slot=lambda gpu, t, block: f"s{gpu}"))
    assert made.slot_share is None
    assert any("one slot only" in note for note in made.notes)


def test_axes_that_vary_together_are_named() -> None:
    made = only(sweep(lambda *at: 1.0, skip=lambda gpu, t: (gpu == 40) != (t is None)))
    # num_gpu 40 only with the default temperature, 80 only with the others.
    assert made.axes[0].share is None
    assert made.axes[0].p is None
    assert any(note.startswith("num_gpu can't be told apart") for note in made.notes)
    assert not made.balanced


def test_missing_combinations_leave_the_axes() -> None:
    made = only(
        sweep(lambda gpu, t, block: 1.1 if gpu == 80 else 1.0, skip=lambda gpu, t: gpu == 40 and t == 0.2)
    )
    assert made.axes[0].largest_percent == pytest.approx(10, abs=1)
    assert present(made.axes[0].p_holm) < 1e-6
    assert not made.balanced


def test_a_value_without_complete_runs_is_named() -> None:
    configurations = sweep(lambda *at: 1.0)
    failed = [
        c if present(c.parameters).get("temperature") != 0.8 else configuration(c.config, [], c.parameters)
        for c in configurations
    ]
    made = only(failed)
    assert "no complete run with temperature = 0.8" in made.notes
    assert [level.value for level in made.axes[1].levels] == ["default", "0.2"]


def test_one_run_each_is_said() -> None:
    made = only(sweep(lambda gpu, t, block: 1.1 if gpu == 80 else 1.0, runs=1))
    assert present(made.axes[0].p) < 0.05
    assert any("no degree of freedom" in note for note in made.notes)
    assert made.interactions == ()
    one_axis = only([c for c in sweep(lambda *at: 1.0, runs=1) if "temperature" not in present(c.parameters)])
    assert one_axis.axes[0].share is None
    assert one_axis.axes[0].p is None
    assert one_axis.residual_share is None


def test_inert_axes_are_flagged() -> None:
    def inert(axis: str, others: tuple[int, ...], model: str = "m:1") -> InertAxis:
        return InertAxis(axis=axis, model=model, asked=(40, 80), applied=34, others=others, why="34 layers")

    configurations = sweep(lambda *at: 1.0)
    flags = {axis.axis: axis.inert for axis in only(configurations, (inert("num_gpu", ()),)).axes}
    assert flags == {"num_gpu": True, "temperature": False}
    assert not any(axis.inert for axis in only(configurations, (inert("num_gpu", (20,)),)).axes)
    assert not any(axis.inert for axis in only(configurations, (inert("num_gpu", (), "other"),)).axes)


def test_models_are_an_axis() -> None:
    rng = np.random.default_rng(4)
    made = only(
        [
            configuration(
                model,
                [run(i, {"throughput_tok_s": rate + rng.normal()}) for i in range(1, 5)],
                {},
                model=model,
            )
            for model, rate in (("small", 100), ("large", 50))
        ]
    )
    assert [(axis.axis, [level.value for level in axis.levels]) for axis in made.axes] == [
        ("model", ["large", "small"])
    ]
    assert made.axes[0].largest_percent == pytest.approx(100, abs=5)


def test_figures_with_a_0_are_not_put_on_a_logarithm() -> None:
    made = only(
        [
            configuration(
                f"{t}", [run(i, {"ungrounded_rate": v}) for i, v in enumerate(values, 1)], {"temperature": t}
            )
            for t, values in ((0.2, (0.0, 0.1, 0.05, 0.0)), (0.8, (0.5, 0.4, 0.45, 0.55)))
        ]
    )
    (axis,) = made.axes
    assert [level.mean for level in axis.levels] == pytest.approx([0.0375, 0.475])
    assert present(axis.p_holm) < 0.01


def test_nothing_without_an_axis_or_parameters() -> None:
    one = configuration("a", [run(i, {"throughput_tok_s": 100.0 + i}) for i in range(1, 5)], {"num_gpu": 1})
    assert main_effects([one], ()) == ()
    unknown = [configuration(name, one.over_runs.runs, None) for name in "ab"]
    assert main_effects(unknown, ()) == ()


def test_equal_figures_have_no_shares_and_no_p() -> None:
    made = only(sweep(lambda *at: 1.0, cv=0.0))
    assert {axis.share for axis in made.axes} == {None}
    assert {axis.p for axis in made.axes} == {None}


def test_main_effects_read_back() -> None:
    made = only(sweep(lambda *at: 1.0))
    assert MainEffects.model_validate(made.model_dump(mode="json")) == made
