"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What one part is like, and what to do where it is not good."""

    part: str
    good: bool | None
    """``None``: not good, but nothing that stops a sweep."""
    what: str
    advice: str | None = None
