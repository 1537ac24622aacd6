"""The columns of ``stages.jsonl`` by how a table of cells can hold them."""

from __future__ import annotations

import types
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from contracts.records import StageRecord

Kind = Literal["integer", "number", "boolean", "text", "time", "texts", "numbers", "json"]
"""``texts`` and ``numbers`` are lists; ``json`` is a nested model or a mapping, written as its JSON."""


def columns() -> dict[str, Kind]:
    """Return column → kind, in the order of :class:`contracts.records.StageRecord`."""
    return {name: _kind(field.annotation) for name, field in StageRecord.model_fields.items()}


def _kind(annotation: Any) -> Kind:
    parts = [part for part in _parts(annotation) if part is not type(None)]
    kinds = {_simple(part) for part in parts}
    if kinds == {"integer", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else "json"


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield the members of unions and the values of literals; what metadata says is left out."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _parts(member)
    elif origin is Annotated:
        yield from _parts(get_args(annotation)[0])
    elif origin is Literal:
        yield from (type(value) for value in get_args(annotation))
    else:
        yield annotation


def _simple(part: Any) -> Kind:
    if get_origin(part) is tuple:
        inner = _kind(get_args(part)[0])
        return "texts" if inner == "text" else "numbers" if inner == "number" else "json"
    if not isinstance(part, type):
        return "json"
    if issubclass(part, bool):
        return "boolean"
    if issubclass(part, str | Enum):
        return "text"
    if issubclass(part, int):
        return "integer"
    if issubclass(part, float):
        return "number"
    # pydantic's AwareDatetime is no subclass of datetime, but stands for one.
    return "time" if issubclass(part, datetime) or part.__name__ == "AwareDatetime" else "json"
