"""The strict base of every model that crosses a process boundary, and the content hash."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION: Final = 1
"""Version of every model in this package. Raised when a field changes its meaning."""


class Strict(BaseModel):
    """Frozen; an unknown key is an error that names the key."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def canonical_json(value: Any) -> str:
    """Return the one JSON text of ``value``: sorted keys, no spaces, UTF-8, no NaN.

    Floats are written by ``repr``, the shortest text that reads back as the same double, so that
    the text (and so the hash) is the same on every machine.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(value: Any, length: int = 16) -> str:
    """Return the first ``length`` hex digits of the SHA-256 of ``canonical_json(value)``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]
