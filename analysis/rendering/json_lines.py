"""``summary.json``: indented for people while that is readable, a line for each entry of the long lists beyond."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from analysis.files import json_text
from analysis.models import SweepSummary
from analysis.room import thinned

INDENTED = 50
"""Configurations up to which all is indented."""
_LONG = ("ranking", "comparisons", "main_effects", "configurations")


def json_parts(summary: SweepSummary) -> Iterator[str]:
    """Yield the text in parts: of a large sweep no more than one configuration is text at a time.

    Of single runs as many are written as :mod:`analysis.room` has room for; all figures are made of all of them.
    """
    written = summary.model_copy(update={"configurations": tuple(thinned(summary.configurations))})
    if len(written.configurations) <= INDENTED:
        yield json_text(written.model_dump(mode="json"), indent=2) + "\n"
        return
    short = written.model_dump(mode="json", exclude=set(_LONG))
    names = [name for name in SweepSummary.model_fields if name in short or name in _LONG]
    for place, name in enumerate(names):
        yield f'{"{" if not place else ","}\n  "{name}": '
        if name in _LONG:
            yield from _lines(getattr(written, name))
        else:
            # A newline is the indentation's own: in strings it is escaped.
            yield json_text(short[name], indent=2).replace("\n", "\n  ")
    yield "\n}\n"


def _lines(entries: Sequence[BaseModel]) -> Iterator[str]:
    if not entries:
        yield "[]"
        return
    for place, entry in enumerate(entries):
        yield f"{',' if place else '['}\n    {line_of(entry)}"
    yield "\n  ]"


def line_of(entry: BaseModel) -> str:
    """Return a model as JSON on one line; lone surrogates (models do send them) are escaped."""
    try:
        return entry.model_dump_json()
    except PydanticSerializationError:
        return json_text(entry.model_dump(mode="json"))
