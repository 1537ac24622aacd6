"""The words about a figure: those that say what a number is, and the context that people see."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analysis.grounding.labels import Claim, claim_words
from analysis.grounding.layout import Line
from analysis.grounding.scan import Token
from analysis.grounding.words import UNITS, statistic_of, words_of
from analysis.rendering.plain import one_line

MAX_CONTEXT = 240
"""Characters of a figure's context."""

_NEAR, _WIDE = 100, 240
_LISTED = re.compile(r"[,;)]|\band\b")
_BREAK = re.compile(r"[.!?;]\s|\"\s?,")
_SENTENCE = re.compile(r"[.!?;]\s")


@dataclass(frozen=True)
class Named:
    """A file's name in a text."""

    start: int
    end: int
    files: frozenset[int]
    """Indices; empty: no such file."""


def without_names(text: str, names: list[Named]) -> str:
    """Return the text with blanks for files' names: their words say which file, not what is measured."""
    pieces, end = [], 0
    for name in names:
        pieces += [text[end : name.start], " " * (name.end - name.start)]
        end = name.end
    return "".join([*pieces, text[end:]])


def files_beside(text: str, token: Token, on_line: list[Named]) -> frozenset[int] | None:
    """Return the files that the number's sentence names: the last before it, else all; ``None``: it names none."""
    line = token.line
    if line.header is not None:
        beside = on_line
    else:
        beside = [
            name
            for name in on_line
            if abs(name.start - token.start) < _WIDE
            and _BREAK.search(text, *sorted((name.end, token.start))) is None
        ]
    before = [name for name in beside if name.start < token.start]
    chosen = before[-1:] or beside
    return frozenset().union(*(name.files for name in chosen)) if chosen else None


def claim_at(text: str, token: Token, low: int, high: int, files: frozenset[int] | None) -> Claim:
    """Return the number with the words about it; ``low`` and ``high``: where its neighbours end and begin."""
    line = token.line
    if line.header is not None:
        index = line.cell_at(token.start)
        header = line.header[index] if index < len(line.header) else ""
        row = [
            cell
            for cell in line.cells[: min(index, 8)]
            if not any(c.isdigit() for c in cell) or len(cell) < 40
        ]
        own = line.cells[index] if 0 <= index < len(line.cells) else ""
        near = claim_words([*row[:3], header, own[:_NEAR]])
        unit = token.unit or next(
            (word for word in reversed(words_of(header)) if word in UNITS and word != "min"), None
        )
        return Claim(token.value, token.half, unit, near, near, files)
    begin = max(line.start, token.start - _WIDE)
    ends = [match.end() for match in _SENTENCE.finditer(text, begin, token.start)]
    sentence = max([begin, *ends])
    from_ = max(low, sentence, token.start - _NEAR)
    if low > line.start:
        # "4 rows, 5 columns": what stands before the comma is said of the number before.
        ended = _LISTED.search(text, from_, token.start)
        from_ = ended.end() if ended else from_
    until = min(high, token.after + 40)
    stop = re.search(r"[.,;:()|]", text[token.after : until])
    until = token.after + stop.start() if stop else until
    before = words_of(text[from_ : token.start])
    after = words_of(text[token.after : until])
    # The statistic stands before ("mean 5.2") or, failing that, after it ("5.2 on average").
    near = [*after, *before] if statistic_of(before) or not statistic_of(after) else [*before, *after]
    lead = words_of(line.lead)
    if low <= line.start:
        near = [*lead, *near]
    wide = [*lead, *words_of(text[sentence : token.start]), *after]
    return Claim(token.value, token.half, token.unit, near, wide, files)


def context_of(line: Line, start: int, end: int) -> str:
    """Return the line, or as much of it as fits around the figure, without control characters."""
    text = line.text
    if len(text) <= MAX_CONTEXT:
        return _shown(text)
    around = max((MAX_CONTEXT - (end - start)) // 2, 20)
    low, high = max(0, start - line.start - around), min(len(text), end - line.start + around)
    return ("… " if low else "") + _shown(text[low:high]) + (" …" if high < len(text) else "")


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if text.isprintable() else one_line(text)
