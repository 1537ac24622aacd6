"""Files → :class:`contracts.facts.Facts`."""

from __future__ import annotations

import itertools
import math
import os
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from analysis.grounding.contents import Columns, columns_of
from analysis.grounding.words import UNITS
from contracts.corpus import KINDS, CorpusFile, discover, open_file
from contracts.facts import (
    MAX_DATES,
    MAX_FILES,
    MAX_LABEL_CHARS,
    MAX_PATH_CHARS,
    MAX_SERIES,
    MAX_VALUE_CHARS,
    MAX_VALUES,
    Facts,
    FileFact,
    KnownDate,
    Modified,
    Series,
)
from contracts.tables import Cell, Tables, Unparsed, text_of

MAX_FILE_BYTES = 16 << 20
"""As at ingest: a larger file counts, and is not read; nor is what is beyond the sum below, or has too many cells."""
MAX_TOTAL_BYTES = 128 << 20

_MAX_LABEL = 160
_MAX_WORDS = 16
_SHORT_CELL = 40
_STAMP = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_/.]?([01]\d)[-_/.]?([0-3]\d)(?!\d)")
_EPOCH = re.compile(r"(?<!\d)(1[0-9]{9})(?!\d)")
_QUANTITY = re.compile(
    r"[~≈]?\s?([+-]?(?:\d{1,15}+\.?\d{0,15}+|\.\d{1,15}+)(?:[eE][+-]?\d{1,3})?+)\s?([^\s\d]{0,12}+)"
)
_WORD = re.compile(r"[^\W_]+")
_COPY_WINDOW = timedelta(days=1)


def facts_of(roots: Sequence[Path], names: Sequence[str] | None = None) -> Facts:
    """Return the facts of all csv, json and md files below the roots (:func:`contracts.corpus.discover`).

    Raises:
        FileNotFoundError: a root does not exist.
        OSError: a folder can't be listed.
    """
    return facts_of_files(discover(list(roots), None if names is None else list(names)))


def facts_of_files(files: Sequence[CorpusFile]) -> Facts:
    """Return the facts of the files. A file that can't be read or parsed counts, and is counted as unread."""
    gathered = _Gathered()
    room = MAX_TOTAL_BYTES
    for file in files:
        room -= gathered.add(file, min(room, MAX_FILE_BYTES))
    return gathered.facts(files)


