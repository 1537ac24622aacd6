"""Signed messages."""

from __future__ import annotations


def require_kind(given: str, expected: str) -> None:
    """Refuse a message whose body was made for another task.

    Raises:
        ValueError: It was.
    """
    if given != expected:
        raise ValueError(f"a message of the kind {given!r} came as {expected!r}")
