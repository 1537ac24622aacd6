"""How much of single calls and runs a summary holds: all of a small sweep, the first of a large one.

Figures are made of everything; what is left out stays in ``stages.jsonl``, and summary and report say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from analysis.judgement import call_of
from analysis.models import Call, ConfigurationSummary
from analysis.table import Calls

MOST_ENTRIES = 5_000
"""Entries of each kind (calls, runs, exclusions, …) in the summary of a sweep: some 2 MB each, and in memory ten times that."""
_AT_LEAST = 1
"""Of each configuration, however many there are."""

Item = TypeVar("Item")


def room_for(configurations: int) -> int:
    """Return how many entries of each kind a configuration's summary may hold, of so many configurations."""
    return max(_AT_LEAST, MOST_ENTRIES // max(configurations, 1))


def kept_calls(calls: Calls, room: int, shown: int | None) -> tuple[Call, ...]:
    """Return the calls of the first runs that fit, whole runs, and those of the run that is shown."""
    rows = calls.rows
    if len(rows) > room:
        runs = list(calls.run)
        last = runs[room]  # cut, or not begun
        rows = [row for row, run in zip(rows, runs, strict=True) if run < last or run == shown]
    return tuple(map(call_of, rows))


def first(entries: Sequence[Item], room: int) -> tuple[Item, ...]:
    return tuple(entries[:room])


def left_out(**lists: tuple[int, Sequence[Any]]) -> dict[str, int]:
    """Return name → entries left out, where any are, from (how many there were, those kept) by name."""
    return {name: there - len(kept) for name, (there, kept) in lists.items() if there > len(kept)}


def thinned(configurations: Iterable[ConfigurationSummary]) -> list[ConfigurationSummary]:
    """Return the configurations with as many single runs as a file has room for: what is written, not what is computed."""
    found = list(configurations)
    room = room_for(len(found))
    return [_with_first_runs(c, room) for c in found]


def _with_first_runs(c: ConfigurationSummary, room: int) -> ConfigurationSummary:
    runs = c.over_runs.runs
    if len(runs) <= room:
        return c
    kept = c.over_runs.model_copy(update={"runs": first(runs, room)})
    out = {**c.left_out, **left_out(runs=(len(runs), kept.runs))}
    return c.model_copy(update={"over_runs": kept, "left_out": out})
