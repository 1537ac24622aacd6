"""A headless Chromium, and pages that note all that a page must not do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@dataclass
class Opened:
    """A page, and what happened on it."""

    page: playwright.Page
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def quiet(self, url: str) -> bool:
        """Whether nothing was said or loaded but the file itself."""
        return not (self.console or self.errors or self.dialogs) and self.requests == [url]


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    """Of one module, not of the session: playwright's loop would be in the way of asynchronous tests."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: playwright.Browser) -> Iterator[Callable[..., Opened]]:
    """Open a file in a context of its own; keywords are the context's."""
    contexts = []

    def open_file(path: Path, **options: object) -> Opened:
        context = browser.new_context(**options)
        contexts.append(context)
        opened = Opened(context.new_page())
        page = opened.page
        page.on("console", lambda message: opened.console.append(message.text))
        page.on("pageerror", lambda error: opened.errors.append(str(error)))
        page.on("request", lambda request: opened.requests.append(request.url))
        page.on("dialog", lambda dialog: (opened.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(path.as_uri())
        return opened

    yield open_file
    for context in contexts:
        context.close()
