"""Which numbers claim how many files there are, of which kind, and whether the data agree.

A claim is *strict* where it is about all files (of a kind), so that another number contradicts it. One about a part
("gemma3 CSV files (5)", "45 files") can be supported by chance only, and is never contradicted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

from analysis.grounding.scan import Token
from analysis.grounding.scope import Places, is_scoped
from analysis.grounding.words import METRIC_WORDS, normal, word_set

KINDS = {
    **dict.fromkeys(("csv", "csvs"), "csv"),
    **dict.fromkeys(("json", "jsons"), "json"),
    **dict.fromkeys(("markdown", "md", "mds"), "md"),
}
ALL = "all"

_WINDOW = 120
_TOKEN = re.compile(r"[^\W\d_][^\W_]*|\d[\d.,]*|≥|≤|[^\w\s]")
_OF_WHICH = re.compile(
    r"[\s*]{0,3}(?:(?:out )?of (?:the |these |all )*|/)[*]{0,2}(\d{1,3}(?:,\d{3})+|\d{1,9})[*]{0,2} (?:files )?(?:are|were|is) "
    r"[.`*]{0,2}(csvs?|jsons?|markdown|md)(?: files?)?[`*]{0,2}(?=\s{0,2}(?:[.,;:)]|and\b|\Z))",
    re.I,
)
_OUT_OF = re.compile(r"\d[*]{0,2}(?:\s(?:out )?of (?:the |these |all )*|\s?/\s?)[*]{0,2}\Z", re.I)
_MARKS = frozenset("*_`~\"'“”‘’«»")
_FILES = frozenset(("file", "files", "document", "documents", "docs"))
_FILES_OF_KIND = _FILES | {"report", "reports", "datasets", "types", "ones"}
_NEUTRAL = word_set("""total different individual separate unique distinct benchmark benchmarking data ingested analyzed analysed
    input source available provided formatted format type raw result results processed dataset overall all such
    report reports analysis summary performance metrics metric primarily predominantly mainly mostly""")
_ADJECTIVES = 3
"""Words before a noun that may narrow it."""
_LINKS = word_set("""( [ : = - – — → > is are was were count counts number numbers total totals totaling totalling quantity amount at
    with have has comprise comprises make makes up approximately about around roughly nearly almost over exceeding
    than more least ~ ≈ ≥ ≤ of""")
_BREAKS = word_set(") ] } , ; . | / and or & while whereas plus with but ( – — - +")
_SUBSET_BEFORE = word_set("""other more remaining additional first last top another further new duplicate missing unparsed broken empty
    largest smallest remaining half some most each every per""")
_SUBSET_AFTER = word_set("""in under within from inside for containing contain that which related about named matching modified dated
    per each whose where using with of located focused relating pertaining associated dedicated covering describing
    left remaining more per""")
_WHOLES = word_set("""dataset data corpus collection total repository all summary set archive benchmark analysis report
    directory""")
_TOTAL_LABEL = word_set("""total number of the files file count analyzed analysed ingested processed data dataset size overall in all
    benchmark scanned read examined reviewed found documents""")
_STRONG = word_set(
    "total analyzed analysed ingested processed scanned examined reviewed totaling totalling totals dataset corpus"
)
_COUNT_HEADER = word_set("number count of files file # total no quantity documents amount n num nr")
_SOME = word_set(
    """should could would must will shall may might can recommend suggest consider need needs require requires if each
    every per compare compared compares comparing open opened select selected sample sampled merge merged split create
    created add added rename renamed delete deleted remove removed generate generated write wrote keep try"""
)
"""Advice, and verbs of what was done to some files: another count is no mistake."""
_MEASURED = word_set(
    "time size score rate ms second percent mb kb error row record column line key entry field level"
)
_SHARE_HEADER = word_set("% share percent percentage proportion fraction")
_SHARE_WORDS = word_set(
    """( : , = - – are is make makes made up account accounts accounting for comprise comprises represent represents
    constitute constitutes with at about approximately around roughly nearly almost over and the majority files file
    documents ~ ≈"""
)
_TOTAL_ROW = frozenset(("total", "all", "overall", "sum", "totals", "grand"))
_MORE = ("more than", "over", "at least", "exceeding", ">", "≥", "above", "no fewer than")
_LESS = ("fewer than", "less than", "under", "up to", "at most", "<", "≤", "below", "no more than")
_ABOUT = (
    "approximately",
    "about",
    "around",
    "roughly",
    "nearly",
    "almost",
    "circa",
    "some",
    "~",
    "≈",
    "approx .",
)

_NEAR, _FAR = 0.10, 0.25
"""An approximate count within 10 % is supported, beyond 25 % contradicted; between them it is a matter of taste."""


@dataclass(frozen=True)
class CountClaim:
    """What a number claims of the files."""

    kind: str
    """Of :data:`contracts.corpus.KINDS`, or ``all``."""
    strict: bool
    bound: Literal["exact", "about", "more", "less"] = "exact"

    def verdict(self, value: float, truth: int) -> Literal["supported", "contradicted", "not_found"]:
        """Compare with the true count."""
        if self.bound == "more":
            good = truth >= value
        elif self.bound == "less":
            good = truth <= value
        elif self.bound == "about":
            off = abs(value - truth)
            good = off <= _NEAR * truth
            if not good and off <= _FAR * truth:
                return "not_found"
        else:
            good = value == truth
        if good:
            return "supported"
        return "contradicted" if self.strict else "not_found"


def claim_of(
    text: str, token: Token, words_of_paths: Set[str], places: Places, above: Sequence[str] = ()
) -> CountClaim | None:
    """Return what a number claims of the files; ``None``: nothing.

    ``words_of_paths`` are those that tell files apart: with one of them, a claim is about a part. ``above``: the
    headings and opening lines that the number stands below.
    """
    claim = _claim(text, token, words_of_paths, places)
    if claim is None or not claim.strict:
        return claim
    return replace(claim, strict=not is_scoped(text, token, above, places, claim.kind == ALL))


def _claim(text: str, token: Token, words_of_paths: Set[str], places: Places) -> CountClaim | None:
    if (
        token.value != int(token.value)
        or token.value < 0
        or token.unit is not None
        or "." in text[token.start : token.end]
    ):
        return None
    line = token.line
    if line.header is not None:
        claim = _in_table(text, token, places.files_total)
        if claim is not None:
            return claim
    whole = _OF_WHICH.match(text, token.end, min(line.end, token.end + _WINDOW))
    if whole is not None:
        of_all = int(whole[1].replace(",", "")) == places.files_total
        return CountClaim(KINDS[whole[2].lower()], of_all)
    if _OUT_OF.search(text, max(line.start, token.start - 24), token.start):
        # "28 out of 101 are CSV": of how many, so no claim about a kind.
        return CountClaim(ALL, False)
    before = _tokens(text[max(line.start, token.start - _WINDOW) : token.start])
    if token.start - line.start <= _WINDOW:
        before = _without_marker(before)
    after = _tokens(text[token.end : min(line.end, token.end + _WINDOW)])
    if after[:1] and after[0] in ("%", "x", "×"):
        return None
    if before and before[-1] in ("-", "–") and before[-2:-1] and before[-2][0].isdigit():
        return None  # a range
    bound = _bound(before, after)
    found = _number_first(before, after, bound, line.lead, words_of_paths) or _label_first(
        before, after, bound, words_of_paths
    )
    if found is not None and found.strict and _SOME.intersection(_sentence(before)):
        return replace(found, strict=False)
    return found


def _number_first(
    before: list[str], after: list[str], bound: str, lead: str, words_of_paths: Set[str]
) -> CountClaim | None:
    """``65 JSON files``, ``(65 files)``, ``101 files``."""
    rest = _skip(after, _NEUTRAL | {"+"})
    which = _skip(rest, {"of", "which", "them", "these", "are", "were", "in"})
    if rest[:1] in (["of"], ["are"], ["were"]) and "are" in rest[:3] and which and which[0] in KINDS:
        tail = which[2:] if which[1:2] and which[1] in _FILES_OF_KIND | {"format"} else which[1:]
        return _made(KINDS[which[0]], True, bound) if not tail or tail[0] in _BREAKS else None
    if rest and rest[0] in (".",) and rest[1:2] and rest[1] in KINDS:
        rest = rest[1:]
    if not rest:
        return None
    part = before[-1:] and before[-1] in _SUBSET_BEFORE
    if rest[0] in KINDS:
        kind, tail = KINDS[rest[0]], _skip(rest[1:], {"formatted", "format", "type"})
        if tail and tail[0] in _FILES_OF_KIND:
            tail = tail[1:]
        elif tail and (tail[0] not in _BREAKS or tail[0] in ("/", "-", "+")):
            return None
        if tail[:1] and tail[0] in ("and", "or", "/", "&") and tail[1:2] and tail[1] in KINDS:
            return None
        skipped = after[: len(after) - len(rest)]
        return _made(kind, not part and not _is_part(tail) and _plain(skipped), bound)
    if rest[0] not in _FILES:
        return None
    tail = rest[1:]
    label = _skip_back(before, _LINKS)
    if label and label[-1] in _FILES_OF_KIND and label[-2:-1] and label[-2] in KINDS:
        return _made(KINDS[label[-2]], _whole(label[:-2], words_of_paths) and not _is_part(tail), bound)
    if label and label[-1] in KINDS and len(label) < len(before):
        return _made(KINDS[label[-1]], _whole(label[:-1], words_of_paths) and not _is_part(tail), bound)
    led = [word for word in _tokens(lead) if word not in (".", "(", ")")]
    opened = "(" in before[-4:]
    if opened and led and led[0] in KINDS and all(word in _FILES_OF_KIND for word in led[1:]):
        return _made(KINDS[led[0]], not _is_part(tail), bound)
    if opened and before.index("(") == 0 and not led:
        return None
    strong = (
        _of_whole(before)
        or (led and led[-1] == "size" and "dataset" in led)
        or (led and set(led) <= _TOTAL_LABEL and set(led) & (_FILES | {"size"}))
        or (bool(set(after[: len(after) - len(rest)]) & {"total", "all"}) and not _is_part(tail))
        or (tail[:1] == ["in"] and tail[1:2] in (["total"], ["all"]) and (not tail[2:] or tail[2] in _BREAKS))
        or ({*tail[:3]} & {"analyzed", "analysed", "ingested", "processed"} and not _is_part(tail[1:]))
    )
    if any(word in KINDS for word in _clause(before)[-3:]):
        return None
    whole = _whole(before, words_of_paths) and not part
    return _made(ALL, bool(strong) and whole, bound) if whole else None


def _label_first(
    before: list[str], after: list[str], bound: str, words_of_paths: Set[str]
) -> CountClaim | None:
    """``JSON files (65)``, ``JSON: 65``, ``Total files: 101``, ``files, totaling 101``."""
    if after and after[0] not in _BREAKS and not (after[0] == "across" and after[1:2] and after[1] in KINDS):
        return None
    if after[:1] == ["."] and after[1:2] and after[1][0].isdigit():
        return None
    label = _skip_back(before, _LINKS)
    linked = before[len(label) :]
    if label and label[-1] == "," and set(linked) & {"totaling", "totalling"}:
        label = label[:-1]
    if not label:
        return None
    if label[-1] in _FILES_OF_KIND and label[-2:-1] and label[-2] in KINDS:
        if _of_two(label[:-2]):
            return None
        return _made(KINDS[label[-2]], _whole(label[:-2], words_of_paths), bound)
    if label[-1] in KINDS:
        if _of_two(label[:-1]):
            return None
        if not linked and after and after[0] in ("(", "."):
            return None
        measures = any(normal(word) in METRIC_WORDS or normal(word) in _MEASURED for word in label[:-1])
        return _made(KINDS[label[-1]], not measures and _whole(label[:-1], words_of_paths), bound)
    clause = _clause(label)
    named = set(clause) | set(linked)
    if not named & _FILES or any(word in KINDS for word in clause):
        return None
    if {"totaling", "totalling"} & set(linked) and clause[-1] in _FILES:
        return _made(ALL, _whole(clause, words_of_paths), bound)
    if set(clause) <= _TOTAL_LABEL and set(linked) & {":", "=", "|", "is", "are", "(", "was"}:
        return _made(ALL, True, bound)
    return None


def _in_table(text: str, token: Token, files_total: int) -> CountClaim | None:
    line = token.line
    index = line.cell_at(token.start)
    if line.header is None or not 0 <= index < len(line.cells):
        return None
    named = index > 0 and any(character.isalpha() for character in line.cells[0])
    row = [word for word in _tokens(line.cells[0]) if word not in (".", "(", ")", ":")] if named else []
    cell = _tokens(line.cells[index])
    header = _tokens(line.header[index]) if index < len(line.header) else []
    header = [word for word in header if word not in ("(", ")", ".")]
    # The cell holds the number alone, or "65 files".
    if len(cell) > 2 or (len(cell) == 2 and cell[1] not in _FILES):
        return None
    counts = (bool(header) and set(header) <= _COUNT_HEADER and header != ["n"]) or len(cell) == 2
    if header and header[0] in KINDS and all(word in _FILES_OF_KIND | {"count"} for word in header[1:]):
        of_all = not row or set(row) <= _COUNT_HEADER  # without a row's name: counts, or some values
        # Without a row's name it may be anything, unless the row adds up to all files.
        strict = bool(row) or _sum_of(line.cells) == files_total
        return CountClaim(KINDS[header[0]], strict) if of_all else None
    if row and row[0] in KINDS and all(word in _FILES_OF_KIND | {"count"} for word in row[1:]):
        value_column = set(header) <= {"value", "values"}
        return CountClaim(KINDS[row[0]], counts or len(row) > 1) if counts or value_column else None
    if row and set(row) <= _TOTAL_LABEL | _TOTAL_ROW | {"#"}:
        if (counts and set(row) & _TOTAL_ROW) or (
            set(header) <= {"value", "values", "count"} and set(row) & _FILES
        ):
            return CountClaim(ALL, True)
        return None
    return None


def _sum_of(cells: list[str]) -> int | None:
    """The sum of two or more cells that are all whole numbers."""
    cells = [cell for cell in cells if cell]
    if len(cells) < 2 or not all(cell.isascii() and cell.isdecimal() and len(cell) < 10 for cell in cells):
        return None
    return sum(map(int, cells))


def share_of(text: str, token: Token) -> tuple[str, bool] | None:
    """Return the kind whose share of all files a percentage claims, and whether strictly; ``None``: it claims none.

    ``JSON files make up 44% of the files``; a share of bytes or of something else is never contradicted.
    """
    if token.unit not in ("%", "percent"):
        return None
    line = token.line
    if line.header is not None:
        index = line.cell_at(token.start)
        header = set(_tokens(line.header[index])) if index < len(line.header) else set()
        row = _tokens(line.cells[0])
        if index and row and row[0] in KINDS and set(row[1:]) <= _FILES_OF_KIND and header & _SHARE_HEADER:
            return KINDS[row[0]], bool(header & _FILES)
        return None
    before = _tokens(text[max(line.start, token.start - 60) : token.start])
    after = _tokens(text[token.after : min(line.end, token.after + 60)])
    before = [word for word in before if not word[0].isdigit()]
    kinds = [i for i, word in enumerate(before) if word in KINDS]
    if kinds and set(before[kinds[-1] + 1 :]) <= _SHARE_WORDS:
        files = before[kinds[-1] + 1 : kinds[-1] + 2]
        of_files = bool(set(after[:4]) & _FILES) and after[:1] == ["of"]
        whole = after[:1] == ["of"] and bool(set(after[1:4]) & (_WHOLES | _FILES))
        if whole or (files and files[0] in _FILES) or before[-1:] == ["("]:
            return KINDS[before[kinds[-1]]], of_files
    return None


def _made(kind: str, strict: bool, bound: str) -> CountClaim:
    return CountClaim(kind, strict, bound)  # type: ignore[arg-type]


def _tokens(text: str) -> list[str]:
    return [token.lower() for token in _TOKEN.findall(text) if token not in _MARKS]


def _without_marker(tokens: list[str]) -> list[str]:
    """Without the marks that begin a line: list, quotation, heading, table."""
    return _skip(tokens, word_set("- + • > # | –"))


def _skip(tokens: list[str], words: Set[str]) -> list[str]:
    i = 0
    while i < len(tokens) and tokens[i] in words:
        i += 1
    return tokens[i:]


def _skip_back(tokens: list[str], words: Set[str]) -> list[str]:
    i = len(tokens)
    while i and tokens[i - 1] in words:
        i -= 1
    return tokens[:i]


def _sentence(tokens: list[str]) -> list[str]:
    """The tokens since the last full stop."""
    for i in range(len(tokens) - 1, -1, -1):
        if tokens[i] in (".", ";", "!", "?"):
            return tokens[i + 1 :]
    return tokens


def _clause(tokens: list[str]) -> list[str]:
    """The last tokens without a break between them."""
    for i in range(len(tokens) - 1, -1, -1):
        if tokens[i] in (".", ";", ":", "(", "|", ",", ")", "and"):
            return tokens[i + 1 :]
    return tokens


def _plain(skipped: list[str]) -> bool:
    return all(word in _NEUTRAL or word == "." for word in skipped)


def _whole(label: list[str], words_of_paths: Set[str]) -> bool:
    """Whether nothing before a label narrows it to a part of the files."""
    clause = [word for word in _clause(label) if word not in _LINKS][-_ADJECTIVES:]
    return not any(
        word in _SUBSET_BEFORE or (normal(word) in words_of_paths and word not in _NEUTRAL) for word in clause
    )


def _is_part(tail: list[str]) -> bool:
    """Whether what follows narrows a count to a part: "10 CSV files in reports/gemma3"."""
    if not tail or tail[0] not in _SUBSET_AFTER:
        return False
    return not any(word in _WHOLES for word in tail[1:4])


def _of_whole(before: list[str]) -> bool:
    """``dataset of``, ``a total of``, ``totaling``, ``analyzed``, ``all`` right before the number."""
    rest = _skip_back(before, set(" ".join((*_MORE, *_LESS, *_ABOUT)).split()) | {"the", "benchmark", "data"})
    if not rest:
        return False
    if rest[-1] == "of":
        return any(
            word in ("dataset", "corpus", "collection", "total", "set", "totals") for word in rest[-4:-1]
        )
    return rest[-1] in _STRONG | {"all"} or (rest[-1] == ":" and rest[-2:-1] == ["files"])


def _of_two(label: list[str]) -> bool:
    """``JSON and`` before a second kind: the number is of both."""
    return len(label) > 1 and label[-1] in ("and", "or", "/", "&", ",") and label[-2] in KINDS


def _bound(before: list[str], after: list[str]) -> str:
    near = " ".join(before[-3:])
    for name, phrases in (("less", _LESS), ("more", _MORE), ("about", _ABOUT)):
        if any(near == phrase or near.endswith(" " + phrase) for phrase in phrases):
            return name
    if after[:1] == ["+"] or after[:2] == ["or", "more"]:
        return "more"
    return "exact"
