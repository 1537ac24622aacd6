"""A text's lines: which are code, which are rows of a table and below which header, what stands under what."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace

from analysis.grounding.words import word_set
from contracts.tables.parse_markdown import cells_of, is_rule

_FENCE = re.compile(r"[ \t>]*(```+|~~~+)[ \t]*([A-Za-z0-9_+-]{0,20})")
_CODE = word_set("""python py python3 bash sh shell zsh console powershell cmd bat rust rs c cpp c++ java javascript js typescript
    ts go ruby sql yaml yml toml ini dockerfile makefile html css xml mermaid diff regex latex tex""")
"""Fences of these languages are programs: their numbers are no figures."""
_LISTING = re.compile(r"\W{0,4}(csv|json|markdown)\W{1,3}files\b", re.I)
"""Heads a list of files, as in the data summary."""
_LEAD = re.compile(r"[\s>#*_\-+•\d.)]{0,20}([^:|：\n]{1,80})[:：]")
_BOLD = re.compile(r"(?:\*\*|__)[^*]{1,100}(?:\*\*|__)")
_TITLE_CHARS, _DEEPEST = 120, 6


@dataclass(slots=True, eq=False)
class Line:
    """One line of a text."""

    start: int
    end: int
    text: str
    code: bool = False
    header: list[str] | None = None
    """Cells of the header of the table that this row belongs to."""
    is_header: bool = False
    starts: list[int] = field(default_factory=list)
    """Offsets in the text of the row's cells."""
    cells: list[str] = field(default_factory=list)

    _lead: str | None = None

    @property
    def lead(self) -> str:
        """What stands before the first colon, without marks; empty: no label leads the line."""
        if self._lead is None:
            match = _LEAD.match(self.text[:140])
            self._lead = match[1].strip(" *_`~\"'“”‘’") if match else ""
        return self._lead

    def cell_at(self, position: int) -> int:
        """Index of the cell at an offset of the text."""
        return bisect_right(self.starts, position) - 1


def lines_of(text: str) -> list[Line]:
    """Return the lines in order."""
    lines: list[Line] = []
    position = 0
    for piece in text.splitlines(keepends=True):
        body = piece.rstrip("\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")
        lines.append(Line(position, position + len(body), body))
        position += len(piece)
    _mark_code(lines)
    _mark_tables(lines)
    return lines


def _mark_code(lines: list[Line]) -> None:
    opened: int | None = None
    mark, program = "", False
    for i, line in enumerate(lines):
        match = _FENCE.match(line.text)
        if match is None:
            continue
        if opened is None:
            opened, mark, program = i, match[1][0], match[2].lower() in _CODE
        elif match[1][0] == mark and not match[2]:
            # A fence that is never closed is none: else one mark would hide all that follows.
            for inside in lines[opened : i + 1]:
                inside.code = program
            opened = None


def _mark_tables(lines: list[Line]) -> None:
    previous: tuple[Line, list[str]] | None = None
    header: list[str] | None = None
    for line in lines:
        row = None if line.code or "|" not in line.text else cells_of(line.text)
        if row is None:
            previous, header = None, None
            continue
        if header is not None:
            line.header = header
            _cut(line)
        elif previous is not None and len(row) == len(previous[1]) and is_rule(row):
            header = previous[1]
            previous[0].is_header = True
        previous = (line, row)


def _cut(line: Line) -> None:
    """Note where the row's cells begin."""
    text = line.text
    indent = len(text) - len(text.lstrip())
    begin = indent + (1 if text[indent : indent + 1] == "|" else 0)
    starts = [begin]
    for match in re.finditer(r"(?<!\\)\|", text[begin:]):
        starts.append(begin + match.end())
    ends = [*(start - 1 for start in starts[1:]), len(text)]
    line.cells = [text[a:b].strip().strip("*`_").strip() for a, b in zip(starts, ends, strict=True)]
    line.starts = [line.start + start for start in starts]


@dataclass(frozen=True)
class Block:
    """What stands above a line."""

    heading: str = ""
    kind: str | None = None
    """As written, lower case, of the files that the block (lines without a blank one) lists."""
    listed: int = 0
    """File names that the block has listed so far."""
    titles: tuple[str, ...] = ()
    """Its headings, the line above that opens it ("The reports folder:"), and the items that a line is nested in."""


def blocks_of(lines: list[Line]) -> dict[int, Block]:
    """Line's start → what stands above it."""
    found: dict[int, Block] = {}
    current = Block()
    titles = _Titles()
    for line in lines:
        stripped = line.text[:80].strip() if line.text else ""
        if not stripped:
            current = Block(current.heading)
        elif stripped.startswith("#") and not line.code:
            current = Block(stripped.strip("# *"))
        listing = _LISTING.match(stripped)
        if listing is not None:
            current = Block(current.heading, listing[1].lower())
        found[line.start] = replace(current, titles=titles.above(line))
        if current.kind and re.match(r"[-*] .", stripped):
            current = Block(current.heading, current.kind, current.listed + 1)
    return found


class _Titles:
    """What stands above the lines, read in order."""

    def __init__(self) -> None:
        self._headings: list[tuple[int, str]] = []
        self._opener = ""
        self._outer: list[tuple[int, str]] = []

    def above(self, line: Line) -> tuple[str, ...]:
        """Take the next line in; return what stands above it, outermost first."""
        text = line.text[:_TITLE_CHARS].rstrip()
        stripped = text.strip()
        whole = len(line.text) <= _TITLE_CHARS
        if not stripped or line.code:
            return ()
        if stripped.startswith("#"):
            level = len(stripped) - len(stripped.lstrip("#"))
            self._headings = [*((n, title) for n, title in self._headings if n < level), (level, stripped)][
                -_DEEPEST:
            ]
            self._opener, self._outer = "", []
            return tuple(title for _, title in self._headings)
        indent = len(text) - len(text.lstrip())
        self._outer = [(n, item) for n, item in self._outer if n < indent][-_DEEPEST:]
        above = (
            # A text's own title says what it is called, unless all stands right below it.
            *(title for n, title in self._headings if n > 1 or len(self._headings) == 1),
            *([self._opener] if self._opener else []),
            *(item for _, item in self._outer),
        )
        self._outer.append((indent, stripped))
        if whole and (stripped.rstrip("*_ ").endswith((":", "：")) or _BOLD.fullmatch(stripped)):
            self._opener = stripped
        return above
