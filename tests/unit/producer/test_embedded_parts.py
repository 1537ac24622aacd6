"""The one-machine default from start to stop: a real Redis and real processes, the parts themselves stand-ins.

A script stands for the interpreter: it writes down how it was started, and waits.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.failures import InputError, SetupError
from contracts.queues import AGGREGATE_QUEUE, pool_queue
from contracts.redis_client import connect
from contracts.settings import ALSO, SERVER
from contracts.store import Store, lease_key
from producer import embedded, local_server
from producer.embedded import Embedded
from producer.plan import Plan, make_plan
from producer.sweep_file import load
from tests.support.cluster import wait_for
from tests.support.cluster_in_thread import a_slot
from tests.support.rounds import Execution
from tests.support.sweeps import write_sweep

PYTHON = """#!/bin/sh
echo "$* | $CHIMERA_SERVER" >> "{folder}/started"
case "$*" in *"{fails}"*) echo "chimera: http://127.0.0.1:9/ does not answer"; exit 1;; esac
exec sleep 60
"""


class Machine:
    """A folder in which a default is started, whose workers are live as soon as they are started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.live: tuple[str, ...] = ("local0", "local1")
        self.default: Embedded | None = None
        self.python()

    def python(self, fails: str = "nothing") -> None:
        (self.folder / "python").write_text(PYTHON.format(folder=self.folder, fails=fails))
        (self.folder / "python").chmod(0o755)

    def plan(self, **changes: Any) -> Plan:
        path = write_sweep(self.folder, **changes)
        return make_plan(load(path), path)

    def make(self, **options: Any) -> Embedded:
        given: dict[str, Any] = {"slots": None, "servers": (), "say": self._say} | options
        plan = given.pop("plan", None) or self.plan()
        self.default = Embedded(plan, self.folder / "home", **given)
        return self.default

    def started(self, count: int) -> list[str]:
        """Return how the parts were started, once so many were."""
        file = self.folder / "started"
        lines: list[str] = wait_for(
            lambda: file.exists() and len(found := file.read_text().splitlines()) >= count and found,
            seconds=20,
            what=f"{count} parts are started",
        )
        return lines

    def _say(self, line: str) -> None:
        self.said.append(line)
        if "worker(s), each pinned" in line:
            assert self.default is not None
            store = Store(connect(self.default.url))
            store.put_aggregator("a", ttl_s=600)
            for name in self.live:
                store.put_slot(a_slot(name), ttl_s=600)


