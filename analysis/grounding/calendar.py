"""Dates as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}
_MONTH = (
    r"(?<!\w)(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_TIME = r"(?P<clock>(?:[ T]|,? at )\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?(?P<zone>\s?(?:UTC|GMT|Z|[+-]\d\d:?\d\d))?"
_END = r"(?!\w)(?!-\d)"
_PATTERNS = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        rf"(?<![\w.-])(?P<year>(?:19|20)\d\d)(?P<sep>[-/.])(?P<m>\d\d?)(?P=sep)(?P<day>\d\d?){_TIME}{_END}",
        r"(?<![\w.-])(?P<year>(?:19|20)\d\d)年(?P<m>\d\d?)月(?:(?P<day>\d\d?)日)?",
        rf"(?<![\w.-])(?P<year>20\d\d)(?P<m>[01]\d)(?P<day>[0-3]\d)(?:[-_T]\d{{6}})?{_END}",
        rf"{_MONTH}\s{{1,2}}(?P<day>\d\d?)(?:st|nd|rd|th)?(?:,\s?|\s{{1,2}})(?P<year>(?:19|20)\d\d){_TIME}{_END}",
        rf"(?<![\w.])(?P<day>\d\d?)(?:st|nd|rd|th)?[\s-](?:of\s)?{_MONTH}(?:,?\s|-)(?P<year>(?:19|20)\d\d){_TIME}{_END}",
        rf"{_MONTH},?\s(?:of\s)?(?P<year>(?:19|20)\d\d){_END}",
        rf"(?<![\w.])(?P<day>\d\d?)(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}(?!\w)",
        rf"{_MONTH}\s(?P<day>\d\d?)(?:st|nd|rd|th)?(?![\w.,]?\d)(?!\w)",
        rf"(?<![\w./-])(?P<a>\d\d?)(?P<sep>[/.])(?P<b>\d\d?)(?P=sep)(?P<year>(?:19|20)\d\d){_END}(?!/)",
        rf"(?<![\w.-])(?P<year>20[0-3]\d)-(?P<m>0[1-9]|1[0-2]){_END}(?!\.\d)",
        rf"(?<![\w.])Q(?P<quarter>[1-4])\s(?P<year>(?:19|20)\d\d){_END}",
        rf"(?<=\bin )(?P<year>(?:199\d|20[0-3]\d)){_END}(?![.,]\d)",
        rf"(?<=\bsince )(?P<year>(?:199\d|20[0-3]\d)){_END}(?![.,]\d)",
        rf"(?<=\byear )(?P<year>(?:199\d|20[0-3]\d)){_END}(?![.,]\d)",
        r"(?<![\w:.])(?P<only>\d\d?:[0-5]\d:[0-5]\d(?:\s?(?:AM|PM|UTC))?|\d\d?:[0-5]\d\s?(?:AM|PM|UTC))(?![\w:])",
    )
)


@dataclass(frozen=True)
class Moment:
    """What a date as written pins down; ``None``: it does not say."""

    years: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    """With two readings of 03/04/2025, ``months`` and ``days`` hold both."""
    clock: str | None = None
    """``HH:MM`` or ``HH:MM:SS``."""

    def holds(self, day: date, clock: str | None = None) -> bool:
        """Whether the day (and, where both are given, its time ``HH:MM:SS``) agrees with what is written."""
        if not (self.years or self.months or self.days):
            return False
        if len(self.months) == 2:
            good = (day.month, day.day) in (tuple(zip(self.months, self.days, strict=True)))
        else:
            good = (not self.months or day.month in self.months) and (not self.days or day.day in self.days)
            if len(self.months) > 2:  # a quarter
                good = day.month in self.months
        good = good and (not self.years or day.year in self.years)
        return good and (self.clock is None or clock is None or clock.startswith(self.clock))

    @property
    def is_day(self) -> bool:
        return bool(self.years and self.months and self.days)


def moments(text: str) -> Iterator[tuple[int, int, Moment]]:
    """Yield (start, end, what it says) of every date in a line, in order of patterns; they may overlap."""
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            moment = _moment(match)
            if moment is not None:
                yield match.start(), match.end(), moment


def _moment(match: re.Match[str]) -> Moment | None:
    part = match.groupdict()
    if part.get("only"):
        return Moment(clock=part["only"])
    name = part.get("month")
    if name is not None and name.islower():  # "may 3", "march 5"
        return None
    month = _MONTHS[name.lower()] if name else int(part.get("m") or 0)
    day, year = int(part.get("day") or 0), int(part.get("year") or 0)
    if part.get("quarter"):
        last = 3 * int(part["quarter"])
        return Moment((year,), (last - 2, last - 1, last))
    if part.get("a"):
        a, b = int(part["a"]), int(part["b"])
        readings = [(m, d) for m, d in ((a, b), (b, a)) if _exists(year, m, d)]
        if not readings:
            return None
        readings = list(dict.fromkeys(readings))
        return Moment((year,), tuple(m for m, _ in readings), tuple(d for _, d in readings))
    if not _exists(year or 2024, month or 1, day or 1):
        return None
    clock = (part.get("clock") or "").strip(" T,at")
    return Moment(
        (year,) if year else (),
        (month,) if month else (),
        (day,) if day else (),
        clock.partition(".")[0].zfill(5) if clock else None,
    )


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
