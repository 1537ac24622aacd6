"""A file's bytes → its tables."""

from __future__ import annotations

from collections.abc import Callable

from contracts.tables.parse_csv import parse_csv
from contracts.tables.parse_json import parse_json
from contracts.tables.parse_markdown import parse_markdown
from contracts.tables.table import MAX_CELLS, Table, Unparsed

_PARSERS: dict[str, Callable[[str, str, int], list[Table]]] = {
    "csv": parse_csv,
    "json": parse_json,
    "md": parse_markdown,
}
KINDS_READ = tuple(_PARSERS)


class Tables:
    """Reads the files of a workload one after the other, within :data:`MAX_CELLS` of all of them."""

    def __init__(self) -> None:
        self._room = MAX_CELLS

    def of(self, kind: str, content: bytes, source: str) -> list[Table]:
        """Return the tables of a file of one of :data:`KINDS_READ`; ``source`` is its shown name.

        Raises:
            Unparsed: bad encoding or syntax, too deep, too wide or too large.
        """
        tables = _PARSERS[kind](text_of(content), source, self._room)
        self._room -= sum(len(column.cells) for table in tables for column in table.columns)
        return tables


def text_of(content: bytes) -> str:
    """Decode UTF-8 or, by its mark, UTF-16.

    Raises:
        Unparsed: it is neither, or holds NUL.
    """
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))  # as PowerShell writes
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unparsed(f"bad encoding: not {'UTF-16' if wide else 'UTF-8'} at byte {error.start}") from None
    if "\0" in text:
        raise Unparsed("not text: holds NUL characters")
    return text
