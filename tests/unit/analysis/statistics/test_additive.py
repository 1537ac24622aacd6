"""Cells plus factors: against plain least squares on the whole design matrix."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.additive import Additive
from tests.support.present import present


def dummies(codes: np.ndarray) -> np.ndarray:
    columns: np.ndarray = np.eye(int(codes.max()) + 1)[codes]
    return columns


def left(values: np.ndarray, *columns: np.ndarray) -> tuple[float, int]:
    """Residual sum of squares and rank of plain least squares."""
    x = np.hstack(columns)
    fitted = x @ np.linalg.lstsq(x, values, rcond=None)[0]
    return float(np.sum((values - fitted) ** 2)), int(np.linalg.matrix_rank(x))


@pytest.fixture
def runs() -> tuple[np.ndarray, ...]:
    """60 runs of 9 cells on 4 slots in 6 blocks, unequally often."""
    rng = np.random.default_rng(1)
    cells, slots, blocks = (rng.integers(k, size=60) for k in (9, 4, 6))
    cells[:9], slots[:4], blocks[:6] = range(9), range(4), range(6)
    return rng.normal(size=60) + cells + 0.5 * slots, cells, slots, blocks


def test_it_is_least_squares(runs: tuple[np.ndarray, ...]) -> None:
    values, cells, slots, blocks = runs
    fit = Additive(values, cells, {"slot": slots, "block": blocks})
    columns = {"slot": dummies(slots), "block": dummies(blocks)}
    whole, rank = left(values, dummies(cells), *columns.values())
    assert fit.error_ss == pytest.approx(whole)
    assert fit.error_df == 60 - rank
    for name, other in (("slot", "block"), ("block", "slot")):
        without, lower = left(values, dummies(cells), columns[other])
        assert fit.terms[name].ss == pytest.approx(without - whole)
        assert fit.terms[name].df == rank - lower


def test_means_of_cells_are_as_on_average_slots(runs: tuple[np.ndarray, ...]) -> None:
    values, cells, slots, _ = runs
    fit = Additive(values, cells, {"slot": slots})
    x = np.hstack([dummies(cells), dummies(slots)])
    beta = np.linalg.lstsq(x, values, rcond=None)[0]
    share = np.bincount(slots) / slots.size
    expected = [beta[c] + share @ beta[9:] for c in range(9)]
    assert fit.adjusted_means() == pytest.approx(expected)


def test_the_slope_is_least_squares(runs: tuple[np.ndarray, ...]) -> None:
    values, cells, slots, blocks = runs
    slope = Additive(values, cells, {"slot": slots}).slope(blocks.astype(float))
    with_it, rank = left(values, dummies(cells), dummies(slots), blocks[:, None].astype(float))
    without, _ = left(values, dummies(cells), dummies(slots))
    f = (without - with_it) / (with_it / (60 - rank))
    assert present(slope).p == pytest.approx(stats.f.sf(f, 1, 60 - rank))
    assert present(slope).df == 60 - rank


def test_slots_that_share_no_cell_are_not_told_apart() -> None:
    rng = np.random.default_rng(2)
    cells = np.repeat([0, 1, 2, 3], 5)
    fit = Additive(rng.normal(size=20), cells, {"slot": cells // 2})
    assert fit.terms["slot"].df == 0
    assert fit.adjusted_means() == pytest.approx(fit.means)


def test_a_factor_in_equal_numbers_is_seen_as_a_whole() -> None:
    rng = np.random.default_rng(3)
    cells, blocks = np.repeat(np.arange(4), 6), np.tile(np.arange(6), 4)
    assert Additive(rng.normal(size=24), cells, {"block": blocks}).seen("block") == pytest.approx(1)
    some = rng.permutation(24)[:15]
    some_cells = np.unique(cells[some], return_inverse=True)[1]
    some_blocks = np.unique(blocks[some], return_inverse=True)[1]
    assert Additive(rng.normal(size=15), some_cells, {"block": some_blocks}).seen("block") < 1


def test_equal_values_have_no_noise_and_no_p() -> None:
    cells, blocks = np.repeat([0, 1], 4), np.tile(np.arange(4), 2)
    fit = Additive(0.1 + cells.astype(float), cells, {})
    assert fit.mean_square == 0
    slope = fit.slope(blocks.astype(float))
    assert present(slope).p is None


def test_one_run_a_cell_tells_no_noise() -> None:
    fit = Additive(np.array([1.0, 2.0]), np.array([0, 1]), {})
    assert fit.mean_square is None
    assert fit.slope(np.array([1.0, 2.0])) is None


def test_what_adjusted_means_are_worth_is_what_their_variances_say() -> None:
    rng = np.random.default_rng(4)
    cells, slots = np.repeat(np.arange(5), 4), rng.integers(4, size=20)
    slots[:4] = np.arange(4)
    adjusted = np.column_stack(
        [Additive(unit, cells, {"slot": slots}).adjusted_means() for unit in np.eye(cells.size)]
    )
    centred = adjusted - adjusted.mean(axis=0)
    plain = (1 - 1 / 5) * 5 / 4  # of means of four runs each
    fit = Additive(rng.normal(size=20), cells, {"slot": slots})
    assert fit.worth() == pytest.approx(plain / np.sum(centred**2)) and fit.worth() < 0.9
    assert Additive(rng.normal(size=20), cells, {"slot": np.tile(np.arange(4), 5)}).worth() == pytest.approx(
        1
    )
