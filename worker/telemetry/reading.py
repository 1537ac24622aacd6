"""One figure that is read again and again and must never fail a measurement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

GIVE_UP_AFTER = 10
"""Failures in a row after which a reading is not tried any more: 1 s of a 10 Hz sampler."""

_NOT_SUPPORTED, _NO_PERMISSION, _FUNCTION_NOT_FOUND = 3, 4, 13
_FINAL = frozenset({_NOT_SUPPORTED, _NO_PERMISSION, _FUNCTION_NOT_FOUND})
"""NVML's error codes (nvmlReturn_t) that stay as they are for as long as the process runs."""


class Reading(Generic[T]):
    """Calls ``read``; what it raises becomes ``None``, and is told through ``note`` once it is given up."""

    def __init__(self, name: str, read: Callable[[], T], note: Callable[[str], None]) -> None:
        self._name = name
        self._read: Callable[[], T] | None = read
        self._note = note
        self._failures = 0

    def __call__(self) -> T | None:
        """Return the figure; ``None`` where it can't be read now."""
        if self._read is None:
            return None
        try:
            value = self._read()
        except Exception as error:  # a driver can raise anything: NVMLError, OSError, AttributeError, …
            self._failed(error)
            return None
        self._failures = 0
        return value

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        final = getattr(error, "value", None) in _FINAL
        if final or self._failures >= GIVE_UP_AFTER:
            self._read = None
            times = "" if final else f" after {self._failures} failures in a row"
            self._note(f"{self._name} is not read any more{times}: {describe(error)}")


def describe(error: Exception) -> str:
    """Return what an error says, or its type where it says nothing (or can't)."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # NVMLError asks the driver for its text, which can fail in turn
        return type(error).__name__
