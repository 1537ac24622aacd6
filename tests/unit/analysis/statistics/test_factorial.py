"""The factorial analysis: against textbook sums of squares, scipy and plain least squares."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from scipy import stats

from analysis.statistics import factorial
from analysis.statistics.additive import Additive, Term
from analysis.statistics.factorial import Design, Factorial, Noise, analyse, beyond_noise, p_of
from tests.support.present import present


def crossed(*sizes: int) -> tuple[np.ndarray, ...]:
    """Codes of all combinations."""
    return tuple(
        np.array(codes, dtype=np.intp) for codes in zip(*itertools.product(*map(range, sizes)), strict=True)
    )


def of_runs(table: np.ndarray, *sizes: int) -> Factorial:
    """Analyse (cells, runs) figures."""
    values, n = table.ravel(), table.shape[1]
    fit = Additive(values, np.repeat(np.arange(table.shape[0]), n), {})
    return analyse(
        fit.means, fit.counts, Design(crossed(*sizes)), Noise(present(fit.mean_square), fit.error_df)
    )


def test_one_axis_is_scipys_one_way_anova() -> None:
    table = np.random.default_rng(1).normal(size=(4, 6)) + np.arange(4)[:, None] / 2
    made = of_runs(table, 4)
    assert p_of(made.axes[0], made.noise) == pytest.approx(stats.f_oneway(*table).pvalue)
    assert [level.mean for level in made.levels[0]] == pytest.approx(table.mean(1))


def test_two_axes_add_up_by_hand() -> None:
    # Means 10, 12 / 14, 20 of two runs each, ± 1: A = 2 × 4 × 3², B = 2 × 4 × 2², A × B = 2 × 4 × 1².
    table = np.array([[9.0, 11], [11, 13], [13, 15], [19, 21]])
    made = of_runs(table, 2, 2)
    assert [term.ss for term in made.axes] == pytest.approx([72.0, 32.0])
    assert made.interactions[0, 1].ss == pytest.approx(8.0)
    assert made.noise == Noise(2.0, 4)
    assert [[level.mean for level in axis] for axis in made.levels] == [[11.0, 17.0], [12.0, 16.0]]
    # Each level's mean is of four runs.
    assert made.levels[0][0].half_width == pytest.approx(stats.t.isf(0.025, 4) * np.sqrt(2 / 4))


def test_all_terms_and_the_noise_are_the_total() -> None:
    table = np.random.default_rng(2).normal(size=(24, 3))
    made = of_runs(table, 2, 3, 4)
    terms = [*made.axes, *made.interactions.values(), made.higher]
    noise = present(made.noise).mean_square * present(made.noise).df
    assert sum(term.ss for term in terms) + noise == pytest.approx(np.sum((table - table.mean()) ** 2))
    assert sum(term.df for term in terms) + present(made.noise).df == 71
    assert made.higher.df == 1 * 2 * 3


def test_the_closed_form_is_least_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = crossed(3, 2, 4)
    cells = np.random.default_rng(3).normal(size=24)
    counts, noise = np.full(24, 3.0), Noise(0.5, 48)
    closed = analyse(cells, counts, Design(codes), noise)
    general = Design(codes)
    monkeypatch.setattr(general, "crossed", False)
    fitted = analyse(cells, counts, general, noise)
    for a, b in zip(closed.axes, fitted.axes, strict=True):
        assert (a.ss, a.df) == pytest.approx((b.ss, b.df))
    for pair, a in closed.interactions.items():
        assert (a.ss, a.df) == pytest.approx((fitted.interactions[pair].ss, fitted.interactions[pair].df))
    assert (closed.higher.ss, closed.higher.df) == pytest.approx((fitted.higher.ss, fitted.higher.df))


def test_missing_combinations_are_type_2() -> None:
    """Against plain least squares on dummy columns."""
    rng = np.random.default_rng(4)
    kept = np.sort(rng.permutation(24)[:19])
    codes = tuple(axis[kept] for axis in crossed(3, 2, 4))
    cells = rng.normal(size=19)
    made = analyse(cells, np.full(19, 2.0), Design(codes), Noise(1.0, 19))
    columns: dict[tuple[int, ...], np.ndarray] = {
        (i,): np.eye(axis.max() + 1)[axis] for i, axis in enumerate(codes)
    }
    for i, j in itertools.combinations(range(3), 2):
        columns[i, j] = (columns[i,][:, :, None] * columns[j,][:, None, :]).reshape(19, -1)

    def left(names: Iterable[tuple[int, ...]]) -> tuple[float, int]:
        x = np.hstack([np.ones((19, 1)), *(columns[name] for name in names)])
        fitted = x @ np.linalg.lstsq(x, cells, rcond=None)[0]
        return float(np.sum((cells - fitted) ** 2)), int(np.linalg.matrix_rank(x))

    for factor, term in [*(((i,), t) for i, t in enumerate(made.axes)), *made.interactions.items()]:
        others = [name for name in columns if not set(factor) <= set(name)]
        (without, lower), (with_it, rank) = left(others), left([*others, factor])
        assert term.ss / 2 == pytest.approx(without - with_it, abs=1e-9)
        assert term.df == rank - lower


def test_axes_that_vary_together_are_not_told_apart() -> None:
    codes = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    made = analyse(np.array([1.0, 1.1, 2.0, 2.2]), np.full(4, 3.0), Design(codes), Noise(0.1, 8))
    assert [term.df for term in made.axes] == [0, 0, 1]
    assert made.separate == (False, False, True)
    assert p_of(made.axes[0], made.noise) is None
    assert made.levels[0][0].half_width is None


def test_one_run_a_cell_takes_the_highest_order_for_the_noise() -> None:
    rng = np.random.default_rng(5)
    of_three = analyse(rng.normal(size=12), np.ones(12), Design(crossed(2, 3, 2)), None)
    assert of_three.noise_from_cells
    assert (present(of_three.noise).df, len(of_three.interactions)) == (2, 3)
    of_two = analyse(rng.normal(size=6), np.ones(6), Design(crossed(2, 3)), None)
    assert (present(of_two.noise).df, len(of_two.interactions)) == (2, 0)
    of_one = analyse(rng.normal(size=3), np.ones(3), Design(crossed(3)), None)
    assert of_one.noise is None
    assert of_one.levels[0][0].half_width is None


def test_too_many_pairs_of_values_are_not_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factorial, "MAX_COLUMNS", 10)
    codes = tuple(axis[1:] for axis in crossed(4, 4))
    assert Design(codes).pairs == ()
    assert Design(crossed(4, 4)).pairs == ((0, 1),)


def test_epsilon_squared_of_nothing_is_0_on_average() -> None:
    """Where eta² would be df / (N − 1) = 0.26."""
    rng = np.random.default_rng(6)
    found = []
    for _ in range(150):
        table = rng.normal(size=(6, 4))
        made = of_runs(table, 6)
        term, noise = made.axes[0], made.noise
        found.append((term.ss - term.df * present(noise).mean_square) / np.sum((table - table.mean()) ** 2))
        assert beyond_noise(term, present(noise)) >= 0
    assert np.mean(found) == pytest.approx(0, abs=0.04)


def test_no_noise_no_p() -> None:
    assert p_of(Term(1.0, 2), Noise(0.0, 5)) is None
    assert p_of(Term(1.0, 2), None) is None
    assert p_of(Term(0.0, 0), Noise(1.0, 5)) is None
