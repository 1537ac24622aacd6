"""The model's analysis answer → analysis text, findings, recommendations; tolerant, and never raises.

Tried in this order: a JSON object (bare, fenced, or inside prose); a JSON object that was cut off;
Markdown with headings and lists. Every step is linear in the length of the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from worker.workloads.agent.text import block, one_line

MAX_ITEMS = 10
MAX_ITEM_CHARS = 300
MAX_ANALYSIS_CHARS = 6_000
MAX_ANSWER_CHARS = 100_000
"""What stands beyond it is not looked at."""


@dataclass(frozen=True)
class Answer:
    """What the answer holds; empty where it holds nothing of the kind."""

    analysis: str = ""
    findings: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()


@dataclass
class _Raw:
    analysis: str = ""
    findings: list[str] = field(default_factory=list)
    recommendations: list[str] = field(default_factory=list)

    def cleaned(self) -> Answer:
        seen: set[str] = set()
        findings = _items(self.findings, seen)
        return Answer(
            block(self.analysis, MAX_ANALYSIS_CHARS).strip(), findings, _items(self.recommendations, seen)
        )


def parse_answer(text: str) -> Answer:
    """Return what ``text`` holds; at most 10 findings and 10 recommendations of 300 characters each."""
    text = text[:MAX_ANSWER_CHARS]
    raw = _from_json(text) or _from_cut_json(text) or _from_markdown(text)
    return raw.cleaned()


# --- JSON -----------------------------------------------------------------------------------------

_ROLES = {
    "findings": "findings",
    "keyfindings": "findings",
    "recommendations": "recommendations",
    "keyrecommendations": "recommendations",
    "analysis": "analysis",
    "summary": "analysis",
}
_KEY = re.compile(r'"([A-Za-z_ ]{4,24})"\s{0,64}:\s{0,64}(?=["\[])')
_STRING = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_BETWEEN = re.compile(r"[\s,]*")
_OBJECTS_TRIED = 8
_KEYS_TRIED = 50


def _role(key: str) -> str | None:
    return _ROLES.get(re.sub(r"[^a-z]", "", key.lower()))


def _from_json(text: str) -> _Raw | None:
    decoder = json.JSONDecoder(strict=False)  # models write raw line breaks inside strings
    start = -1
    for _ in range(_OBJECTS_TRIED):
        start = text.find("{", start + 1)
        if start < 0:
            return None
        try:
            value, _end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        roles = {role: item for key, item in value.items() if (role := _role(key)) is not None}
        if roles:
            return _Raw(
                "\n".join(_strings(roles.get("analysis"))),
                list(_strings(roles.get("findings"))),
                list(_strings(roles.get("recommendations"))),
            )
    return None


def _strings(value: Any) -> Iterator[str]:
    """The texts of a value that should be a list of strings, one level of other shapes allowed."""
    if isinstance(value, str):
        yield from value.splitlines()
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield ": ".join(part for part in item.values() if isinstance(part, str))
            elif isinstance(item, str):
                yield item


def _from_cut_json(text: str) -> _Raw | None:
    """Take every complete string of the lists, and of the analysis also one that is cut."""
    raw, any_key = _Raw(), False
    for key in islice(_KEY.finditer(text), _KEYS_TRIED):
        role = _role(key[1])
        if role is None:
            continue
        any_key = True
        if role == "analysis":
            raw.analysis = raw.analysis or _cut_string(text, key.end())
        else:
            getattr(raw, role).extend(_complete_strings(text, key.end()))
    return raw if any_key else None


def _complete_strings(text: str, position: int) -> Iterator[str]:
    is_list = text[position] == "["
    position += is_list
    while True:
        position = _end(_BETWEEN, text, position)
        string = _STRING.match(text, position)
        if string is None:
            return
        # A key of the object that follows a list which was never closed.
        if is_list and text[string.end() : string.end() + 64].lstrip().startswith(":"):
            return
        yield _unescaped(string[1])
        if not is_list:
            return
        position = string.end()


def _cut_string(text: str, position: int) -> str:
    string = _STRING.match(text, position)
    return _unescaped(string[1] if string else text[position + 1 :].rstrip("\\"))


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _unescaped(inner: str) -> str:
    try:
        return str(json.loads(f'"{inner}"', strict=False))
    except ValueError:
        return inner.replace('\\"', '"').replace("\\n", "\n")


# --- Markdown -------------------------------------------------------------------------------------

_BULLET = re.compile(r"\s*(?:[-*+•‣]|\d{1,3}[.)])\s+(?=\S)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s")
_NUMBERING = re.compile(r"^(?:\d{1,3}[.)]\s*)+")
_FINDINGS = ("finding", "findings", "insight", "insights", "observation", "observations")
_RECOMMENDATIONS = ("recommendation", "recommendations")
_LABEL_WORDS = 6
# "Okay, here's a structured analysis …": words about the answer itself.
_LEAD_IN = re.compile(
    r"(?:okay|ok|sure|certainly|based on)?.{0,60}?\b(?:here(?:['’]?s| is| are)|below (?:is|are))\b.{0,80}?"
    r"\b(?:analysis|report|findings|insights|recommendations|json)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Heading:
    level: int
    """1 … 6 by its ``#``; 7 for a bold line or a label."""
    title: str
    rest: str = ""
    """Text after it on the same line."""


