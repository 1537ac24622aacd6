"""Text → figures as written: file names, dates and numbers, each with its span. Every pattern is linear.

What is structure or a name is no figure: list and section numbers, "Table 1", versions, model names (``gemma3``,
``1b``), hashes, ordinals, row numbers, addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from analysis.grounding.calendar import Moment, moments
from analysis.grounding.layout import Line
from analysis.grounding.words import UNITS, word_set

MAX_CHARS = 300_000
"""Characters of one text that are looked at."""
MAX_FIGURES = 3_000
"""Figures of one text that are checked; what follows is not."""

_ENDING = re.compile(r"\.(?:csv|tsv|jsonl|json|markdown|md|txt|log|yaml|yml|xml|parquet|xlsx)(?!\w)", re.I)
_MAX_NAME = 300
_URL = re.compile(r"\b(?:https?|ftp|file)://[^\s<>\"')\]]{1,2000}|&#x?[0-9a-fA-F]{1,7};", re.I)
_NUMBER = re.compile(
    r"(?<![^\W_])(?:(?:\d{1,3}(?:,\d{3}){1,6}+(?!\d)|\d++)(?:\.\d++)?+|\.\d++)(?:[eE][+-]?\d{1,3}+(?!\w))?+"
)
_DIGIT = re.compile(r"\d")
_MAX_DIGITS = 40
_LETTERS = re.compile(r"[^\W\d_]{1,20}")
_PREFIX = re.compile(r"[\s>#*_\-+•]*")
_UNIT_AFTER = re.compile(
    r"\s?(tok(?:en)?s?\s?(?:/|per)\s?s(?:ec(?:ond)?)?\b|t/s\b|req(?:uest)?s?/s\b|°C\b|%|[A-Za-zµμ]{1,12}\b)"
)
_REFERENCES = word_set("""table figure fig section sec step phase chapter appendix part tier option item note equation eq example
    question priority recommendation finding page version ver v rev revision release issue ticket rank run sample
    experiment iteration test trial agent objective point scenario case stage""")
"""A number right after one of these names a thing."""
_PRODUCTS = word_set("""gemma llama gpt qwen mistral mixtral phi claude python cuda cudnn pytorch torch tensorrt triton onnx rtx gtx
    ryzen windows ubuntu ollama rust rustc http ipv rfc iso ieee usb pcie ddr utf sha fp bf int core geforce nvidia
    driver deepseek""")
_ROW_NUMBERS = frozenset(
    ("run", "#", "no", "no.", "id", "rank", "index", "idx", "step", "s/n", "block", "№", "sl")
)
_ORDINALS = frozenset(("st", "nd", "rd", "th"))


@dataclass(frozen=True, eq=False)
class Token:
    """One figure as written."""

    start: int
    end: int
    kind: str
    """``file_name``, ``date`` or ``number``."""
    line: Line
    value: float = 0.0
    half: float = 0.0
    """Half a unit of the last printed digit, of a number."""
    unit: str | None = None
    after: int = 0
    """Where the number's unit ends."""
    moment: Moment | None = None


def scan(lines: list[Line]) -> Iterator[Token]:
    """Yield the figures in order, disjoint, at most :data:`MAX_FIGURES`."""
    found = 0
    for line in lines:
        if line.code or not line.text:
            continue
        tokens = _of_line(line)[: MAX_FIGURES - found]
        found += len(tokens)
        yield from tokens
        if found >= MAX_FIGURES:
            return


def _of_line(line: Line) -> list[Token]:
    text = line.text
    taken: list[tuple[int, int, Token | None]] = [(m.start(), m.end(), None) for m in _URL.finditer(text)]
    for start, end, good in _names(text):
        token = Token(line.start + start, line.start + end, "file_name", line) if good else None
        taken.append((start, end, token))
    digits = _DIGIT.search(text) is not None
    if not taken and not digits:
        return []
    for start, end, moment in moments(text) if digits else ():
        taken.append((start, end, Token(line.start + start, line.start + end, "date", line, moment=moment)))
    # Addresses before names before dates: sorting is stable, and a longer span hides what is in it.
    spans: list[tuple[int, int, Token | None]] = []
    for span in sorted(taken, key=lambda item: (item[0], -item[1])):
        if not spans or span[0] >= spans[-1][1]:
            spans.append(span)
    numbers = islice(_numbers(line, spans), MAX_FIGURES) if digits else ()
    return sorted([*(t for _, _, t in spans if t), *numbers], key=lambda token: token.start)


