"""How Flower is started: never open to others, never with a password in its arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.failures import SetupError
from contracts.settings import FLOWER_AUTH
from producer.embedded_redis import free_port
from producer.flower import command, environment

PAIR = "watcher:long-enough-word"


@pytest.fixture(autouse=True)
def _no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FLOWER_AUTH, raising=False)
    monkeypatch.delenv("FLOWER_BASIC_AUTH", raising=False)


@pytest.fixture
def auth_file(tmp_path: Path) -> Path:
    path = tmp_path / "auth"
    path.write_text(f"{PAIR}\n\nother:another-long-word\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_on_loopback_a_password_is_not_needed(address: str) -> None:
    assert environment(address, None) == {}


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "", "10.1.2.3", "gpu1.example.org"])
def test_elsewhere_it_is(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError, match=r"--auth-file FILE or CHIMERA_FLOWER_AUTH"):
        environment(address, None)
    monkeypatch.setenv("FLOWER_BASIC_AUTH", PAIR)  # Flower's own is not ours to judge
    with pytest.raises(SetupError):
        environment(address, None)
    monkeypatch.setenv(FLOWER_AUTH, PAIR)
    assert environment(address, None) == {"FLOWER_BASIC_AUTH": PAIR}


def test_a_file_may_hold_several(auth_file: Path) -> None:
    assert environment("0.0.0.0", auth_file) == {"FLOWER_BASIC_AUTH": f"{PAIR},other:another-long-word"}


def test_a_file_that_others_may_read_is_refused(auth_file: Path) -> None:
    auth_file.chmod(0o640)
    with pytest.raises(SetupError, match="chmod 600"):
        environment("0.0.0.0", auth_file)


@pytest.mark.parametrize(
    "text", ["", "\n", "nobody", ":long-enough-word", "user:short", "user:long,enough,word"]
)
def test_what_is_no_password_is_refused_and_not_shown(auth_file: Path, text: str) -> None:
    auth_file.write_text(text)
    with pytest.raises(SetupError) as caught:
        environment("127.0.0.1", auth_file)
    assert "enough" not in str(caught.value) and "short" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="can't be read"):
        environment("127.0.0.1", tmp_path / "none")


def test_the_command_line_has_no_password_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FLOWER_AUTH, PAIR)
    line = command("127.0.0.1", free_port())
    assert "--read_only=True" in line
    assert not any("auth" in word or "long-enough-word" in word for word in line)


def test_an_address_of_another_machine_is_one_clear_line() -> None:
    with pytest.raises(SetupError, match=r"can't listen on 192\.0\.2\.1"):
        command("192.0.2.1", free_port())


def test_its_state_gets_a_folder_that_nobody_else_enters(tmp_path: Path) -> None:
    state = tmp_path / "flower" / "state"
    assert f"--db={state}" in command("127.0.0.1", free_port(), state)
    assert state.parent.stat().st_mode & 0o777 == 0o700


def test_its_state_is_kept_where_not_everybody_can_put_another(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(
        SetupError, match=r"everybody can write into .*: give Flower's state a folder of its own"
    ):
        command("127.0.0.1", free_port(), tmp_path / "state")


def test_a_place_where_its_state_cannot_be_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match=r"state can't be kept in .*file"):
        command("127.0.0.1", free_port(), tmp_path / "file" / "state")
