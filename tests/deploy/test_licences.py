"""Nothing is installed whose terms nobody decided on."""

from __future__ import annotations

import pytest

from tools import licences
from tools.licences import ALLOWED, DECIDED, DEMO, ELSEWHERE, RUNTIME, is_allowed, licence, locked, undecided


@pytest.mark.parametrize("lock", [RUNTIME, DEMO])
def test_all_terms_are_allowed_or_decided_on(lock: str) -> None:
    assert len(locked(lock)) > 40
    assert undecided(lock) == []


def test_what_images_install_holds_no_model_and_no_copyleft_but_what_is_stated() -> None:
    assert [name for name in locked(RUNTIME) if name in DECIDED] == ["certifi", "pathspec"]


def test_every_decision_is_still_needed() -> None:
    assert set(DECIDED) <= set(locked(DEMO))
    assert [name for name in DECIDED if is_allowed(licence(name))] == []
    assert set(ELSEWHERE) <= set(locked(DEMO))


def test_an_unknown_licence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "ALLOWED", ALLOWED - {"PSF-2.0"})
    assert undecided(RUNTIME) == ["typing-extensions: PSF-2.0"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND 0BSD", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("MIT AND (GPL-3.0-only OR MIT)", False),
        ("LGPL-2.1-or-later", False),
        ("not said", False),
        ("", False),
    ],
)
def test_expressions(expression: str, expected: bool) -> None:
    assert is_allowed(expression) is expected


def test_the_page_is_current() -> None:
    assert licences.PAGE.read_text(encoding="utf-8") == licences.page(), "make generated"
