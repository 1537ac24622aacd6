"""Foreign text made harmless for every format: control characters made visible."""

from __future__ import annotations

import re
import unicodedata

_NEWLINES = re.compile("\r\n|[\r\u2028\u2029\x85\x0b\x0c]")
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_REPLACEMENT = "\ufffd"


def visible(text: str) -> str:
    """Keep newlines (as ``\\n``) and tabs; show other control characters instead of obeying them.

    C0 controls become their pictures (␛); other controls, direction overrides (which can make text
    read as what it is not) and lone surrogates become U+FFFD.
    """
    if text.isascii() and text.isprintable():  # most cells of most tables
        return text
    return "".join(map(_visible_character, _NEWLINES.sub("\n", text)))


def one_line(text: str) -> str:
    """Return visible text with every run of white space as one space."""
    return " ".join(visible(text).split())


def _visible_character(character: str) -> str:
    if character in "\n\t":
        return character
    if character < " ":
        return chr(0x2400 + ord(character))
    if character in _BIDI or unicodedata.category(character) in ("Cc", "Cs"):
        return _REPLACEMENT
    return character
