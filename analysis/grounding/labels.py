"""Numbers against labelled numbers: a value supports a number only under a label that says the same.

The rule: (1) every word of the column's name stands near the number; (2) what the text says is measured (latency,
memory, …) is named by the column too; (3) files or models named beside the number are those of the column; (4) units
are of one dimension, and are converted; (5) a named statistic (mean, minimum, …) is compared with that statistic only;
(6) the value rounds to the digits that are printed; digits so few that rounding moves them by over 2 % need the very
value, and 0 is never supported. Of several columns those with most words in common count.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from analysis.grounding.words import (
    METRIC_WORDS,
    UNITS,
    Label,
    Statistic,
    label_of,
    saying,
    statistic_of,
    word_set,
    words_of,
)
from contracts.facts import Facts, Series

_COARSE = 0.02
_MAX_CACHED = 1_000
_MAX_COMPARED = 1_000
"""Columns under one label that are looked at."""
_GENERIC = word_set(
    "time token size id step index rate response count gpu type level generation length row column"
)
"""A column of such a name alone says too little: its path or file must be named as well."""
_NOT_TELLING = word_set(
    "csv json md markdown report benchmark bench result data file run summary test reports it v"
)


_Key = tuple[frozenset[str], frozenset[str], str | None, frozenset[int] | None]


@dataclass(frozen=True)
class Claim:
    """A number of a text with the words about it."""

    value: float
    half: float
    """Half a unit of its last printed digit."""
    unit: str | None
    near: list[str]
    """Words between its neighbours, and of its table's header and row."""
    wide: list[str]
    """Those of its sentence and line as well."""
    files: frozenset[int] | None = None
    """Those named beside it; empty: one that is not in the data; ``None``: none is named."""


