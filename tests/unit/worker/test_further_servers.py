"""Further servers of a slot: how they are given, kept in the environment, and told."""

from __future__ import annotations

import pytest

from contracts.failures import InputError, SetupError
from contracts.settings import ALSO, WorkerSettings, further_servers, worker_settings

SETTINGS = WorkerSettings(
    "s0", "p", "http://h:1", None, 60.0, (("b", "http://u:p@h:2"), ("c", "http://h:3/?x=1"))
)


def test_they_go_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.environment().items():
        monkeypatch.setenv(name, value)
    assert worker_settings() == SETTINGS
    monkeypatch.delenv(ALSO)
    settings = worker_settings()
    assert settings is not None and settings.also == ()


def test_each_is_found_by_its_name() -> None:
    assert SETTINGS.server_url(None) == "http://h:1"
    assert SETTINGS.server_url("b") == "http://u:p@h:2"
    with pytest.raises(
        SetupError, match="slot s0 has no further server 'd': start its worker with --also d=URL"
    ):
        SETTINGS.server_url("d")


@pytest.mark.parametrize("wrong", ["http://u:secret@h:1", "b=", "=http://secret", "b", "b/c=http://secret"])
def test_what_is_no_name_and_address_is_refused_without_showing_it(wrong: str) -> None:
    with pytest.raises(InputError, match="NAME=URL") as caught:
        further_servers(f"a=http://h:1 {wrong}")
    assert "secret" not in str(caught.value)


def test_a_name_stands_once() -> None:
    with pytest.raises(InputError, match="two servers have the name 'b'"):
        further_servers("b=http://h:1 b=http://h:2")
    assert further_servers("  ") == ()