@pytest.fixture
def machine(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine(tmp_path)
    monkeypatch.delenv(ALSO, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    yield made
    if made.default is not None:
        made.default._stop()


def test_each_slot_is_pinned_to_its_server_and_all_is_stopped(machine: Machine) -> None:
    with machine.make(servers=("http://127.0.0.1:1", "http://127.0.0.1:2")) as default:
        assert default.slot_names == ["local0", "local1"]
        lines = machine.started(3)
        children = default._all()
        assert all(child.alive for child in children) and len(children) == 4
        note = machine.folder / "home" / "broker"
        assert note.read_text().strip() == default.url
    assert sorted(lines)[0].startswith("-m worker --aggregator")
    assert [line for line in sorted(lines) if "--slot" in line] == [
        f"-m worker --slot local{n} --pool test --max-deadline 20.0 --wait 0.0 | http://127.0.0.1:{n + 1}"
        for n in range(2)
    ]
    assert not any(child.alive for child in children) and not note.exists()
    assert os.environ.get(SERVER) is None


def test_what_dies_is_started_again_and_said(machine: Machine) -> None:
    with machine.make(servers=("http://127.0.0.1:1",)) as default:
        machine.started(2)
        default.watch()
        assert not [line for line in machine.said if "died" in line]
        child = default._all()[1]
        os.kill(child.pid, 9)
        wait_for(lambda: not child.alive, seconds=20, what="the aggregator is dead")
        default.watch()
        assert child.alive
    assert machine.said[-1] == "the aggregator died and was started again"


def test_embedded_model_servers_share_the_cores_and_workers_wait_for_them(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_server, "model_file", lambda: Path("/model.gguf"))
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    plan = machine.plan(server="llama.cpp", model=local_server.MODEL)
    with machine.make(plan=plan, slots=2):
        lines = machine.started(5)
    servers = [line for line in lines if "producer.local_server" in line]
    assert len(servers) == 2
    assert all("--model-file /model.gguf --threads 3 --parallel 1" in line for line in servers)
    ports = {line.partition("--port ")[2].partition(" ")[0] for line in servers}
    workers = [line for line in lines if "--slot" in line]
    assert {line.rpartition(":")[2] for line in workers} == ports
    assert all(f"--wait {embedded.READY_S!r}" in line for line in workers)
    assert "starting 2 model server(s): gemma3-270m on 3 core(s) each" in machine.said


def test_an_ollama_is_looked_for_where_it_listens(machine: Machine) -> None:
    with machine.make():
        lines = machine.started(2)
    assert any(line.endswith(f"--wait 0.0 | {embedded.OLLAMA_URL}") for line in lines)


def test_a_server_that_does_not_answer_is_named_with_the_line_of_the_sweep_file(machine: Machine) -> None:
    machine.live = ()
    machine.python(fails="--slot")
    with pytest.raises(SetupError, match=r"sweep\.yaml:\d+: server: .*does not answer.*--server URL"):
        machine.make(servers=("http://127.0.0.1:9/",)).__enter__()
    assert machine.default is not None and machine.default._all() == []


def test_a_part_that_ends_for_another_reason_is_told_as_it_is(machine: Machine) -> None:
    machine.live = ()
    machine.python(fails="--slot")
    with pytest.raises(SetupError, match=r"^the worker of slot local0 ended at once: http://127"):
        machine.make(servers=("http://127.0.0.1:1",)).__enter__()


def unfinished(machine: Machine, *, slots: int, servers: tuple[str, ...]) -> str:
    """Have a killed run leave an execution, its signs of life and its messages; return the execution."""
    default = machine.make(servers=("http://127.0.0.1:7",))
    with default:
        store = Store(connect(default.url))
        begun = Execution(machine.folder, store)
        x = begun.execution
        store.put_embedded(x, slots, servers)
        machine.started(2)
    (machine.folder / "started").unlink()
    return x


def test_a_resume_has_the_servers_of_the_beginning(machine: Machine) -> None:
    unfinished(machine, slots=2, servers=("http://127.0.0.1:1", "http://127.0.0.1:2"))
    with machine.make() as default:
        assert default.begun_with == (2, ("http://127.0.0.1:1", "http://127.0.0.1:2"))
        lines = machine.started(3)
    assert sorted(line.rpartition("| ")[2] for line in lines if "--slot" in line) == list(
        default.begun_with[1]
    )


@pytest.mark.parametrize(
    ("servers", "said"),
    [
        (("http://127.0.0.1:1",), "was begun with --server http://127.0.0.1:1, and is not measured on other"),
        ((), "was begun with --slots 1 and no --server"),
    ],
    ids=["servers", "none"],
)
def test_other_servers_than_those_of_the_beginning_are_refused(
    machine: Machine, servers: tuple[str, ...], said: str
) -> None:
    unfinished(machine, slots=1, servers=servers)
    with pytest.raises(InputError, match=said):
        machine.make(servers=("http://127.0.0.1:8",)).__enter__()
    with machine.make(servers=("http://127.0.0.1:8",), fresh=True) as default:
        assert default.begun_with == (1, ("http://127.0.0.1:8",))


def test_of_a_killed_run_nothing_but_its_data_is_left(machine: Machine) -> None:
    x = unfinished(machine, slots=1, servers=())
    with machine.make(servers=("http://127.0.0.1:7",), fresh=True) as default:
        store = Store(connect(default.url))
        assert store.status(x) == "paused" and store.manifest(x) is not None
        for key in (lease_key("local0"), pool_queue("test"), AGGREGATE_QUEUE):
            store.client.set(key, "left by a killed run")
        default._forget_the_dead()
        assert store.client.keys("chimera:slot:*") == [] and not store.has_aggregator()
        assert not store.client.exists(lease_key("local0"), pool_queue("test"), AGGREGATE_QUEUE)


def test_further_servers_that_the_sweep_names_must_be_given(machine: Machine) -> None:
    pair = {
        "kind": "agent-pair",
        "paths": ["corpus"],
        "agents": [
            {"label": "A", "persona": "collector"},
            {"label": "B", "persona": "insight", "server": "second"},
        ],
    }
    plan = machine.plan(workload=pair)
    with pytest.raises(InputError, match="further server 'second': give it with --also second=URL"):
        machine.make(plan=plan, servers=("http://127.0.0.1:1",)).__enter__()
