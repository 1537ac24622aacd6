"""What the doctor says of the file of signing keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.settings import SIGNING_KEY_FILE
from producer.doctor import signing_findings

KEY = "k" * 40


def test_without_a_file_it_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SIGNING_KEY_FILE, raising=False)
    assert list(signing_findings()) == []


@pytest.mark.parametrize(
    ("text", "mode", "goods", "said"),
    [
        (f"{KEY}\n{KEY}\n", 0o600, [True], "2 key(s)"),
        (KEY, 0o640, [True, None], "can be read by others"),
        ("short", 0o600, [False], "must hold 1 to 16 keys"),
    ],
)
def test_it_says_how_many_keys_and_who_can_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, mode: int, goods: list[bool | None], said: str
) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(mode)
    monkeypatch.setenv(SIGNING_KEY_FILE, str(path))
    found = list(signing_findings())
    assert [finding.good for finding in found] == goods
    assert said in found[-1].what
    assert KEY not in str(found)
