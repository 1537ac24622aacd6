"""Whether a count of files is about all files: only if nothing near it names a place or a part.

The default is "perhaps a part": a claim may be contradicted only where its sentence, what stands above it and what
follows it are free of anything that narrows it. Missing a lie is the cheaper mistake.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from analysis.grounding.scan import Token
from analysis.grounding.words import normal, word_set
from contracts.facts import Facts

_NEAR = 240
_RAW = re.compile(r"[^\W.][\w.\-]*")
_WORD = re.compile(r"[^\W_]+")
_FOLLOWING = re.compile(r"[^\W\d_][^\W_]*|\d[\d,]*|[^\w\s]")
_MARKS = frozenset("*_`~\"'“”‘’«»")
_SENTENCE = re.compile(r"[.;!?](?=\s)")
_KIND = word_set("csv csvs json jsons markdown md mds")
_FILE = word_set(
    "file files document documents docs report reports datasets dataset types ones format formatted type"
)
_COMMON = (
    _KIND
    | _FILE
    | word_set(
        """data total all overall result results benchmark benchmarks analysis summary performance metric metrics raw
    technical final comprehensive system inference prompt input output source test tests log logs number count counts
    of the by no num size scanned read ingested processed analyzed analysed found"""
    )
)
"""Words of paths that a text uses of all files as well."""
_PLACES = word_set(
    """folder folders directory directories subfolder subfolders subdirectory subdirectories subset subsets section
    among"""
)
_TELLING_OF_SOME = word_set(
    """looked look looking show shows showed shown showing list lists listed listing not never claimed claims claim
    claiming error errors failed fails failure failures except excluding excluded mention mentions sampled"""
)
_CONNECTED = word_set("and or while whereas but plus")
_BE = word_set("is are was were be been being have has")
_OF_ALL = word_set(
    """total overall all altogether analyzed analysed ingested processed found present available exist together scanned
    which them these identified detected"""
)
_WHOLE = word_set(
    "dataset data corpus collection total repository all set analysis benchmark benchmarks project study overall"
)
_PREPOSITIONS = word_set("in of within across for from throughout")
_NARROWED = re.compile(
    r"\bbetween\W{1,4}[\d.,]{1,12}\W{1,4}and\W{1,4}\Z|\bfrom\W{1,4}\Z|\d\W{0,4}\s(?:out )?of(?: the| all| these)?\W{1,4}\Z"
    r"|\d\W?/\W?\Z",
    re.I,
)
_OF_CORPUS = re.compile(r"\b(?:dataset|data set|corpus|collection) of\W+(?:\w+\W+){0,2}\Z", re.I)
_IN_PLACE = re.compile(r"\b(?:in|from|under|within|inside|of|below)\W{1,4}\Z", re.I)
_TITLE_WORDS = 3
_MAX_TITLES = 10_000


class Places:
    """Folders of the data, and the words of paths that tell files apart."""

    def __init__(self, facts: Facts, telling: Set[str]) -> None:
        self.files_total = facts.files_total
        self._telling = frozenset(word for word in telling if word not in {normal(w) for w in _COMMON})
        paths = [file.path.lower().split("/")[:-1] for file in facts.files]
        shared = 0  # a root that holds all files is no part of them
        while paths and all(len(path) > shared and path[shared] == paths[0][shared] for path in paths):
            shared += 1
        self._folders = frozenset(folder for path in paths for folder in path[shared:])
        self._titles: dict[str, bool] = {}

    def titles(self, title: str) -> bool:
        """Whether a heading, or a line that opens a list, names a place or a part."""
        known = self._titles.get(title)
        if known is None:
            if len(self._titles) >= _MAX_TITLES:
                self._titles.clear()
            known = self._titles[title] = self._title(title)
        return known

    def _title(self, title: str) -> bool:
        words = [word.lower() for word in _WORD.findall(title) if not word.isdecimal()]
        if _PLACES.intersection(words) or self.folder_in(title, distinct=True):
            return True
        if len(words) <= _TITLE_WORDS and self.folder_in(title):
            return True
        named = {word for word in words if normal(word) in self._telling}
        return bool(named) and (len(words) <= _TITLE_WORDS or any(map(_has_digit, named)))

    def named_in(self, sentence: str) -> bool:
        """Whether a sentence has a folder's name or a word that tells files apart."""
        return self.folder_in(sentence) or any(
            normal(word) in self._telling for word in _WORD.findall(sentence.lower())
        )

    def folder_in(self, text: str, *, distinct: bool = False) -> bool:
        """Whether a text names a folder.

        A name that is a common word (``reports``) counts only where it is marked as a name; with ``distinct``, so does
        every name without a digit or ``_``.
        """
        lower = text.lower()
        for match in _RAW.finditer(lower):
            name = match[0].rstrip(".-")
            if name not in self._folders and name.strip("_") not in self._folders:
                continue
            name = name.strip("_")
            common = name in _COMMON or (distinct and "_" not in name and not _has_digit(name))
            if not common:
                return True
            after = lower[match.end() : match.end() + 1]
            alone = not lower[: match.start()].strip(" *_`#-•>\t") and not lower[match.end() :].strip(
                " *_`#:/"
            )
            leads = not lower[: match.start()].strip(" *_`#-•>\t") and after == ":"
            if alone or leads or after in ("/", "\\", "`") or _IN_PLACE.search(lower, 0, match.start()):
                return True
        return False


