"""What a process learns of itself from its environment: read back as it was written, and wrong values said."""

from __future__ import annotations

import pytest

from contracts.failures import InputError, SetupError
from contracts.settings import (
    ALSO,
    BROKER,
    DEFAULT_MAX_DEADLINE_S,
    DEFAULT_POOL,
    SERVER,
    WorkerSettings,
    broker_url,
    further_servers,
    worker_settings,
)

FULL = WorkerSettings(
    "s0", "rtx", "http://u:p@h:1", 3, 90.5, (("b", "http://h:2/x?a=b"), ("c.1", "http://h:3"))
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which no process serves a slot."""
    for name in (*FULL.environment(), BROKER):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    "settings", [FULL, WorkerSettings("s0", "p", "http://h", None, 60.0)], ids=["all", "few"]
)
def test_the_pools_processes_read_what_their_parent_wrote(
    bare: pytest.MonkeyPatch, settings: WorkerSettings
) -> None:
    for name, value in settings.environment().items():
        bare.setenv(name, value)
    assert worker_settings() == settings


def test_what_is_not_given_has_its_default(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("CHIMERA_SLOT", "s0")
    bare.setenv(SERVER, "http://h:1")
    assert worker_settings() == WorkerSettings(
        "s0", DEFAULT_POOL, "http://h:1", None, DEFAULT_MAX_DEADLINE_S, ()
    )


def test_a_process_without_a_slot_has_no_settings(bare: pytest.MonkeyPatch) -> None:
    bare.setenv(SERVER, "http://h:1")
    bare.setenv(ALSO, "b=http://h:2")
    assert worker_settings() is None


def test_an_agent_is_sent_to_the_server_that_it_names() -> None:
    assert FULL.server_url(None) == "http://u:p@h:1"
    assert FULL.server_url("b") == "http://h:2/x?a=b"
    with pytest.raises(
        SetupError, match="slot s0 has no further server 'd': start its worker with --also d=URL"
    ):
        FULL.server_url("d")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("  b=http://h:1\n c=http://h:2?x=y ", (("b", "http://h:1"), ("c", "http://h:2?x=y"))),
    ],
    ids=["none", "two"],
)
def test_further_servers_are_names_and_addresses(text: str, found: tuple[tuple[str, str], ...]) -> None:
    assert further_servers(text) == found


@pytest.mark.parametrize("text", ["hunter2", "b=", "=http://u:hunter2@h", "b/c=http://u:hunter2@h"])
def test_what_is_no_further_server_is_said_without_its_password(text: str) -> None:
    with pytest.raises(InputError, match="give each further server as NAME=URL") as caught:
        further_servers(text)
    assert "hunter2" not in str(caught.value)


def test_a_name_stands_for_one_server() -> None:
    with pytest.raises(InputError, match="two servers have the name 'b'"):
        further_servers("b=http://h:1 b=http://h:2")


def test_without_a_broker_it_is_said_what_to_set(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError, match=f"{BROKER} is not set: give the Redis URL, such as redis://"):
        broker_url()
    bare.setenv(BROKER, "redis://h:1/0")
    assert broker_url() == "redis://h:1/0"