class _Gathered:
    """Facts under way, within their limits."""

    def __init__(self) -> None:
        self.files: list[FileFact] = []
        self.dates: dict[tuple[date, str], KnownDate] = {}
        self.series: list[Series] = []
        self.modified: list[tuple[str, datetime]] = []
        self.unread = self.files_left_out = self.dates_left_out = self.series_left_out = self.series_cut = 0
        self._reading = Tables()
        self.path_chars = self.label_chars = self.value_chars = 0

    def add(self, file: CorpusFile, limit: int) -> int:
        """Take one file in; return how many bytes of it were kept in memory."""
        path = _clean(file.shown)
        kept = len(self.files) < MAX_FILES and self.path_chars + len(path) <= MAX_PATH_CHARS
        index = len(self.files) if kept else -1
        self.path_chars += len(path)
        for day in days_in(file.path.name):
            self._date(day, "name", index)
        content: bytes | None = None
        tables: list[Columns] = []
        try:
            content, modified = _read(file, limit)
            if modified is not None:
                self.modified.append((file.kind, modified))
            if content is None:
                raise Unparsed("too large")
            tables = columns_of(self._reading.of(file.kind, content, ""))
            if file.kind == "md":
                self._dates(_iso_days(text_of(content)), index)
        except (OSError, Unparsed):
            self.unread += 1
        words: dict[str, None] = {}
        for columns in tables:
            for label, cells in columns.items():
                self._column(_clean(label)[:_MAX_LABEL], cells, index, words)
        if kept:
            self.files.append(FileFact(path=path, kind=file.kind, words=tuple(words)[:_MAX_WORDS]))
        else:
            self.files_left_out += 1
        return len(content or b"")

    def facts(self, files: Sequence[CorpusFile]) -> Facts:
        modified = {}
        for kind in ("all", *dict.fromkeys(KINDS.values())):
            times = [time for of_kind, time in self.modified if kind in ("all", of_kind)]
            if times:
                modified[kind] = Modified(earliest=min(times), latest=max(times))
        return Facts(
            files_total=len(files),
            counts={kind: sum(f.kind == kind for f in files) for kind in dict.fromkeys(KINDS.values())},
            modified=modified,
            modified_is_copy=self._is_copy(modified.get("all")),
            files=tuple(self.files),
            dates=tuple(sorted(self.dates.values(), key=lambda known: (known.day, known.source))),
            series=tuple(self.series),
            unread=self.unread,
            files_left_out=self.files_left_out,
            dates_left_out=self.dates_left_out,
            series_left_out=self.series_left_out,
            series_cut=self.series_cut,
        )

    def _is_copy(self, modified: Modified | None) -> bool:
        if modified is None or not self.dates:
            return False
        newest = max(day for day, _ in self.dates)
        return (
            modified.latest - modified.earliest < _COPY_WINDOW
            and modified.earliest.date() - newest > _COPY_WINDOW
        )

    def _date(self, day: date, source: str, file: int) -> None:
        key = (day, source)
        if key in self.dates:
            return
        if len(self.dates) >= MAX_DATES:
            self.dates_left_out += 1
            return
        self.dates[key] = KnownDate(day=day, source="name" if source == "name" else "content", file=file)

    def _dates(self, days: Iterable[date], file: int) -> None:
        for day in days:
            self._date(day, "content", file)

    def _column(self, label: str, cells: list[Cell], file: int, words: dict[str, None]) -> None:
        numbers: list[float] = []
        units: dict[str, None] = {}
        epoch = "time" in label.lower() or "date" in label.lower()
        for cell in cells:
            if isinstance(cell, str):
                cell = cell.strip()
                found = _QUANTITY.fullmatch(cell) if len(cell) <= _SHORT_CELL else None
                if found is None or (found[2] and found[2].lower() not in UNITS):
                    days = list(_iso_days(cell[:64]))
                    self._dates(days, file)
                    if not days and len(cell) <= _SHORT_CELL and len(words) < _MAX_WORDS:
                        words.update((w[:24], None) for w in _WORD.findall(cell.lower()) if not w.isdecimal())
                    continue
                units[found[2]] = None
                cell = found[1]
            number = _finite(cell)
            if number is not None:
                numbers.append(number)
                if epoch:
                    self._dates(_epoch_day(number), file)
        named = [unit for unit in units if unit]
        if len(named) > 1:  # no label is true of all
            return
        unit = named[0] if named else ""
        if numbers:
            self._keep(f"{label} [{unit}]" if unit else label, numbers, file)

    def _keep(self, label: str, numbers: list[float], file: int) -> None:
        self.label_chars += len(label)
        if len(self.series) >= MAX_SERIES or self.label_chars > MAX_LABEL_CHARS:
            self.series_left_out += 1
            return
        different = sorted({_short(number) for number in numbers})
        room = MAX_VALUE_CHARS - self.value_chars
        lengths = itertools.accumulate(len(repr(number)) + 1 for number in different[:MAX_VALUES])
        kept = sum(length <= room for length in lengths)
        values = tuple(different[:kept])
        self.value_chars += sum(len(repr(number)) + 1 for number in values)
        complete = len(values) == len(different)
        self.series_cut += not complete
        mean = math.fsum(number / len(numbers) for number in numbers)
        self.series.append(
            Series(
                file=file,
                label=label,
                n=len(numbers),
                mean=_short(mean),
                minimum=different[0],
                maximum=different[-1],
                median=_short(statistics.median(numbers)),
                sd=_sd(numbers, mean),
                values=values,
                complete=complete,
            )
        )


def days_in(name: str) -> Iterator[date]:
    """Yield the days in a file's name: ``20251002``, ``2025-10-02``, or seconds since 1970."""
    for match in _STAMP.finditer(name):
        yield from _day(*match.groups())
    for match in _EPOCH.finditer(name):
        yield from _epoch_day(float(match[1]))


def _iso_days(text: str) -> Iterator[date]:
    for match in re.finditer(r"(?<!\d)((?:19|20)\d\d)-([01]\d)-([0-3]\d)(?!\d)", text):
        yield from _day(*match.groups())


def _day(year: str, month: str, day: str) -> Iterator[date]:
    try:
        yield date(int(year), int(month), int(day))
    except ValueError:
        return


def _epoch_day(seconds: float) -> Iterator[date]:
    if 1e9 <= seconds < 2e9:
        yield datetime.fromtimestamp(seconds, UTC).date()


def _finite(cell: Cell) -> float | None:
    try:
        number = float(cell)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _short(number: float) -> float:
    return float(f"{number:.9g}")


def _sd(numbers: list[float], mean: float) -> float | None:
    if len(numbers) < 2:
        return None
    try:
        sd = math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1))
    except OverflowError:
        return None
    return _short(sd) if math.isfinite(sd) else None


def _clean(text: str) -> str:
    """No surrogates (file names may hold them, JSON and the models may not)."""
    return text.encode("utf-8", "replace").decode("utf-8")[:300]


def _read(file: CorpusFile, limit: int) -> tuple[bytes | None, datetime | None]:
    """Return the contents, ``None`` where larger than ``limit`` bytes, and the time of modification.

    Raises:
        OSError: it can't be read.
    """
    with open_file(file) as stream:
        status = os.fstat(stream.fileno())
        content = stream.read(limit + 1) if status.st_size <= limit else None
    if content is not None and len(content) > limit:
        content = None
    try:
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
    except (OverflowError, OSError, ValueError):  # a file system may hold years that datetime can't
        modified = None
    return content, modified
