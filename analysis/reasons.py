"""Kinds of reasons: many calls are left out for one reason that differs in what was measured."""

from __future__ import annotations

import re

_MEASURED = re.compile(r"\d+\.\d+")


def kind_of(reason: str) -> str:
    """Return the reason without its measured figures; ``HTTP 500`` and limits stay."""
    return _MEASURED.sub("…", reason)
