"""Which model is wanted of which server of a slot, and what is said where it is not there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.failures import SetupError
from contracts.slots import FurtherServer, SlotStatus
from contracts.store import Store
from producer.plan import Plan, make_plan
from producer.preflight import check_slots, models_wanted, shared_servers
from producer.sweep_file import load
from tests.support.sweeps import write_sweep

AGENTS = [
    {"label": "A", "persona": "collector"},
    {"label": "B", "persona": "insight", "model": "other", "server": "b"},
]


def plan(folder: Path, **changes: Any) -> Plan:
    workload = {"kind": "agent-pair", "paths": ["corpus"], "scenario": "heterogeneous", "agents": AGENTS}
    path = write_sweep(folder, **({"workload": workload} | changes))
    return make_plan(load(path), path)


def slot(*models: str, further: dict[str, FurtherServer] | None = None, name: str = "s0") -> SlotStatus:
    return SlotStatus(
        slot=name,
        pool="test",
        host="h",
        pid=1,
        server=f"http://{name}:1",
        max_deadline_s=60,
        models={"ollama": models},
        further=further or {},
        seen_at=datetime.now(UTC),
    )


def far(*models: str, **more: Any) -> FurtherServer:
    return FurtherServer(server="http://far:2", models={"ollama": models}, **more)


def test_without_agents_the_models_are_wanted_of_the_slots_own_server(tmp_path: Path, corpus: Path) -> None:
    swept = plan(
        tmp_path, workload={"kind": "agent", "paths": ["corpus"]}, model=None, axes={"model": ["x", "y"]}
    )
    (of_own,) = models_wanted(swept).items()
    assert of_own[0] is None and set(of_own[1]) == {"x", "y"}
    assert of_own[1]["x"].endswith(": axes.model")


def test_each_agents_model_is_wanted_of_its_server(tmp_path: Path, corpus: Path) -> None:
    wanted = models_wanted(plan(tmp_path))
    assert {server: set(models) for server, models in wanted.items()} == {None: {"ref"}, "b": {"other"}}
    assert wanted[None]["ref"].endswith(": model")
    assert wanted["b"]["other"].endswith(": workload.agents")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (slot("ref"), "slot s0 has no further server 'b' (it has: none): start its worker with --also b=URL"),
        (slot("ref", further={"c": far()}), "no further server 'b' (it has: c)"),
        (
            slot("ref", further={"b": far("ref")}),
            "further server 'b' at http://far:2 has no model 'other' (it has: ref)",
        ),
        (slot("ref", further={"b": far(problem="nobody answers")}), "slot s0: nobody answers"),
        (
            slot("ref", further={"b": FurtherServer(server="http://far:2", models={"openai": ("other",)})}),
            "further server 'b' at http://far:2 does not speak 'ollama' (it speaks: openai)",
        ),
        (slot("x", further={"b": far("other")}), "the server at http://s0:1 has no model 'ref' (it has: x)"),
        (slot("ref", further={"b": far("other:latest")}), None),
    ],
)
def test_what_a_slot_lacks_is_said(
    status: SlotStatus, said: str | None, tmp_path: Path, corpus: Path, store: Store
) -> None:
    store.put_slot(status, ttl_s=60)
    store.put_aggregator("x", ttl_s=60)
    if said is None:
        assert check_slots(plan(tmp_path), store) == [status]
        return
    with pytest.raises(SetupError) as caught:
        check_slots(plan(tmp_path), store)
    assert said in str(caught.value) and "sweep.yaml:" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_further_server_that_two_slots_share_is_named() -> None:
    slots = [slot("ref", further={"b": far()}, name=name) for name in ("s0", "s1")]
    (line,) = shared_servers(slots)
    assert line.startswith("slots s0, s1 share the server http://far:2")
