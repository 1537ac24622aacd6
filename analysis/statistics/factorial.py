"""Factorial analysis of variance of cell means: main effects, interactions of pairs, what is left.

Each cell (one combination of axes' values) counts the same, however many of its runs are valid: the analysis of
unweighted means (S. R. Searle, Linear Models, 1971, ch. 8; F. Yates, 1934), with the harmonic mean of the cells'
runs. With all combinations measured its terms are orthogonal and each is a closed form. With combinations missing
each term is fitted by least squares given all terms that do not contain it (type II).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.statistics.additive import Codes, Floats, Term, cross_table, pseudo_inverse
from analysis.statistics.interval import LEVEL

MAX_COLUMNS = 400
"""Pairs of values in all interactions of a design with missing combinations; with more none is fitted."""
Factor = tuple[int, ...]
"""An axis, or a pair of axes, by their positions."""
_NOTHING = 1e-9
_ROUNDING = 1e-24
_ESTIMABLE = 1e-6


@dataclass(frozen=True)
class Level:
    """The mean over all else at one value of an axis, in the scale of the cells' values."""

    mean: float
    half_width: float | None
    """Of its interval (:data:`analysis.statistics.interval.LEVEL`)."""


@dataclass(frozen=True)
class Noise:
    """The variance between runs and the degrees of freedom that it was estimated from."""

    mean_square: float
    df: int


@dataclass(frozen=True)
class Factorial:
    """The analysis. A term's df is 0 where it can't be estimated."""

    axes: tuple[Term, ...]
    interactions: Mapping[tuple[int, int], Term]
    """By the positions of its axes."""
    higher: Term
    """What differs between cells and is in no other term."""
    noise: Noise | None
    """The one that was used."""
    noise_from_cells: bool
    """No cell was repeated: interactions stand for the noise."""
    levels: tuple[tuple[Level, ...], ...]
    separate: tuple[bool, ...]
    """By axis: each difference between its values can be told apart from the other axes."""


class Design:
    """Which levels the cells have, and what of it can be estimated.

    Factors are axes, by position, and pairs of axes, by both; what is solved for a set of them is kept, so that one
    design serves several metrics.
    """

    def __init__(self, axes: Sequence[Codes]) -> None:
        """``axes``: the level of each cell (C codes from 0), one array an axis of at least 2 levels."""
        self.axes = tuple(axes)
        self.sizes = tuple(int(codes.max()) + 1 for codes in axes)
        self.cells = int(axes[0].size)
        self.crossed = self.cells == math.prod(self.sizes)
        """Every combination is there (cells are distinct)."""
        every = range(len(axes))
        pairs = {pair: self._both(*pair) for pair in itertools.combinations(every, 2)}
        if not self.crossed and sum(int(codes.max()) + 1 for codes in pairs.values()) > MAX_COLUMNS:
            pairs = {}
        self.pairs = tuple(pairs)
        """Those that are fitted."""
        self._codes: dict[Factor, Codes] = {(i,): codes for i, codes in enumerate(axes)}
        for pair, both in pairs.items():
            self._codes[pair] = both
        self._solved: dict[tuple[Factor, ...], tuple[Floats, int]] = {}

    @property
    def mains(self) -> tuple[Factor, ...]:
        """All axes as factors."""
        return tuple((i,) for i in range(len(self.axes)))

    def moments(self, cells: Floats, factors: Sequence[Factor]) -> Floats:
        """Return the sums of the centred cells over each level of each factor."""
        centred = cells - cells.mean()
        parts = [np.bincount(self._codes[factor], centred) for factor in factors]
        return np.concatenate([np.zeros(0), *parts])

    def solved(self, factors: Sequence[Factor]) -> tuple[Floats, int]:
        """Return the inverse of the factors' cross products, the mean taken out, and their rank."""
        key = tuple(factors)
        if key not in self._solved:
            self._solved[key] = pseudo_inverse(self.gram(key)[0])
        return self._solved[key]

    def gram(self, factors: Sequence[Factor]) -> tuple[Floats, Floats]:
        """Return the cross products of all factors' columns, the mean taken out, and the columns' means."""
        codes = [self._codes[factor] for factor in factors]
        if not codes:
            return np.zeros((0, 0)), np.zeros(0)
        gram = np.block([[cross_table(a, b) for b in codes] for a in codes])
        means = np.diag(gram) / self.cells
        return gram - self.cells * np.outer(means, means), means

    def explained(self, cells: Floats, factors: Sequence[Factor]) -> tuple[float, int]:
        """Return the sum of squares that factors explain together, and their rank, the mean taken out."""
        ordered = sorted(factors)
        inverse, rank = self.solved(ordered)
        moments = self.moments(cells, ordered)
        return float(moments @ inverse @ moments), rank

    def _both(self, i: int, j: int) -> Codes:
        """Return codes of the combinations of two axes' values that occur."""
        codes: Codes = np.unique(self.axes[i] * self.sizes[j] + self.axes[j], return_inverse=True)[1]
        return codes


