"""Making what servers write fit for storing: bounded, one line, no broken characters."""

from __future__ import annotations

import json
import reprlib
from typing import Any

from pydantic_core import from_json

EXCERPT_CHARS = 300
MAX_DEPTH = 4

_repr = reprlib.Repr()
_repr.maxlevel, _repr.maxdict, _repr.maxlist = MAX_DEPTH, 8, 8
_repr.maxstring = _repr.maxlong = _repr.maxother = EXCERPT_CHARS


def whole_characters(text: str) -> str:
    """Join surrogate pairs that JSON escapes split over two frames; a lone half becomes U+FFFD.

    A lone surrogate can't be written as UTF-8, so it must not reach a store.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def excerpt(raw: str | bytes, limit: int = EXCERPT_CHARS) -> str:
    """Return the beginning of ``raw`` as one printable line of at most ``limit`` characters."""
    text = raw[: limit * 8].decode("utf-8", "replace") if isinstance(raw, bytes) else raw[: limit * 8]
    line = " ".join("".join(c if c.isprintable() else " " for c in whole_characters(text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def shown(value: object, limit: int = 80) -> str:
    """Write a decoded JSON value for people: bounded, however large or deeply nested it is."""
    if isinstance(value, int) and value.bit_length() > 512:
        return "a huge integer"  # repr of one with thousands of digits raises
    return excerpt(_repr.repr(value), limit)


def string(value: object) -> str | None:
    """Return a name or the like as one storable line; ``None`` if there is none."""
    return excerpt(value) or None if isinstance(value, str) else None


def error_message(body: Any) -> str | None:
    """Return the message of a decoded error body in any of the usual forms; ``None`` if it is none.

    ``{"error": "…"}`` (Ollama), ``{"error": {"message": "…"}}`` (OpenAI, llama.cpp),
    ``{"object": "error", "message": "…"}`` (vLLM before 0.10).
    """
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    if error is None and body.get("object") == "error":
        error = body
    if error is None:
        return None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        error = error["message"]
    said = excerpt(error) if isinstance(error, str) else shown(error, EXCERPT_CHARS)
    return said or "an error without a message"


def decode_json(data: bytes) -> Any:
    """Return the JSON value in ``data``.

    Raises:
        ValueError: it is not UTF-8 or not JSON, or nested too deeply to be read.
    """
    try:
        return from_json(data)
    except ValueError:
        pass  # half a surrogate pair, which the text of two frames may join, is no fault to json
    try:
        return json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
