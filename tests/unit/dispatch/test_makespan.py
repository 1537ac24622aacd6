"""The simulated sweeps of ``benchmarks.scheduling`` end near the ideal: fixed seeds, no clock."""

from __future__ import annotations

import pytest

from benchmarks.scheduling.__main__ import Case, Grid, Policy, simulate

TENS, FIFTY = Grid(5, 2, 5), Grid(50, 1, 1)


@pytest.mark.parametrize("slowness", [1.0, 2.0])
@pytest.mark.parametrize(
    ("grid", "reload_s", "at_most"), [(TENS, 0.0, 1.03), (TENS, 60.0, 1.10), (FIFTY, 60.0, 1.10)]
)
def test_a_sweep_ends_near_the_ideal(grid: Grid, reload_s: float, at_most: float, slowness: float) -> None:
    for seed in range(2):
        result, ideal, _ = simulate(Case("pulled", grid, reload_s, slowness), 8, seed)
        assert 1 <= result.makespan / ideal <= at_most


def test_splits_are_what_brings_a_sweep_of_few_plots_near_the_ideal() -> None:
    ratios = {}
    policies: tuple[Policy, ...] = ("pulled", "pulled, no splits")
    for policy in policies:
        result, ideal, _ = simulate(Case(policy, Grid(3, 1, 17), 60.0), 8, 0)
        ratios[policy] = result.makespan / ideal
    assert ratios["pulled"] <= 1.10 < ratios["pulled, no splits"]
