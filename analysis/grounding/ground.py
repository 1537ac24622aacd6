"""A text's figures against the ingested files and what was measured: supported, contradicted or not found."""

from __future__ import annotations

import re
from collections import defaultdict
from copy import copy

from analysis.grounding.cited import Cited
from analysis.grounding.counts import ALL, KINDS, claim_of, share_of
from analysis.grounding.dates import Dates
from analysis.grounding.labels import Index, rounds_to
from analysis.grounding.layout import Block, blocks_of, lines_of
from analysis.grounding.measured import Measured
from analysis.grounding.names import Names
from analysis.grounding.nearby import Named, claim_at, context_of, files_beside, without_names
from analysis.grounding.scan import MAX_CHARS, Token, gaps, scan
from analysis.grounding.scope import Places
from analysis.grounding.verdict import NOT_FOUND, Judged
from analysis.models.grounding import Figure, FigureKind
from contracts.facts import Facts

_REST = re.compile(r"\s{0,20}(?:\.\.\.|…)\s?and \d{1,9} more\s{0,20}")


class Grounder:
    """Facts, indexed once to judge any number of texts."""

    def __init__(self, facts: Facts, measured: Measured | None = None) -> None:
        self._facts = facts
        self._cited = Cited(measured or Measured())
        self._names = Names(facts)
        self._index = Index(facts)
        self._dates = Dates(facts)
        self._places = Places(facts, self._index.telling)

    def with_measured(self, measured: Measured | None) -> Grounder:
        """Return a grounder over the same facts and other measured results; the index is shared."""
        other = copy(self)
        other._cited = Cited(measured or Measured())
        return other

    def ground(self, text: str) -> tuple[Figure, ...]:
        """Return the figures of a text in order, disjoint, with their verdicts.

        At most the first :data:`~analysis.grounding.scan.MAX_FIGURES`, and none beyond
        :data:`~analysis.grounding.scan.MAX_CHARS` characters.
        """
        scanned = _with_lines(text[:MAX_CHARS])
        lines = lines_of(scanned)
        blocks = blocks_of(lines)
        tokens = list(scan(lines))
        names = self._named(tokens)
        prose = without_names(scanned, list(names.values()))
        on_line: dict[int, list[Named]] = defaultdict(list)
        for token in tokens:
            if token in names:
                on_line[token.line.start].append(names[token])
        figures = []
        for token, (low, high) in zip(tokens, gaps(tokens), strict=True):
            block = blocks[token.line.start]
            start = token.start
            kind: FigureKind
            if token.kind == "file_name":
                kind, start = "file_name", names[token].start
                files = names[token].files
                judged: Judged = ("supported", self._names.said(files)) if files else NOT_FOUND
            elif token.kind == "date":
                kind = "date"
                judged = self._dates.judge(scanned, token, KINDS.get(block.kind or ""), self._cited.dates)
            else:
                beside = files_beside(scanned, token, on_line.get(token.line.start, []))
                kind, judged = self._number(prose, token, low, high, block, beside)
            figures.append(
                Figure(
                    figure=text[start : token.end],
                    kind=kind,
                    context=context_of(token.line, start, token.end),
                    verdict=judged[0],
                    truth=judged[1],
                    start=start,
                    end=token.end,
                )
            )
        return tuple(figures)

    def _named(self, tokens: list[Token]) -> dict[Token, Named]:
        """Return each file's name with where it truly begins and which files it names."""
        found: dict[Token, Named] = {}
        end = 0
        for token in tokens:
            if token.kind == "file_name":
                line = token.line
                start = self._names.start_of(line.text, token.start - line.start, token.end - line.start)
                files = self._names.files(line.text[start : token.end - line.start])
                # A figure may stand within a name that has blanks.
                begin = start + line.start if start + line.start >= end else token.start
                found[token] = Named(begin, token.end, files)
            end = token.end
        return found

    def _number(
        self, text: str, token: Token, low: int, high: int, block: Block, files: frozenset[int] | None
    ) -> tuple[FigureKind, Judged]:
        counts = self._facts.counts
        if block.kind and _REST.fullmatch(token.line.text[:80]):
            # The data summary's "... and 23 more": what a list of some files leaves out.
            left = counts.get(KINDS[block.kind], 0) - block.listed
            return "file_count", ("supported", str(left)) if token.value == left else NOT_FOUND
        claim = claim_of(text, token, self._index.telling, self._places, block.titles)
        if claim is not None:
            truth = self._facts.files_total if claim.kind == ALL else counts.get(claim.kind, 0)
            verdict = claim.verdict(token.value, truth)
            return "file_count", (verdict, None if verdict == "not_found" else str(truth))
        share = share_of(text, token)
        if share is not None and self._facts.files_total:
            percent = 100 * counts.get(share[0], 0) / self._facts.files_total
            if rounds_to(percent, token.value, token.half):
                return "number", ("supported", f"{percent:.1f}%")
            return "number", ("contradicted", f"{percent:.1f}%") if share[1] else NOT_FOUND
        setting = self._cited.setting(text, token, block.heading)
        if setting is not None:
            return "number", setting
        worded = claim_at(text, token, low, high, files)
        measured = self._cited.value(worded, token.line)
        if measured is not None and measured[0] == "supported":
            return "number", measured
        place = self._index.find(worded)
        if place is not None:
            return "number", ("supported", place)
        return "number", measured or NOT_FOUND


def ground(text: str, facts: Facts, measured: Measured | None = None) -> tuple[Figure, ...]:
    """Return every number, file count, date and file name of a text with its verdict, in order.

    Spans are disjoint and ``text[start:end] == figure``. For several texts use one :class:`Grounder`.
    """
    return Grounder(facts, measured).ground(text)


def _with_lines(text: str) -> str:
    """Break the lines of a JSON answer where its strings say so; no character moves."""
    if not text[:200].lstrip().startswith(("{", "[", "```json")):
        return text
    return text.replace("\\n", " \n").replace("\\t", "  ").replace('\\"', ' "')
