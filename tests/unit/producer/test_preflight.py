"""What is checked before anything is sent: live slots, their servers, models and deadlines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts.failures import SetupError
from contracts.slots import FurtherServer
from contracts.store import Store
from producer.plan import Plan, make_plan
from producer.preflight import check_slots, ill_slots
from producer.sweep_file import load
from tests.support.cluster_in_thread import a_slot
from tests.support.sweeps import write_sweep

PAIR = {
    "kind": "agent-pair",
    "scenario": "heterogeneous",
    "paths": ["corpus"],
    "agents": [
        {"label": "A", "persona": "collector"},
        {"label": "B", "persona": "insight", "server": "second", "model": "other"},
    ],
}


def planned(folder: Path, **changes: Any) -> Plan:
    path = write_sweep(folder, **changes)
    return make_plan(load(path), path)


def problems(plan: Plan, store: Store) -> list[str]:
    with pytest.raises(SetupError) as caught:
        check_slots(plan, store)
    return str(caught.value).splitlines()


@pytest.fixture(autouse=True)
def _aggregator(store: Store, corpus: Path) -> None:
    store.put_aggregator("a", ttl_s=60)


@pytest.mark.parametrize(
    ("pool", "seen"),
    [(None, "no worker is live at all"), ("a100", "live pools: a100")],
    ids=["nobody", "elsewhere"],
)
def test_a_pool_without_a_slot_is_named_with_those_that_live(
    tmp_path: Path, store: Store, pool: str | None, seen: str
) -> None:
    if pool is not None:
        store.put_slot(a_slot(pool=pool), ttl_s=60)
    (line,) = problems(planned(tmp_path), store)
    assert f"pool 'test' has no live slot; {seen}. Start one: chimera worker" in line
    assert line.startswith(str(tmp_path / "sweep.yaml:"))


def test_slots_that_answer_measure_and_the_ill_ones_are_told(tmp_path: Path, store: Store) -> None:
    for slot in (
        a_slot(),
        a_slot("ill", problem="refused", server="http://127.0.0.1:2"),
        a_slot("x", pool="p"),
    ):
        store.put_slot(slot, ttl_s=60)
    assert [slot.slot for slot in check_slots(planned(tmp_path), store)] == ["s0"]
    assert ill_slots("test", store) == ["slot ill does not measure now: refused"]


def test_where_no_server_answers_each_is_named(tmp_path: Path, store: Store) -> None:
    for name in ("s0", "s1"):
        store.put_slot(a_slot(name, problem="refused"), ttl_s=60)
    found = problems(planned(tmp_path), store)
    assert [line.partition("server: ")[2] for line in found] == ["slot s0: refused", "slot s1: refused"]


def test_without_an_aggregator_nothing_begins(tmp_path: Path, store: Store) -> None:
    store.drop_aggregator("a")
    store.put_slot(a_slot(), ttl_s=60)
    assert problems(planned(tmp_path), store) == ["no aggregator is live. Start one: chimera aggregator"]


@pytest.mark.parametrize(
    ("slot", "changes", "said"),
    [
        ({"models": {"openai": ("ref",)}}, {}, "does not speak 'ollama' (it speaks: openai)"),
        ({"models": {}}, {}, "(it speaks: nothing known)"),
        ({"models": {"ollama": ("reff",)}}, {}, "did you mean 'reff'? Or load it: ollama pull ref"),
        ({"models": {"ollama": ()}}, {}, "(it has: none): name one of those in the sweep file"),
        ({"models": {"openai": ("x",)}}, {"server": "openai"}, "has no model 'ref' (it has: x): name one"),
        ({"max_deadline_s": 10.0}, {}, "deadlines up to 10 s, the sweep's is 20 s: start its worker with"),
    ],
    ids=["protocol", "nothing known", "near", "no model", "openai", "deadline"],
)
def test_what_a_slot_can_not_do_is_one_line_with_what_to_do(
    tmp_path: Path, store: Store, slot: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    store.put_slot(a_slot(**slot), ttl_s=60)
    (line,) = problems(planned(tmp_path, **changes), store)
    assert said in line and ":latest" not in line


def test_a_model_s_newest_tag_is_the_model(tmp_path: Path, store: Store) -> None:
    store.put_slot(a_slot(models={"ollama": ("ref:latest",)}), ttl_s=60)
    assert check_slots(planned(tmp_path), store)


@pytest.mark.parametrize(
    ("further", "said"),
    [
        (
            {},
            "slot s0 has no further server 'second' (it has: none): start its worker with --also second=URL",
        ),
        ({"second": FurtherServer(server="http://h", problem="refused")}, "slot s0: refused"),
        (
            {"second": FurtherServer(server="http://h", models={"ollama": ("ref",)})},
            "the further server 'second' at http://h has no model 'other' (it has: ref)",
        ),
    ],
    ids=["none", "ill", "without the model"],
)
def test_further_servers_of_agents_are_checked_too(
    tmp_path: Path, store: Store, further: dict[str, FurtherServer], said: str
) -> None:
    store.put_slot(a_slot(further=further), ttl_s=60)
    (line,) = problems(planned(tmp_path, workload=PAIR), store)
    assert said in line
