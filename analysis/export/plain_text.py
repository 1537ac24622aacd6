"""What CSV and Parquet can't hold of a record: made visible before it is written, and counted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from contracts.records import StageRecord

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Changed:
    """Texts that a format can't hold as they are."""

    surrogates: int = 0
    """Texts with halves of surrogate pairs, which models do send: UTF-8 has none, they became U+FFFD."""
    blank: int = 0
    """Of CSV: texts of nothing but white space. An empty cell reads back as not known."""

    def sentences(self) -> list[str]:
        """Return what to tell, if anything."""
        return [
            *(
                [f"{self.surrogates} text(s) held half characters, which UTF-8 can't hold: written as \ufffd"]
                if self.surrogates
                else []
            ),
            *(
                [f"{self.blank} blank text(s) are empty cells, which read back as not known"]
                if self.blank
                else []
            ),
        ]


def storable(records: Iterable[StageRecord]) -> tuple[list[StageRecord], int]:
    """Return the records with every text as UTF-8 can hold it, and how many texts that changed."""
    made: list[StageRecord] = []
    changed = 0
    for record in records:
        updates = {}
        for name, value in record:
            whole, count = _whole(value)
            if count:
                updates[name] = whole
                changed += count
        made.append(record.model_copy(update=updates) if updates else record)
    return made, changed


def _whole(value: Any) -> tuple[Any, int]:
    if isinstance(value, str):
        whole = _SURROGATE.sub("\ufffd", value)
        return whole, int(whole != value)
    if isinstance(value, tuple):
        parts = [_whole(part) for part in value]
        return tuple(part for part, _ in parts), sum(count for _, count in parts)
    return value, 0