def _names(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield (start, end, whether it is a file's name): templates (``[Date].csv``) and globs are none."""
    floor = 0
    for match in _ENDING.finditer(text):
        end = match.end()
        start = match.start()
        stop = max(floor, start - _MAX_NAME)
        while start > stop and (text[start - 1].isalnum() or text[start - 1] in "_-./\\+@~"):
            start -= 1
        while start < match.start() and text[start] in "-./\\+@~":
            start += 1
        stem = text[start : match.start()]
        before = text[start - 1 : start]
        placeholder = before in ("]", "}", ">", "*") and stem[:1] in ("_", "-", ".")
        further = text[end : end + 1] == "/" or re.match(r"\.[a-z]{2}", text[end : end + 3]) is not None
        good = any(c.isalnum() for c in stem) and not placeholder and not further
        if start >= floor and end > start and (good or stem):
            yield start, end, good
            floor = end


def _numbers(line: Line, spans: list[tuple[int, int, Token | None]]) -> Iterator[Token]:
    text = line.text
    prefix = _PREFIX.match(text)
    first = prefix.end() if prefix else 0
    edges = iter([*spans, (len(text) + 1, len(text) + 1, None)])
    span = next(edges)
    last_end, last_good = -1, False
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        while span[1] <= start:
            span = next(edges)
        if start >= span[0]:
            continue
        end = min(end, span[0])
        good = (
            end - start <= _MAX_DIGITS
            and end == match.end()
            and _stands_alone(text, start, end, last_good and start == last_end + 1)
            and not (start == first and _is_structure(text, first, start, end))
            and not _names_a_thing(text, start, end)
            and not _numbers_a_row(line, start)
        )
        last_end, last_good = end, good
        if not good:
            continue
        begin = start - 1 if _is_sign(text, start) else start
        number = text[start:end].replace(",", "")
        value = float(number)
        unit, after = _unit(text, end)
        if text[end : end + 1] in ("k", "K") and not text[end + 1 : end + 2].isalnum():
            value, scale = value * 1000, 1000.0
        else:
            scale = 1.0
        mantissa, _, exponent = number.lower().partition("e")
        scale *= 10.0 ** min(int(exponent or 0), 300)
        digits = len(mantissa.partition(".")[2])
        if value == float("inf"):
            continue
        yield Token(
            line.start + begin,
            line.start + end,
            "number",
            line,
            value=-value if begin < start else value,
            half=0.5 * 10.0**-digits * scale,
            unit=unit,
            after=line.start + after,
        )


def _is_sign(text: str, start: int) -> bool:
    return text[start - 1 : start] in ("-", "−") and (start < 2 or text[start - 2] in " \t([=|:,*`~")


def _stands_alone(text: str, start: int, end: int, joined: bool) -> bool:
    """Whether the digits are a number of their own and not part of a name. ``joined``: to the number before."""
    before, before2 = text[start - 1 : start], text[start - 2 : start - 1] if start > 1 else ""
    if before == "_" and before2.isalnum():
        return False
    if before in ("-", ".", "/", ":", "\\", "@", "#", "^", "+"):
        if before in ("#", "@", "\\", "^"):
            return False
        if before2.isdigit() and not (joined and before != "."):
            return False
        if before2 and (before2.isalpha() or before2 == "_") and before != ":":
            return False
    after, after2 = text[end : end + 1], text[end + 1 : end + 2]
    if after.isalpha():
        if not after.isascii() and after not in "µμ":
            return True
        word = _LETTERS.match(text, end)
        run = word[0] if word else ""
        whole = word is not None and not text[word.end() : word.end() + 1].isalnum()
        return whole and (run.lower() in UNITS or run in ("x", "X", "k", "K", "tok", "tokens"))
    if after == "_" and after2.isalnum():
        return False
    if after == "." and after2.isdigit():
        return False
    if after == "-" and after2.isdigit():
        other = _NUMBER.match(text, end + 1)
        rest = text[other.end() : other.end() + 1] if other else ""
        return bool(other) and not (rest.isalnum() or rest in ("-", "_"))
    if after == "-" and after2.isalpha():
        word = _LETTERS.match(text, end + 1)
        return (
            word is not None
            and word[0].islower()
            and word[0] != "bit"
            and not text[word.end() : word.end() + 1].isdigit()
            and text[word.end() : word.end() + 1] != "_"
        )
    if after == "/" and text[start : end + 2] == "24/7":
        return False
    return not (before == "/" and text[start - 3 : end] == "24/7")


def _is_structure(text: str, first: int, start: int, end: int) -> bool:
    """Whether the line's first word is a list's or section's number."""
    digits = text[start:end]
    after = text[end : end + 2]
    marks = text[:first]
    if not digits.replace(".", "").isdecimal():
        return False
    if (
        digits.isdecimal()
        and len(digits) <= 2
        and after[:1] in (".", ")", ":")
        and not after[1:].strip(" *_\t")
    ):
        return after[:1] != ":" or "#" in marks
    if "#" in marks and len(digits) <= 5:
        return True
    # "2.1 Overview": a section of a table of contents
    return (
        digits.count(".") == 1
        and len(digits) <= 4
        and len(text) < 80
        and re.match(r"\s[A-Z][a-z]", text[end : end + 3]) is not None
        and not text.rstrip().endswith((".", ";"))
    )


def _names_a_thing(text: str, start: int, end: int) -> bool:
    """Whether it is a reference (Table 1, Version 1.0), a product's number (RTX 4080) or a citation ([1])."""
    if text[start - 1 : start] == "[" and text[end : end + 1] == "]" and end - start <= 3:
        return re.search(r"[:=\[]\s?\[$", text[max(0, start - 3) : start]) is None and start > 1
    window = text[max(0, start - 24) : start]
    match = re.search(r"([A-Za-z]+)([\s*_.:#]{0,6})$", window)
    if match is None:
        return False
    word, gap = match[1].lower(), match[2]
    if not gap:
        return False
    if word in _PRODUCTS:
        return ":" not in gap
    if word not in _REFERENCES:
        return False
    if word in (
        "version",
        "ver",
        "release",
        "revision",
        "rev",
        "section",
        "chapter",
        "table",
        "figure",
        "fig",
    ):
        return True
    return ":" not in gap and "." not in text[start:end] and _unit(text, end)[0] is None


def _numbers_a_row(line: Line, start: int) -> bool:
    if line.header is None:
        return False
    cell = line.cell_at(line.start + start)
    name = line.header[cell].lower() if cell < len(line.header) else ""
    return name in _ROW_NUMBERS and line.cells[cell].isdecimal()


def _unit(text: str, end: int) -> tuple[str | None, int]:
    match = _UNIT_AFTER.match(text, end + (text[end : end + 1] == "-"))
    if match is None:
        return None, end
    unit = match[1].lower()
    if unit.startswith(("tok", "t/s")) and ("/" in unit or "per" in unit):
        return "tok/s", match.end()
    if unit.startswith("req"):
        return ("req/s" if "/" in unit else None), match.end() if "/" in unit else end
    if unit in UNITS and not (unit in ("s", "h", "w", "j", "min") and match[1] != unit):
        return unit, match.end()
    return None, end


def gaps(tokens: list[Token]) -> list[tuple[int, int]]:
    """For each figure, where the number or date before it on its line ends and the one after it begins."""
    before: list[int] = []
    last: Token | None = None
    for token in tokens:
        before.append(last.end if last is not None and last.line is token.line else token.line.start)
        last = token if token.kind != "file_name" else last
    after: list[int] = []
    last = None
    for token in reversed(tokens):
        after.append(last.start if last is not None and last.line is token.line else token.line.end)
        last = token if token.kind != "file_name" else last
    return list(zip(before, reversed(after), strict=True))