def analyse(
    cells: Floats, counts: Floats, design: Design, noise: Noise | None, of_mean: Noise | None = None
) -> Factorial:
    """Analyse cell means.

    Args:
        cells: mean of each cell (C), C > 1.
        counts: runs in each cell (C).
        noise: between the runs of a cell; ``None``: no cell was repeated.
        of_mean: variance of the mean over all cells, where it is not that of runs (of whole plots, whose units are
            fewer); ``None``: it is.
    """
    runs = cells.size / float(np.sum(1 / counts))
    total = float(np.sum((cells - cells.mean()) ** 2))
    if design.crossed:
        terms, pairs = _crossed(cells, design)
        both = [*terms, *pairs.values()]
        explained, rank = sum(term.ss for term in both), sum(term.df for term in both)
    else:
        terms, pairs = _incomplete(cells, design)
        explained, rank = design.explained(cells, [*design.mains, *design.pairs])
    left = total - explained
    rounding = _NOTHING * max(total, float(cells @ cells) * _ROUNDING)
    higher = Term(left if left > rounding else 0.0, cells.size - 1 - rank)
    from_cells = noise is None
    if noise is None:
        noise, higher, pairs = _noise_of_cells(cells, design, higher, pairs, total)
        runs = 1.0
    levels, separate = _levels(cells, design, runs, noise, of_mean)
    return Factorial(
        axes=tuple(Term(term.ss * runs, term.df) for term in terms),
        interactions={pair: Term(term.ss * runs, term.df) for pair, term in pairs.items()},
        higher=Term(higher.ss * runs, higher.df),
        noise=noise,
        noise_from_cells=from_cells,
        levels=levels,
        separate=separate,
    )


def p_of(term: Term, noise: Noise | None) -> float | None:
    """Return the p-value of the F test of a term; ``None`` where there is none."""
    if noise is None or noise.mean_square <= 0 or term.df == 0:
        return None
    ratio = term.ss / term.df / noise.mean_square
    return float(special.fdtrc(term.df, noise.df, ratio))


def beyond_noise(term: Term, noise: Noise) -> float:
    """Return a term's sum of squares less what noise alone would give it; never below 0.

    Over the total it is epsilon² (T. L. Kelley, PNAS 21 (1935) 554–559), which unlike eta² does not grow with
    the number of levels where nothing is to be found.
    """
    return max(0.0, term.ss - term.df * noise.mean_square)


