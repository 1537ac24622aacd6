"""Files are written whole or not at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write bytes, or text as UTF-8: a reader sees the old file or the new one, also after a crash.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full; no part is left.
    """
    write_parts(path, (content.encode() if isinstance(content, str) else content,))


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Do the same with content that is made part by part, and is never in memory as a whole."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def json_text(value: Any, indent: int | None = None) -> str:
    """Return JSON with readable non-ASCII text, and lone surrogates (models do send them) escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
