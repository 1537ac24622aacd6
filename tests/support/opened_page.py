"""A page in a browser, and what happened on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


@dataclass
class Opened:
    """A page, and what happened on it."""

    page: Page
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def quiet(self, url: str) -> bool:
        """Whether nothing was said or loaded but the file itself."""
        return not (self.console or self.errors or self.dialogs) and self.requests == [url]
