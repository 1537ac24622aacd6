"""Document → GitHub-flavoured Markdown. All text is data: none of it becomes markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from analysis.rendering.document import (
    Block,
    Bullet,
    Bullets,
    Chart,
    Document,
    Lines,
    Paragraph,
    Section,
    Table,
    Verbatim,
)
from analysis.rendering.plain import one_line, visible

_PLAIN = re.compile(r"[A-Za-z]+|\d+(?:,\d{3})*(?:\.\d+)?%?")
"""Words and numbers as most cells of a report hold them: nothing to escape."""
_SPECIAL = re.compile(r"[\\`*\[\]~]")
_EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_LEADING = re.compile(r"^(?:[-+](?=\s|$)|#{1,6}(?=\s|$)|>|(?:=+|-+)$)")
_LEADING_NUMBER = re.compile(r"^(\d+)([.)])(?=\s|$)")
_TICKS = re.compile(r"`+")
_DEEPEST = 6
_RULE = {"l": "---", "r": "---:"}


def render_document(document: Document) -> str:
    """Return the Markdown text; it ends with a newline."""
    parts = [f"# {inline(document.title)}", *_blocks(document.blocks, 2)]
    return "\n\n".join(parts) + "\n"


def inline(text: str) -> str:
    """Escape text for one line of Markdown outside tables; underscores inside words stay."""
    if _PLAIN.fullmatch(text):
        return text
    escaped = _SPECIAL.sub(lambda match: "\\" + match[0], one_line(text))
    escaped = _EDGE_UNDERSCORE.sub(r"\\_", escaped)
    escaped = _ENTITY.sub("&amp;", escaped).replace("<", "&lt;")
    escaped = _LEADING_NUMBER.sub(r"\1\\\2", escaped)
    return _LEADING.sub(lambda match: "\\" + match[0], escaped)


def cell(text: str) -> str:
    """Escape text for a table's cell."""
    return inline(text).replace("|", "\\|")


def fence(text: str) -> str:
    """Put text into a code fence that is longer than any run of backticks in it."""
    shown = visible(text)
    longest = max((len(run) for run in _TICKS.findall(shown)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}text\n{shown.rstrip()}\n{ticks}"


def _blocks(blocks: Sequence[Block], level: int) -> Iterator[str]:
    for block in blocks:
        match block:
            case Section():
                yield f"{'#' * min(level, _DEEPEST)} {inline(block.title)}"
                yield from _blocks(block.blocks, level + 1)
            case Paragraph():
                yield inline(block.text)
            case Lines():
                yield "\n".join(f"**{inline(label)}:** {inline(value)}  " for label, value in block.pairs)
            case Bullets():
                yield "\n".join(_bullet(item) for item in block.items)
            case Table():
                yield _table(block)
            case Chart():
                yield from _chart(block)
            case Verbatim():
                yield fence(block.text)


def _chart(chart: Chart) -> Iterator[str]:
    """What the chart says, in words; its figures where they stand nowhere else."""
    yield f"**{inline(chart.title)}.** {inline(chart.text)}"
    if chart.tabular:
        yield _table(chart.table)
    yield from map(inline, chart.notes)


def _bullet(item: Bullet) -> str:
    label = f"**{inline(item.label)}**: " if item.label else ""
    evidence = f" Evidence: {inline('; '.join(item.evidence))}." if item.evidence else ""
    return f"- {label}{inline(item.text)}{evidence}"


def _table(table: Table) -> str:
    rules = "| " + " | ".join(_RULE[letter] for letter in table.align) + " |"
    return "\n".join([_line(table.header), rules, *(_line(row.cells) for row in table.rows)])


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(cell, cells)) + " |"
