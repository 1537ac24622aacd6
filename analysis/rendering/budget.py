"""Which sections fit into one file: those that matter most, until the file is full."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from analysis.rendering.charts.svg import escaped
from analysis.rendering.document import Document, Paragraph, Section
from analysis.rendering.page import UNLINKED, Page, marker

LIMIT = 2_900_000
"""Bytes of a whole file: what a browser opens at once and a mail still carries, with room below 3 MB."""
MOST_SECTIONS = 100
"""Configurations that have a section of their own in Markdown, which is not cut at a size: some 2 MB."""
_ELSEWHERE = (
    f"report.md beside this file holds the sections of up to {MOST_SECTIONS}, chimera report --each configuration writes a "
    "file for each, and summary.json holds every figure"
)
_FIXED_SHARE = 0.6
"""Of the limit, for what is not optional; beyond it long tables are cut."""
_ROWS: tuple[tuple[int | None, int | None], ...] = (
    *((None, None), (300, None), (100, None), (30, None)),
    *((30, 3000), (30, 1000)),
)
"""Rows of a plain table and of an interactive one, the first that fits."""
_LONG_SECTION = LIMIT // 8
_LONG_TABLE = 100
"""Rows of a table of a section that is longer than that."""
_LISTED = 100
"""Bytes of a section's line in the contents, next to its title."""
_MARKED = re.compile("\0([^\0]*)\0")
_LINK = re.compile(r'<a href="#([\w-]+)">(.*?)</a>')

RenderBlocks = Callable[[Document, Page], str]
RenderSection = Callable[[Section, int, Page], str]


@dataclass(frozen=True)
class Fitted:
    """The page's content, and what became of the optional sections."""

    body: Markup
    kept: frozenset[str]
    """Anchors, as is left_out."""
    left_out: frozenset[str]


def fit(
    document: Document,
    important: Sequence[str],
    render_blocks: RenderBlocks,
    render_section: RenderSection,
    limit: int = LIMIT,
) -> Fitted:
    """Render all that is not optional, then optional sections in the order of ``important`` while they fit.

    Links to a section that is left out become plain text.
    """
    page, body = _fixed(document, frozenset(important), render_blocks, limit)
    room = limit - _size(body)
    made: dict[str, str] = {}
    for place, anchor in enumerate(a for a in important if a in page.levels):
        section, level = page.levels[anchor]
        text = render_section(section, level, Page(prefix=f"s{place}-"))
        if _size(text) > _LONG_SECTION:
            text = render_section(section, level, Page(prefix=f"s{place}-", most_rows=_LONG_TABLE))
        room -= _size(text) + _LISTED + _size(escaped(section.title))
        if room < 0:
            break
        made[anchor] = text
    left_out = frozenset(page.levels) - made.keys()
    body = _put_in(body, made, left_out, page, render_section)
    return Fitted(Markup(body), frozenset(made), left_out)


def _fixed(
    document: Document, optional: frozenset[str], render_blocks: RenderBlocks, limit: int
) -> tuple[Page, str]:
    for most, most_interactive in _ROWS:
        page = Page(optional, most, most_interactive)
        body = render_blocks(document, page)
        if _size(body) <= limit * (_FIXED_SHARE if optional else 1):
            break
    return page, body


def _put_in(
    body: str, made: dict[str, str], left_out: frozenset[str], page: Page, render_section: RenderSection
) -> str:
    last = [*page.levels][-1] if page.levels else None
    note = ""
    if left_out and last is not None:
        note = render_section(
            _left_out_section(len(left_out), len(page.levels)), page.levels[last][1], Page()
        )
    parts = {marker(anchor): made.get(anchor, "") for anchor in page.levels}
    if last is not None:
        parts[marker(last)] += note
    parts[UNLINKED] = _unlinked(len(left_out), len(page.levels))
    body = _MARKED.sub(lambda match: parts[match[0]], body)
    if not left_out:
        return body
    return _LINK.sub(lambda match: match[2] if match[1] in left_out else match[0], body)


def _left_out_section(left_out: int, total: int) -> Section:
    return Section(
        "Configurations Without a Section Here",
        (
            Paragraph(
                f"{left_out:,} of {total:,} configurations have no section of their own in this file, so that it stays "
                "below 3 MB. Those that have one: first the best ranked, then those that a finding or a note concerns, "
                f"then by rank. Each of the others has its row in the tables above; {_ELSEWHERE}."
            ),
        ),
    )


def _unlinked(left_out: int, total: int) -> str:
    if not left_out:
        return ""
    return (
        f'<p class="note">{left_out:,} of {total:,} configurations have no section of their own in this file: '
        f"their names are no links; {_ELSEWHERE}.</p>"
    )


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
