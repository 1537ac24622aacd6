"""What is known of the ingested files, small enough to be kept in the result store.

At most about 1.5 MB of JSON whatever the corpus: what did not fit is counted, never silently gone. Counts of
files and modification times are always complete.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from contracts.base import SCHEMA_VERSION, Strict

MAX_FILES = 2_000
"""Files whose names are kept."""
MAX_DATES = 2_000
"""Different (day, source) pairs that are kept."""
MAX_SERIES = 4_000
"""Columns of numbers that are kept."""
MAX_VALUES = 400
"""Different values that are kept of one column; its statistics are of all."""
MAX_PATH_CHARS, MAX_LABEL_CHARS, MAX_VALUE_CHARS = 250_000, 250_000, 400_000
"""Characters of all paths, all columns' names, all values together."""


class FileFact(Strict):
    """One file."""

    path: str
    """As it is shown: root's name / path below the root."""
    kind: str
    """``csv``, ``json`` or ``md``."""
    words: tuple[str, ...] = ()
    """Lower-case words of its short text cells (models, names), by which texts refer to its rows."""


class Series(Strict):
    """The numbers of one column of one table: CSV or Markdown column, or all leaves of one JSON key path."""

    file: int
    """Index into :attr:`Facts.files`; −1: the file's name was left out."""
    label: str
    """Column header or dotted key path; a unit that stands in the cells follows in brackets."""
    n: int
    mean: float
    minimum: float
    maximum: float
    median: float
    sd: float | None = None
    """Sample standard deviation; ``None``: one value."""
    values: tuple[float, ...] = ()
    """Different values, ascending, 9 significant digits."""
    complete: bool = True
    """Every value is in ``values``."""


class KnownDate(Strict):
    """A day that stands in the data."""

    day: date
    source: Literal["name", "content"]
    file: int
    """Index of the first file that has it; −1: its name was left out."""


class Modified(Strict):
    """First and last modification of a group of files, UTC."""

    earliest: datetime
    latest: datetime


class Facts(Strict):
    """What the ingested files are and hold."""

    schema_version: Literal[1] = SCHEMA_VERSION
    files_total: int
    counts: dict[str, int]
    """Files by kind, every kind."""
    modified: dict[str, Modified]
    """By kind, and ``all``; without an entry: no time is known."""
    modified_is_copy: bool = False
    """The times look like those of a copy or checkout: all within a day, and long after the dates in the data.
    Then they contradict nothing."""
    files: tuple[FileFact, ...]
    dates: tuple[KnownDate, ...]
    series: tuple[Series, ...]
    unread: int = 0
    """Files whose contents could not be read, or are not what their name says."""
    files_left_out: int = 0
    dates_left_out: int = 0
    series_left_out: int = 0
    series_cut: int = 0
    """Columns of which not every value is kept."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """What these facts don't hold, in words: a figure of it is "not found" though it may be there."""
        said = [
            (self.unread, "file(s) could not be read"),
            (self.files_left_out, "file name(s) left out"),
            (self.dates_left_out, "date(s) left out"),
            (self.series_left_out, "column(s) of numbers left out"),
            (self.series_cut, "column(s) kept in part: statistics of all, but not every value"),
        ]
        return tuple(f"{count} {words}" for count, words in said if count)