def _from_markdown(text: str) -> _Raw:
    raw = _Raw(analysis=text)
    section: list[str] | None = None
    level = 0
    open_item = False  # whether the next plain line goes on with the last item
    for line in text.splitlines():
        if not line.strip():
            open_item = False
            continue
        bullet = _BULLET.match(line)
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
        return _Heading(marks[0].count("#"), _plain(line))
    # Bounded: only the line's beginning can be a label.
    before, colon, _ = content[:120].partition(":")
    if colon and _is_label(before):
        return _Heading(7, _plain(before), content[len(before) + 1 :].strip().lstrip("*_").strip())
    if _is_label(content) or (not is_bullet and _is_bold_title(content.strip())):
        return _Heading(7, _plain(content))
    return None


def _is_bold_title(line: str) -> bool:
    inner = line.rstrip(":")
    return len(line) < 80 and inner.startswith("**") and inner.endswith("**") and not inner.endswith(".**")


def _section(raw: _Raw, title: str) -> list[str] | None:
    words = _words(title)
    if any(word in _FINDINGS for word in words):
        return raw.findings
    return raw.recommendations if any(word in _RECOMMENDATIONS for word in words) else None


# --- one item -------------------------------------------------------------------------------------

_EMPHASIS = re.compile(r"(?<![\w*])\*{1,3}(?=\S)|(?<=\S)\*{1,3}(?![\w*])|\*\*+")


def _items(lines: Iterable[str], seen: set[str]) -> tuple[str, ...]:
    """Clean the lines; leave out labels, lead-ins, and what ``seen`` holds already."""
    items: list[str] = []
    for line in lines:
        item = _item(line)
        key = " ".join(_words(item))
        if not any(c.isalpha() for c in key) or len(key) < 3 or key in seen:
            continue
        seen.add(key)
        items.append(item)
        if len(items) == MAX_ITEMS:
            break
    return tuple(items)


def _item(line: str) -> str:
    """The line as one finding; empty where it is a label or only leads in to what follows."""
    item = one_line(line, 4 * MAX_ITEM_CHARS)
    item = _plain(item[_end(_BULLET, item, 0) :])
    if _is_label(item):
        return ""
    if item.endswith(":"):
        # "…for all files. This should include:": the last sentence leads in to a nested list.
        item = item[: item.rfind(". ") + 1]
    if _LEAD_IN.match(item):
        return ""
    return one_line(item, MAX_ITEM_CHARS)


def _is_label(text: str) -> bool:
    """Whether the text is a title such as "Key Performance Findings" or "Recommendations for Optimization"."""
    if len(text) > 120:
        return False
    plain = _plain(text).rstrip(":").strip()
    words = _words(plain)
    if not 0 < len(words) <= _LABEL_WORDS or plain.endswith((".", "!", "?")):
        return False
    for i, word in enumerate(words):
        if word in _FINDINGS or word in _RECOMMENDATIONS:
            return i + 1 == len(words) or words[i + 1] in (
                "for",
                "and",
                "from",
                "of",
                "on",
                "section",
                "summary",
            )
    return False


def _plain(text: str) -> str:
    """``text`` without heading marks, numbering and emphasis; backticks stay where they pair."""
    text = _NUMBERING.sub("", text.strip().lstrip("#").strip())
    text = _EMPHASIS.sub("", text).strip().strip("*").strip()
    if text.count("`") % 2:
        text = text.replace("`", "")
    if text.count("__") % 2:
        text = text.replace("__", "")
    return _NUMBERING.sub("", text).strip()


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
