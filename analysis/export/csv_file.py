"""Records → CSV of all columns; ``chimera report`` and every reader of results take it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from analysis.export.columns import Kind, columns
from analysis.export.plain_text import Changed, storable
from analysis.files import json_text
from contracts.records import StageRecord

_QUOTE = '"'
_SPECIAL = re.compile(r'[",\r\n]')


def csv_text(records: Sequence[StageRecord]) -> tuple[str, Changed]:
    """Return the CSV (RFC 4180 quoting, lines end with ``\\n``), and what it could not hold.

    An empty cell is not known; lists and nested values are JSON in their cells. A text is written as it is, also
    where a spreadsheet would take it for a formula.
    """
    whole, surrogates = storable(records)
    kinds = columns()
    lines = [",".join(kinds)]
    blank = 0
    for record in whole:
        fields = record.model_dump(mode="json")
        blank += sum(isinstance(value, str) and not value.strip() for value in fields.values())
        lines.append(",".join(_quoted(_cell(fields[name], kind)) for name, kind in kinds.items()))
    return "\n".join(lines) + "\n", Changed(surrogates, blank)


def _quoted(cell: str) -> str:
    """csv.writer leaves a lone carriage return unquoted (Python 3.11), which its reader takes for a line's end."""
    return f'"{cell.replace(_QUOTE, 2 * _QUOTE)}"' if _SPECIAL.search(cell) else cell


def _cell(value: Any, kind: Kind) -> str:
    if value is None:
        return ""
    if kind in ("json", "texts", "numbers", "boolean"):
        return json_text(value)
    return value if isinstance(value, str) else repr(value)
