"""The version of ``summary.json``."""

from __future__ import annotations

from typing import Final

SUMMARY_VERSION: Final = 1
"""Raised when a field changes its meaning."""
