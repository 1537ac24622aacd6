"""Dates of a text against those of the data, of the files' modification and of the measurement."""

from __future__ import annotations

import re
from datetime import date

from analysis.grounding.calendar import Moment
from analysis.grounding.counts import KINDS
from analysis.grounding.scan import Token
from analysis.grounding.verdict import NOT_FOUND, Judged
from contracts.facts import Facts

_NEAR = 100
_BEARS = frozenset(("date", "report date", "date of report"))
_OWN = _BEARS | frozenset(("generated", "generated on", "timestamp", "prepared on", "last updated"))
"""What leads the line of a text's own date."""
_HEAD = 1_500
"""Characters of a text in which its own date stands."""
_MODIFIED = re.compile(r"\bmodif\w{1,10}", re.I)
_LATEST = re.compile(r"\b(?:latest|last|newest|most recent(?:ly)?)\b", re.I)
_EARLIEST = re.compile(r"\b(?:earliest|oldest|first)\b", re.I)
_LAST = re.compile(r"\blast modified\b", re.I)
_DIRECTLY = re.compile(r"(?:[\s*_`:|(\-]|\b(?:on|at|is|was|date|dates|file|files|time|in)\b){0,12}", re.I)


class Dates:
    """The days that the data hold, and what else a date of a text may be."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def judge(self, text: str, token: Token, kind: str | None, own: tuple[date, ...]) -> Judged:
        """Judge one date; ``kind``: of the files that its block lists; ``own``: days of the measurement."""
        moment, line = token.moment, token.line
        if moment is None:
            return NOT_FOUND
        lead = line.lead.lower()
        if line.header is None and lead in _OWN:
            bears = lead in _BEARS and token.start < _HEAD
            return self._own(moment, own, bears)
        before = text[max(line.start, token.start - _NEAR) : token.start]
        modified = list(_MODIFIED.finditer(before))
        if modified:
            latest, earliest = _LATEST.search(before), _EARLIEST.search(before)
            if latest or earliest:
                # "Last modified" may as well be said of the text itself, and a range begins with another date.
                plain = _LAST.search(before) is None or "file" in line.text[:200].lower()
                directly = _DIRECTLY.fullmatch(before[modified[-1].end() :]) is not None
                return self._modified(moment, _kind_in(before) or kind, bool(latest), plain and directly)
        return self._in_data(moment)

    def _in_data(self, moment: Moment) -> Judged:
        for known in self._facts.dates:
            if moment.holds(known.day):
                where = self._facts.files[known.file].path if known.file >= 0 else "a file"
                unchecked = "; the time of day was not checked" if moment.clock else ""
                return "supported", f"{known.day} ({known.source} of {where}{unchecked})"
        for group, times in self._facts.modified.items():
            for name, time in (("latest", times.latest), ("earliest", times.earliest)):
                if moment.holds(time.date(), f"{time:%H:%M:%S}"):
                    return "supported", f"{name} modification, {group} files"
        return NOT_FOUND

    def _own(self, moment: Moment, own: tuple[date, ...], bears: bool) -> Judged:
        """The date that the text bears is no statement about the data: only the measurement tells it."""
        for day in own:
            if moment.holds(day):
                return "supported", f"measured on {day}"
        if own and bears and moment.is_day and self._in_data(moment) == NOT_FOUND:
            return "contradicted", ", ".join(map(str, own[:3]))
        return NOT_FOUND

    def _modified(self, moment: Moment, kind: str | None, latest: bool, strict: bool) -> Judged:
        groups = [kind] if kind else list(self._facts.modified)
        times = [self._facts.modified[group] for group in groups if group in self._facts.modified]
        for known in times:
            time = known.latest if latest else known.earliest
            if moment.holds(time.date(), f"{time:%H:%M:%S}"):
                return "supported", f"{time:%Y-%m-%d %H:%M:%S} UTC"
        if not (times and strict and moment.years and moment.months) or self._facts.modified_is_copy:
            return NOT_FOUND
        time = times[0].latest if latest else times[0].earliest
        return "contradicted", f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _kind_in(text: str) -> str | None:
    kinds = {KINDS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in KINDS}
    return kinds.pop() if len(kinds) == 1 else None
