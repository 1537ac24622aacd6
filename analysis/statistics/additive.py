"""Runs as the sum of their cell, of crossed factors (slot, block) and of noise, by least squares.

A *cell* is one configuration. Its runs meet the slots and blocks unequally often (any free slot takes the
next job), so that raw means of slots would compare configurations. All sums are over N runs, but no matrix of
N rows is made: cross tables of the factors hold all that is needed.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

_TOLERANCE = 1e-9
"""Eigenvalues below this fraction of the largest are 0: cross tables hold counts."""
_ROUNDING = 1e-24
"""A sum of squares below this fraction of Σ values² is rounding."""


@dataclass(frozen=True)
class Term:
    """One term of an analysis of variance, given all other terms of its model (type II)."""

    ss: float
    df: int


@dataclass(frozen=True)
class Slope:
    """Of values on a covariate, cells and factors taken out."""

    per_unit: float
    p: float | None
    """``None``: no noise to test against."""
    df: int


class Additive:
    """The fit of ``values`` (N) to ``cells`` (N codes from 0) and ``factors`` (name → N codes from 0).

    Effects that can't be told apart from others (slots that share no cell) take the least-norm solution;
    ``terms`` tells by its df what was estimated.
    """

    def __init__(self, values: Floats, cells: Codes, factors: Mapping[str, Codes]) -> None:
        self._layout = _layout_of(cells, factors)
        self.cells = cells
        self.counts = self._layout.counts
        self.means = np.bincount(cells, values) / self.counts
        """Of cells, as measured."""
        self._names = tuple(factors)
        self._codes = tuple(factors.values())
        self._columns = self._layout.columns
        self._shares = self._layout.shares
        self.gram = self._layout.gram
        """Of the factors' columns, cells taken out."""
        self._inverse, self.rank = pseudo_inverse(self.gram)
        self._centred = values - self.means[cells]
        self.moments = self._moments(self._centred)
        self.effects = self._inverse @ self.moments
        within = float(self._centred @ self._centred)
        left = within - float(self.moments @ self.effects)
        self.error_ss = left if left > _ROUNDING * float(values @ values) else 0.0
        self.error_df = int(values.size - self.counts.size - self.rank)
        self.terms = {name: self._term(name) for name in self._names}

    @property
    def mean_square(self) -> float | None:
        """Variance of the noise between runs; ``None``: no degree of freedom is left for it."""
        return self.error_ss / self.error_df if self.error_df > 0 else None

    def columns(self, name: str) -> Codes:
        """Return where a factor's levels stand in ``gram``, ``moments`` and ``effects``."""
        return self._columns[name]

    def alone(self, name: str) -> Floats:
        """Return the cross products of a factor's columns with cells and all other factors taken out."""
        own = self._columns[name]
        others = self._others(name)
        across = self.gram[np.ix_(own, others)]
        inverse, _ = pseudo_inverse(self.gram[np.ix_(others, others)])
        left: Floats = self.gram[np.ix_(own, own)] - across @ inverse @ across.T
        return left

    def seen(self, name: str) -> float:
        """Return how much of a factor's variance between runs its term sees: 1 where it is orthogonal to all else.

        What cells and other factors take out of it takes a part of the sum of squares away, too.
        """
        runs = np.bincount(self._codes[self._names.index(name)])
        total = float(runs.sum() - np.sum(runs**2) / runs.sum())
        return float(np.trace(self.alone(name))) / total

    def adjusted_means(self) -> Floats:
        """Return the cells' means as if each had met all slots and blocks as often as all runs together."""
        average = self.counts @ self._shares / self.counts.sum()
        adjusted: Floats = self.means - (self._shares - average) @ self.effects
        return adjusted

    def worth(self) -> float:
        """Return what part of its runs an adjusted mean is worth, between cells: 1 where all met all slots and blocks alike.

        The variances of what adjusted means differ by are those of plain means and of what was taken out; their sums
        over all differences are compared.
        """
        apart = self._shares - self._shares.mean(axis=0)
        plain = (1 - 1 / self.counts.size) * float(np.sum(1 / self.counts))
        return plain / (plain + float(np.einsum("ij,jk,ik->", apart, self._inverse, apart)))

    def slope(self, covariate: Floats) -> Slope | None:
        """Return the slope on a covariate (N); ``None`` where the cells and factors leave none to estimate."""
        df = self.error_df - 1
        x, y = self._residuals(covariate), self._residuals_of_values()
        spread = float(x @ x)
        if df < 1 or spread <= _TOLERANCE * float(np.sum((covariate - covariate.mean()) ** 2)):
            return None
        per_unit = float(x @ y) / spread
        left = self.error_ss - per_unit**2 * spread
        if self.error_ss == 0 or left <= 0:
            return Slope(per_unit, None, df)
        t = per_unit / np.sqrt(left / df / spread)
        return Slope(per_unit, float(2 * special.stdtr(df, -abs(t))), df)

    def _term(self, name: str) -> Term:
        others = self._others(name)
        inverse, rank = pseudo_inverse(self.gram[np.ix_(others, others)])
        without = float(self.moments[others] @ inverse @ self.moments[others])
        ss = float(self.moments @ self.effects) - without
        return Term(max(ss, 0.0), self.rank - rank)

    def _others(self, name: str) -> Codes:
        return np.setdiff1d(np.arange(self.gram.shape[0]), self._columns[name])

    def _moments(self, centred: Floats) -> Floats:
        parts = [
            np.bincount(codes, centred, minlength=columns.size)
            for codes, columns in zip(self._codes, self._columns.values(), strict=True)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def _residuals_of_values(self) -> Floats:
        return self._centred - self._fitted(self.effects)

    def _residuals(self, values: Floats) -> Floats:
        centred = values - (np.bincount(self.cells, values) / self.counts)[self.cells]
        return centred - self._fitted(self._inverse @ self._moments(centred))

    def _fitted(self, effects: Floats) -> Floats:
        fitted: Floats = -(self._shares @ effects)[self.cells]
        for codes, columns in zip(self._codes, self._columns.values(), strict=True):
            fitted = fitted + effects[columns][codes]
        return fitted


@dataclass(frozen=True)
class _Layout:
    """What does not depend on the values: all metrics of a sweep mostly have one."""

    counts: Floats
    shares: Floats
    """Of each cell: which fraction of its runs has each level of each factor."""
    gram: Floats
    columns: Mapping[str, Codes]


def _layout_of(cells: Codes, factors: Mapping[str, Codes]) -> _Layout:
    digest = hashlib.blake2b(cells.tobytes())
    for name, codes in factors.items():
        digest.update(name.encode() + codes.tobytes())
    return _LAYOUTS.get(digest.digest(), lambda: _laid_out(cells, factors))


def _laid_out(cells: Codes, factors: Mapping[str, Codes]) -> _Layout:
    counts = np.bincount(cells).astype(np.float64)
    sizes = [int(codes.max()) + 1 for codes in factors.values()]
    ends = np.cumsum([0, *sizes])
    columns = {
        name: np.arange(start, end) for name, start, end in zip(factors, ends[:-1], ends[1:], strict=True)
    }
    tables = [cross_table(cells, codes) for codes in factors.values()]
    shares = [table / counts[:, None] for table in tables]
    gram = np.zeros((int(ends[-1]), int(ends[-1])))
    for i, first in enumerate(factors.values()):
        for j, second in enumerate(factors.values()):
            both = cross_table(first, second) - tables[i].T @ shares[j]
            gram[ends[i] : ends[i + 1], ends[j] : ends[j + 1]] = both
    return _Layout(counts, np.hstack(shares) if shares else np.zeros((counts.size, 0)), gram, columns)


def cross_table(rows: Codes, columns: Codes) -> Floats:
    """Count how often two codings meet: (levels of rows, levels of columns)."""
    width = int(columns.max()) + 1
    height = int(rows.max()) + 1
    flat = np.bincount(rows * width + columns, minlength=height * width)
    return flat.reshape(height, width).astype(np.float64)


def pseudo_inverse(gram: Floats) -> tuple[Floats, int]:
    """Return the Moore–Penrose inverse of a symmetric matrix and its rank; not to be written to.

    All metrics of a sweep mostly have the same design, and with a thousand blocks an inverse takes a second.
    """
    if gram.size == 0:
        return gram, 0
    key = hashlib.blake2b(np.ascontiguousarray(gram).tobytes()).digest()
    return _INVERSES.get(key, lambda: _inverted(gram))


def _inverted(gram: Floats) -> tuple[Floats, int]:
    values, vectors = np.linalg.eigh(gram)
    kept = values > _TOLERANCE * max(float(values[-1]), 1.0)
    used = vectors[:, kept]
    return (used / values[kept]) @ used.T, int(kept.sum())


T = TypeVar("T")


class _Kept(Generic[T]):
    """The last few results by their key; threads may share it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: dict[bytes, T] = {}
        self._lock = threading.Lock()

    def get(self, key: bytes, make: Callable[[], T]) -> T:
        with self._lock:
            found = self._found.pop(key, None)
            if found is None:
                found = make()
            self._found[key] = found
            while len(self._found) > self._most:
                del self._found[next(iter(self._found))]
        return found


_LAYOUTS: _Kept[_Layout] = _Kept(8)
_INVERSES: _Kept[tuple[Floats, int]] = _Kept(12)
