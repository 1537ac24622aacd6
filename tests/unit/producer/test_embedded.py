"""The one-machine default: what its options may be, and what is refused before anything is started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from contracts.failures import InputError, SetupError
from contracts.settings import ALSO
from producer import embedded
from producer.embedded import Embedded, check_slots_asked, hand_on_further, requests_at_a_time
from producer.plan import Plan, make_plan
from producer.sweep_file import load
from tests.support.sweeps import write_sweep


def plan(folder: Path, **changes: Any) -> Plan:
    path = write_sweep(folder, **changes)
    return make_plan(load(path), path)


PROMPTS: dict[str, Any] = {
    "kind": "prompts",
    "synthetic": {"input_tokens": 8, "output_tokens": 4},
    "requests": 2000,
}


@pytest.mark.parametrize(
    ("slots", "servers", "broker", "said"),
    [
        (3, ("http://a", "http://b"), None, "each --server makes one slot"),
        (1, (), "redis://h", "not for a broker's cluster"),
        (None, ("http://a",), "redis://h", "not for a broker's cluster"),
    ],
    ids=["more slots", "slots and broker", "servers and broker"],
)
def test_options_that_do_not_go_together(
    slots: int | None, servers: tuple[str, ...], broker: str | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        check_slots_asked(slots, servers, broker)


def test_as_many_slots_as_servers_may_be_said() -> None:
    check_slots_asked(2, ("http://a", "http://b"), None)
    check_slots_asked(None, (), "redis://h")


def test_further_servers_are_handed_on_to_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    hand_on_further((), "redis://h")
    assert ALSO not in os.environ
    hand_on_further(("b=http://b", "c=http://c"), None)
    assert os.environ[ALSO] == "b=http://b c=http://c"
    with pytest.raises(InputError, match="chimera worker --also NAME=URL"):
        hand_on_further(("b=http://b",), "redis://h")
    with pytest.raises(InputError, match="give each further server as NAME=URL"):
        hand_on_further(("b",), None)


def test_a_server_answers_as_many_requests_at_a_time_as_the_sweep_sends(tmp_path: Path, corpus: Path) -> None:
    assert requests_at_a_time(plan(tmp_path)) == 1
    pair = {
        "kind": "agent-pair",
        "paths": ["corpus"],
        "agents": [{"label": "A", "persona": "collector"}, {"label": "B", "persona": "insight"}],
    }
    assert requests_at_a_time(plan(tmp_path, workload=pair)) == 2
    users = [(3, 3), (500, embedded.MOST_PARALLEL)]
    for asked, expected in users:
        loaded = plan(tmp_path, workload=PROMPTS, axes={"concurrency": [1, asked]})
        assert requests_at_a_time(loaded) == expected
    by_rate = plan(tmp_path, workload=PROMPTS, axes={"rate": [0.5]})
    assert requests_at_a_time(by_rate) == embedded.MOST_PARALLEL


def made(folder: Path, of: Plan, **changes: Any) -> Embedded:
    options: dict[str, Any] = {"slots": None, "servers": (), "say": lambda _: None}
    return Embedded(of, folder / "home", **(options | changes))


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        ({"server": "ollama"}, {"slots": 2}, "--slots with Ollama: give each slot its own server"),
        ({"server": "llama.cpp", "model": "other"}, {}, "has only 'gemma3-270m', the sweep wants other"),
    ],
    ids=["slots of one Ollama", "another model"],
)
def test_what_the_default_can_not_serve_is_said_and_nothing_is_left(
    tmp_path: Path, corpus: Path, changes: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    default = made(tmp_path, plan(tmp_path, **changes), **options)
    with pytest.raises(SetupError, match=said), default:
        pytest.fail("it was started")
    assert not (tmp_path / "home" / "broker").exists()
    assert default._all() == []


def test_further_servers_are_one_slots(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALSO, "b=http://b")
    with pytest.raises(InputError, match="--also goes with one slot, and here are 2"):
        made(tmp_path, plan(tmp_path), servers=("http://x", "http://y")).__enter__()


def test_a_home_is_used_once_at_a_time(tmp_path: Path, corpus: Path) -> None:
    first, second = (made(tmp_path, plan(tmp_path)) for _ in range(2))
    first._take_home()
    with pytest.raises(SetupError, match=r"another 'chimera run' uses the embedded Redis in .*CHIMERA_HOME"):
        second.__enter__()
    first._stop()
    second._take_home()
    second._stop()


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path, corpus: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(SetupError, match=r"can't write to .*home"):
        made(tmp_path, plan(tmp_path)).__enter__()
