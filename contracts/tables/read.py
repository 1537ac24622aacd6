"""A file's bytes → its tables."""

from __future__ import annotations

from collections.abc import Callable

from contracts.tables.parse_csv import parse_csv
from contracts.tables.parse_json import parse_json
from contracts.tables.parse_markdown import parse_markdown
from contracts.tables.table import Table, Unparsed

_PARSERS: dict[str, Callable[[str, str], list[Table]]] = {
    "csv": parse_csv,
    "json": parse_json,
    "md": parse_markdown,
}
KINDS_READ = tuple(_PARSERS)


def tables_of(kind: str, content: bytes, source: str) -> list[Table]:
    """Return the tables of a file of one of :data:`KINDS_READ`; ``source`` is its shown name.

    Raises:
        Unparsed: bad encoding or syntax, too deep or too wide.
    """
    return _PARSERS[kind](text_of(content), source)


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