def is_scoped(text: str, token: Token, above: Sequence[str], places: Places, of_all: bool) -> bool:
    """Whether anything may narrow a count to a part of the files.

    ``above``: the heading and the lines that open the list that the count stands in. ``of_all``: the claim is about
    files of any kind.
    """
    if any(places.titles(title) for title in above):
        return True
    line = token.line
    if line.header is not None:
        return False
    before = text[max(line.start, token.start - _NEAR) : token.start]
    after = text[token.end : min(line.end, token.end + _NEAR)]
    sentence = _SENTENCE.split(before)[-1]
    said = {word.lower() for word in _WORD.findall(sentence)}
    if said & (_PLACES | _TELLING_OF_SOME) or _NARROWED.search(sentence):
        return True
    if places.named_in(sentence) or places.folder_in(before):
        return True
    if _led_by_path(sentence):
        return True
    rest = _SENTENCE.split(after)[0]
    if places.folder_in(rest, distinct=True) or _PLACES & {word.lower() for word in _WORD.findall(rest)}:
        return True
    if of_all and _OF_CORPUS.search(sentence):
        return False
    return _follows_part(after, places)


def _led_by_path(sentence: str) -> bool:
    """``results/new:``, ``run_a –``: something like a path, other than ``json_files:``, leads what follows."""
    pieces = sentence.split()
    for i, piece in enumerate(pieces):
        after = "".join(pieces[i + 1 : i + 2])
        leads = piece.rstrip("*`\"'").endswith(":") or after in (":", "–", "—", "-")
        if leads and any(mark in piece for mark in "/\\_") and set(_WORD.findall(piece.lower())) - _COMMON:
            return True
    return False


def _follows_part(after: str, places: Places) -> bool:
    """Whether what follows ``N [kind] [files]`` may say something of these files alone."""
    words = [word.lower() for word in _FOLLOWING.findall(after) if word not in _MARKS]
    ours = _COMMON | {".", "+", "individual", "different", "separate", "unique", "distinct", "primarily"}
    i = 0
    while True:
        while (
            i < len(words)
            and words[i] in ours
            and not (words[i] == "." and words[i + 1 : i + 2] and words[i + 1] not in _KIND)
        ):
            i += 1
        j = i
        while (j < len(words) and words[j] in (",", "/", "&")) or (j < len(words) and words[j] in _CONNECTED):
            j += 1
        if i < j < len(words) and words[j][0].isdigit():
            i = j + 1  # "3 CSV and 5 JSON files failed": what follows is said of both
            continue
        break
    if i < len(words) and words[i] == "(":
        inside = " ".join(words[i + 1 : words.index(")", i) if ")" in words[i:] else i + 6])
        return places.named_in(inside)
    while i < len(words) and (words[i] in _BE or words[i] in _OF_ALL or words[i] in _COMMON):
        i += 1
    rest = words[i:]
    if not rest or not rest[0][0].isalpha() or rest[0] in _CONNECTED:
        return False
    if rest[0] in _PREPOSITIONS:
        until = next((k for k, word in enumerate(rest) if k and not word[0].isalnum()), len(rest))
        return not _WHOLE.intersection(rest[1 : min(until, 4)]) and not (set(rest[1:4]) & _KIND)
    return True


def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)