class Index:
    """The columns of :class:`Facts` by the words of their names."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._cache: dict[_Key, list[tuple[Series, Label]]] = {}
        by_words: dict[frozenset[str], list[Series]] = defaultdict(list)
        for series in facts.series:
            words = label_of(series.label).words
            if words:
                by_words[words].append(series)
        # Each set of words under its rarest word: a claim without that word need not look at it.
        common = Counter(word for words in by_words for word in words)
        self._by_rarest: dict[str, list[tuple[frozenset[str], list[Series]]]] = defaultdict(list)
        for words, columns in by_words.items():
            self._by_rarest[min(words, key=lambda word: (common[word], word))].append((words, columns))
        self._files = [frozenset(words_of(file.path)) for file in facts.files]
        self._cells = [frozenset(word for w in file.words for word in words_of(w)) for file in facts.files]

    @cached_property
    def telling(self) -> frozenset[str]:
        """Words of paths that tell files apart."""
        count = Counter(word for words in self._files for word in words)
        return (
            frozenset(
                word
                for word, n in count.items()
                if n < len(self._files) and not word.isdecimal() and len(word) > 1
            )
            - _NOT_TELLING
        )

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        """Words of paths and short cells that tell files apart: a text that names one is about those files."""
        cells = Counter(word for words in self._cells for word in words)
        tell = {word for word, n in cells.items() if n < len(self._files) and any(c.isdigit() for c in word)}
        return self.telling | (tell - _NOT_TELLING)

    def find(self, claim: Claim) -> str | None:
        """Return where a value stands that supports the claim."""
        if claim.value == 0:  # zeros stand everywhere
            return None
        if claim.half > _COARSE * abs(claim.value):
            claim = replace(claim, half=0.0)
        statistic = statistic_of(claim.near)
        kept = self._kept(claim)
        for series, label in kept:
            factor = _factor(label.unit, claim.unit)
            if factor is None:
                continue
            if statistic not in (None, "n", label.statistic) and series.n < 2 and len(kept) > 1:
                continue  # the mean of one value among many is none
            found = _matches(series, label, statistic, claim, factor)
            if found is not None:
                return f"{self._place(series)}: {series.label}{found}"
        return _pooled(kept, statistic, claim)

    def _kept(self, claim: Claim) -> list[tuple[Series, Label]]:
        """The columns whose name says what the text says."""
        key = (frozenset(claim.near), frozenset(claim.wide), claim.unit, claim.files)
        found = self._cache.get(key)
        if found is not None:
            return found
        near = _said(claim.near, claim.unit)
        wide = near | _said(claim.wide, claim.unit)
        columns = self._columns(near, near, claim) or self._columns(near, wide, claim)
        found = []
        for series in columns[:_MAX_COMPARED]:
            label = label_of(series.label)
            if self._agrees(series, label, claim):
                found.append((series, label))
        if len(self._cache) < _MAX_CACHED:
            self._cache[key] = found
        return found

    def _columns(self, near: frozenset[str], words: frozenset[str], claim: Claim) -> list[Series]:
        metric = near & METRIC_WORDS
        best: dict[int, list[Series]] = defaultdict(list)
        for word in sorted(words):
            for said, columns in self._by_rarest.get(word, ()):
                if not said <= words:
                    continue
                for series in columns[:_MAX_COMPARED]:
                    label = label_of(series.label)
                    if metric <= label.every and _factor(label.unit, claim.unit) is not None:
                        best[len(said)].append(series)
        return best[max(best)] if best else []

    def _agrees(self, series: Series, label: Label, claim: Claim) -> bool:
        """Whether files and models named in the text are those of the column."""
        if claim.files is not None and series.file not in claim.files:
            return False
        if not 0 <= series.file < len(self._files):
            return True
        own = self._files[series.file] | self._cells[series.file] | label.every
        near = (frozenset(claim.near) & self._vocabulary) - label.words
        if claim.files is None and all(len(word) < 2 or word in _GENERIC for word in label.words):
            telling = {word for word in own - _GENERIC - _NOT_TELLING if len(word) > 1}
            if not telling & frozenset(claim.near):
                return False
        if near:
            return near <= own
        wide = (frozenset(claim.wide) & self._vocabulary) - label.words
        return not wide or bool(wide & own)

    def _place(self, series: Series) -> str:
        return self._facts.files[series.file].path if 0 <= series.file < len(self._facts.files) else "a file"


def claim_words(texts: Iterable[str]) -> list[str]:
    """Return the words of pieces of a text, in order."""
    return [word for text in texts for word in words_of(text)]


def _said(words: Sequence[str], unit: str | None) -> frozenset[str]:
    said = saying(list(words))
    return said | {"throughput"} if unit in ("tok/s", "tps") else said


def _factor(column: str | None, text: str | None) -> float | None:
    """What a column's values are multiplied with to be in the text's unit; ``None``: another dimension."""
    if text is None or column == text:
        return 1.0
    if text not in UNITS:
        return 1.0
    if column is None or column not in UNITS:
        # A fraction may be kept as 0.5 or 50, and a rate's column be called "throughput".
        return 1.0 if UNITS[text][0] in ("fraction", "token rate") else None
    (mine, per), (other, of) = UNITS[column], UNITS[text]
    return per / of if mine == other else None


def rounds_to(value: float, claimed: float, half: float) -> bool:
    """Whether a value, rounded to the digits printed, is what is claimed."""
    return abs(value - claimed) <= half * (1 + 1e-9) + 1e-8 * abs(claimed)


def _matches(
    series: Series, label: Label, statistic: Statistic | None, claim: Claim, factor: float
) -> str | None:
    """Return how the column supports the claim, as a suffix; ``None``: it does not."""
    if statistic is not None and label.statistic != statistic:
        value = _statistic(series, statistic)
        scale = 1.0 if statistic == "n" else factor
        hit = value is not None and rounds_to(value * scale, claim.value, claim.half)
        return f", {statistic} of {series.n} = {value:g}" if hit else None
    low, high = (claim.value - claim.half) / factor, (claim.value + claim.half) / factor
    slack = 1e-9 * max(abs(low), abs(high))
    first = bisect_left(series.values, low - slack)
    if first < bisect_right(series.values, high + slack):
        return f" = {series.values[first]:g}"
    if statistic is None and rounds_to(series.mean * factor, claim.value, claim.half):
        return f", mean of {series.n} = {series.mean:g}"
    ends = (series.minimum, series.maximum)
    if any(rounds_to(value * factor, claim.value, claim.half) for value in ends):
        return ", minimum or maximum"
    return None


def _statistic(series: Series, statistic: Statistic) -> float | None:
    if statistic == "n":
        return float(series.n)
    if statistic == "sum":
        total = series.mean * series.n
        return total if math.isfinite(total) else None
    value: float | None = getattr(series, statistic)
    return value


def _pooled(kept: list[tuple[Series, Label]], statistic: Statistic | None, claim: Claim) -> str | None:
    """The statistic over all columns of the label: what "across all files" claims."""
    if statistic not in ("mean", "minimum", "maximum", "n", "sum") or len(kept) < 2:
        return None
    scaled = [(s, f) for s, label in kept if (f := _factor(label.unit, claim.unit)) is not None]
    n = sum(series.n for series, _ in scaled)
    if not scaled or n == 0:
        return None
    total = math.fsum(series.mean * series.n * factor for series, factor in scaled)
    value = {
        "mean": total / n,
        "minimum": min(series.minimum * factor for series, factor in scaled),
        "maximum": max(series.maximum * factor for series, factor in scaled),
        "n": float(n),
        "sum": total,
    }[statistic]
    if not rounds_to(value, claim.value, claim.half):
        return None
    return f"{statistic} over {len(scaled)} columns such as {scaled[0][0].label}"
