"""Text from files and models, made safe to show and to put into a prompt."""

from __future__ import annotations

import re
import unicodedata

_DROPPED = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories that are never printed: control, format (bidi, zero width), private, surrogate, separators."""

# Servers turn these into control tokens even inside a message, so a file could end its own turn.
_CONTROL_TOKEN = re.compile(r"<(\|?/?[A-Za-z_]{1,32}\|?)>|\[(/?INST)\]")


def one_line(text: str, limit: int) -> str:
    """Return ``text`` on one line of at most ``limit`` characters, without control characters and tokens.

    A text that is cut ends in ``…``.
    """
    # A bounded piece is enough, and keeps huge cells cheap.
    words = " ".join(_printable(text[: 8 * limit + 64]).split())
    words = _without_control_tokens(words)
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def block(text: str, limit: int) -> str:
    """As :func:`one_line`, but line breaks and indentation stay."""
    lines = text[: 2 * limit + 64].replace("\r\n", "\n").split("\n")
    clean = _without_control_tokens("\n".join(_printable(line).rstrip() for line in lines)).strip("\n")
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def _printable(text: str) -> str:
    """Blank for each character that is not printed."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if unicodedata.category(c) in _DROPPED else c for c in text)


def _without_control_tokens(text: str) -> str:
    return _CONTROL_TOKEN.sub(lambda match: f"({(match[1] or match[2]).strip('|')})", text)
