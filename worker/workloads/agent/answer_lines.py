"""Lines of an answer, and what makes them items: no header leaks, no repetition, bounded length."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from worker.workloads.agent.text import one_line

MAX_ITEMS = 10
MAX_ITEM_CHARS = 300

BULLET = re.compile(r"\s*(?:[-*+•‣]|\d{1,3}[.)])\s+(?=\S)")
_NUMBERING = re.compile(r"^(?:\d{1,3}[.)]\s*)+")
FINDINGS = ("finding", "findings", "insight", "insights", "observation", "observations")
RECOMMENDATIONS = ("recommendation", "recommendations")
_LABEL_WORDS = 6
_AFTER_LABEL = ("for", "and", "from", "of", "on", "section", "summary")
# "Okay, here's a structured analysis …": words about the answer itself.
_LEAD_IN = re.compile(
    r"(?:okay|ok|sure|certainly|based on)?.{0,60}?\b(?:here(?:['’]?s| is| are)|below (?:is|are))\b.{0,80}?"
    r"\b(?:analysis|report|findings|insights|recommendations|json)\b",
    re.IGNORECASE,
)


@dataclass
class Raw:
    """What an answer holds, as it stands there."""

    analysis: str = ""
    findings: list[str] = field(default_factory=list)
    recommendations: list[str] = field(default_factory=list)


_EMPHASIS = re.compile(r"(?<![\w*])\*{1,3}(?=\S)|(?<=\S)\*{1,3}(?![\w*])|\*\*+")


def items(lines: Iterable[str], seen: set[str]) -> tuple[str, ...]:
    """Clean the lines; leave out labels, lead-ins, and what ``seen`` holds already."""
    kept: list[str] = []
    for line in lines:
        item = _item(line)
        key = " ".join(words(item))
        if not any(c.isalpha() for c in key) or len(key) < 3 or key in seen:
            continue
        seen.add(key)
        kept.append(item)
        if len(kept) == MAX_ITEMS:
            break
    return tuple(kept)


def _item(line: str) -> str:
    """The line as one finding; empty where it is a label or only leads in to what follows."""
    item = one_line(line, 4 * MAX_ITEM_CHARS)
    item = plain(item[end(BULLET, item, 0) :])
    if is_label(item):
        return ""
    if item.endswith(":"):
        # "…for all files. This should include:": the last sentence leads in to a nested list.
        item = item[: item.rfind(". ") + 1]
    if _LEAD_IN.match(item):
        return ""
    return one_line(item, MAX_ITEM_CHARS)


def is_label(text: str) -> bool:
    """Whether the text is a title such as "Key Performance Findings" or "Recommendations for Optimization"."""
    if len(text) > 120:
        return False
    title = plain(text).rstrip(":").strip()
    found = words(title)
    if not 0 < len(found) <= _LABEL_WORDS or title.endswith((".", "!", "?")):
        return False
    for i, word in enumerate(found):
        if word in FINDINGS or word in RECOMMENDATIONS:
            return i + 1 == len(found) or found[i + 1] in _AFTER_LABEL
    return False


def plain(text: str) -> str:
    """``text`` without heading marks, numbering and emphasis; backticks stay where they pair."""
    text = _NUMBERING.sub("", text.strip().lstrip("#").strip())
    text = _EMPHASIS.sub("", text).strip().strip("*").strip()
    if text.count("`") % 2:
        text = text.replace("`", "")
    if text.count("__") % 2:
        text = text.replace("__", "")
    return _NUMBERING.sub("", text).strip()


def words(text: str) -> list[str]:
    """The words of ``text``, without case: what repetitions are compared by."""
    return re.findall(r"\w+", text.casefold())


def end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where the pattern ends if it matches at ``position``, else ``position``."""
    match = pattern.match(text, position)
    return match.end() if match else position
