"""What a test says is there."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return a value that may be missing elsewhere, and must not be here."""
    assert value is not None
    return value
