"""Which broker a command takes, and what of it the list of processes shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contracts.settings import ALSO, BROKER, SERVER, SERVERS
from producer.broker import hide_password
from tests.support.cluster import Shell, wait_for

URL = "redis://u:hunter2@h:1/0"


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (["python", "chimera", "run", "--broker", URL, "x"], ["chimera", "run", "x"]),
        (["python", "chimera", "run", f"--broker={URL}"], ["chimera", "run"]),
        (["python", "chimera", "--broker", "redis://a@b", f"--broker={URL}"], ["chimera"]),
    ],
)
def test_a_password_goes_from_the_arguments_into_the_environment(
    command: list[str], kept: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[tuple[list[str], str]] = []
    monkeypatch.setattr(os, "execve", lambda _, line, env: became.append((line[1:], env[BROKER])))
    hide_password(command)
    assert became == [(kept, URL)]


def test_so_do_those_of_model_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda _, line, env: became.append((line[1:], env)))
    hide_password(
        ["python", "chimera", "run", "x", "--server=http://h:1", "--server", "http://u:hunter2@h:2"]
    )
    ((kept, environment),) = became
    assert kept == ["chimera", "run", "x"]
    assert environment[SERVERS] == "http://h:1 http://u:hunter2@h:2"
    assert environment[SERVER] == "http://u:hunter2@h:2"


def test_so_do_those_of_further_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda _, line, env: became.append((line[1:], env)))
    hide_password(
        ["python", "chimera", "run", "--also", "b=http://u:hunter2@h:2", "--also=c=http://h:3", "x"]
    )
    ((kept, environment),) = became
    assert kept == ["chimera", "run", "x"]
    assert environment[ALSO] == "b=http://u:hunter2@h:2 c=http://h:3"


@pytest.mark.parametrize(
    "command",
    [
        ["python", "chimera", "run", "x", "--server", "http://h:1"],
        ["python", "chimera", "run", "x"],
        ["python", "chimera", "run", "--broker", "redis://h:1/0"],
        ["python", "chimera", "ground", "--", "--broker", URL],
        ["python", "chimera", "run", "--broker"],
    ],
)
def test_where_there_is_none_nothing_happens(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("became another process"))
    hide_password(command)


def test_a_command_that_runs_shows_no_password(tmp_path: Path) -> None:
    """``doctor`` waits for a Redis that does not answer: one that never reads."""
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"redis://u:hunter2@127.0.0.1:{silent.getsockname()[1]}/0"
        process = Shell(tmp_path).start("doctor", "--broker", url)
        try:
            silent.settimeout(30)
            connection, _ = silent.accept()
            with connection:
                shown = wait_for(lambda: Path(f"/proc/{process.pid}/cmdline").read_bytes())
                assert b"doctor" in shown and b"hunter2" not in shown and b"--broker" not in shown
        finally:
            process.kill()
            process.communicate()
