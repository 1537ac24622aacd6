"""Markdown answers: headings with lists below them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from worker.workloads.agent.answer_lines import (
    BULLET,
    FINDINGS,
    MAX_ITEM_CHARS,
    RECOMMENDATIONS,
    Raw,
    is_label,
    plain,
    words,
)

_HEADING = re.compile(r"\s{0,3}#{1,6}\s")


@dataclass(frozen=True)
class _Heading:
    level: int
    """1 … 6 by its ``#``; 7 for a bold line or a label."""
    title: str
    rest: str = ""
    """Text after it on the same line."""


def from_markdown(text: str) -> Raw:
    raw = Raw(analysis=text)
    section: list[str] | None = None
    level = 0
    open_item = False  # whether the next plain line goes on with the last item
    for line in text.splitlines():
        if not line.strip():
            open_item = False
            continue
        bullet = BULLET.match(line)
        content = line[bullet.end() :] if bullet else line
        heading = _heading(line, content, is_bullet=bullet is not None)
        if heading is not None:
            named = _section(raw, heading.title)
            # A deeper heading without a name of ours only groups the section's items.
            if named is not None or heading.level <= level:
                section, level = named, heading.level
            open_item = section is not None and bool(heading.rest)
            if section is not None and heading.rest:
                section.append(heading.rest)
        elif section is None:
            open_item = False
        elif bullet:
            section.append(content)
            open_item = True
        elif open_item and len(section[-1]) < 4 * MAX_ITEM_CHARS:
            section[-1] += " " + content.strip()
    return raw


def _heading(line: str, content: str, *, is_bullet: bool) -> _Heading | None:
    marks = _HEADING.match(line)
    if marks:
        return _Heading(marks[0].count("#"), plain(line))
    # Bounded: only the line's beginning can be a label.
    before, colon, _ = content[:120].partition(":")
    if colon and is_label(before):
        return _Heading(7, plain(before), content[len(before) + 1 :].strip().lstrip("*_").strip())
    if is_label(content) or (not is_bullet and _is_bold_title(content.strip())):
        return _Heading(7, plain(content))
    return None


def _is_bold_title(line: str) -> bool:
    inner = line.rstrip(":")
    return len(line) < 80 and inner.startswith("**") and inner.endswith("**") and not inner.endswith(".**")


def _section(raw: Raw, title: str) -> list[str] | None:
    found = words(title)
    if any(word in FINDINGS for word in found):
        return raw.findings
    return raw.recommendations if any(word in RECOMMENDATIONS for word in found) else None