def _crossed(cells: Floats, design: Design) -> tuple[list[Term], dict[tuple[int, int], Term]]:
    sizes = design.sizes
    table = np.empty(sizes)
    table[design.axes] = cells
    table -= table.mean()
    every = range(len(sizes))
    alone = [table.mean(axis=tuple(i for i in every if i != axis)) for axis in every]
    terms = [
        Term(float(mean @ mean) * cells.size / size, size - 1)
        for mean, size in zip(alone, sizes, strict=True)
    ]
    pairs = {}
    for i, j in design.pairs:
        both = table.mean(axis=tuple(k for k in every if k not in (i, j)))
        both = both - alone[i][:, None] - alone[j][None, :]
        ss = float(np.sum(both**2)) * cells.size / both.size
        pairs[i, j] = Term(ss, (sizes[i] - 1) * (sizes[j] - 1))
    return terms, pairs


def _incomplete(cells: Floats, design: Design) -> tuple[list[Term], dict[tuple[int, int], Term]]:
    def term(own: Factor, others: list[Factor]) -> Term:
        with_it, rank = design.explained(cells, [*others, own])
        without, lower = design.explained(cells, others)
        return Term(max(with_it - without, 0.0), rank - lower)

    terms = [
        term(
            axis,
            [
                *(other for other in design.mains if other != axis),
                *(p for p in design.pairs if axis[0] not in p),
            ],
        )
        for axis in design.mains
    ]
    pairs = {
        pair: term(pair, [*design.mains, *(other for other in design.pairs if other != pair)])
        for pair in design.pairs
    }
    return terms, pairs


def _noise_of_cells(
    cells: Floats,
    design: Design,
    higher: Term,
    pairs: dict[tuple[int, int], Term],
    total: float,
) -> tuple[Noise | None, Term, dict[tuple[int, int], Term]]:
    """Take the terms of the highest order that leave something for the noise, and drop them."""
    nothing = Term(0.0, 0)
    if higher.df:
        return Noise(higher.ss / higher.df, higher.df), nothing, pairs
    explained, rank = design.explained(cells, design.mains)
    df = cells.size - 1 - rank
    if df:
        return Noise(max(total - explained, 0.0) / df, df), nothing, {}
    return None, nothing, {}


def _levels(
    cells: Floats, design: Design, runs: float, noise: Noise | None, of_mean: Noise | None
) -> tuple[tuple[tuple[Level, ...], ...], tuple[bool, ...]]:
    """Return the marginal means of the additive model, the other axes' values counting equally."""
    gram, shares = design.gram(design.mains)
    inverse, _ = design.solved(design.mains)
    mean = float(cells.mean())
    effects = inverse @ design.moments(cells, design.mains)
    equal = np.concatenate([np.full(size, 1 / size) for size in design.sizes])
    ends = np.cumsum([0, *design.sizes])
    projection = inverse @ gram
    critical, mean_variance = None, 0.0
    if noise is not None:
        df = noise.df if of_mean is None else min(noise.df, of_mean.df)
        critical = -float(special.stdtrit(df, (1 - LEVEL) / 2))
        mean_variance = of_mean.mean_square if of_mean else noise.mean_square / runs / cells.size
    found, separate = [], []
    for axis, size in enumerate(design.sizes):
        contrasts = np.zeros((size, equal.size))
        contrasts[:, ends[axis] : ends[axis + 1]] = np.eye(size) - 1 / size
        at = equal + contrasts - shares
        apart = bool(np.allclose(contrasts @ projection, contrasts, atol=_ESTIMABLE))
        separate.append(apart)
        if not (apart and np.allclose(at @ projection, at, atol=_ESTIMABLE)):
            plain = np.bincount(design.axes[axis], cells) / np.bincount(design.axes[axis])
            found.append(tuple(Level(float(value), None) for value in plain))
            continue
        widths: list[float | None] = [None] * size
        if noise is not None and critical is not None:
            apart_from_mean = np.einsum("ij,jk,ik->i", at, inverse, at)
            spread = noise.mean_square / runs * apart_from_mean + mean_variance
            widths = [float(w) for w in critical * np.sqrt(spread)]
        means = mean + at @ effects
        found.append(tuple(Level(float(m), w) for m, w in zip(means, widths, strict=True)))
    return tuple(found), tuple(separate)
