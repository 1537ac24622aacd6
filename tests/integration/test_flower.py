"""Flower on Chimera's broker: workers by slot, jobs by readable names, no argument leaks."""

from __future__ import annotations

import json
import signal
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.breaker import Breaker
from contracts.celery_app import make_app
from contracts.settings import FLOWER_AUTH
from producer.embedded_redis import free_port
from tests.support.cluster import Cluster, wait_for
from tests.support.sweeps import write_sweep
from tests.support.watched import NOW, read

AUTH = ("watcher", "a-password-to-watch")
COLUMNS = {"draw": 1, "start": 0, "length": 50, "order[0][column]": 0} | {
    "order[0][dir]": "asc",
    "columns[0][data]": "name",
}


class Flower:
    """A Flower with a password and a state, as a browser sees it."""

    def __init__(self, cluster: Cluster, name: str, state: Path) -> None:
        port = free_port()
        self.page = f"http://127.0.0.1:{port}"
        self.child = cluster.python(
            name, "-m", "producer", "flower", "--port", str(port), "--state", str(state)
        )

    def get(self, path: str) -> str:
        """Return a page; empty while Flower does not answer."""
        self.child.check()
        try:
            return httpx.get(f"{self.page}{path}", auth=AUTH, timeout=10).text
        except httpx.HTTPError:
            return ""

    def tasks(self, search: str = "") -> dict[str, dict[str, Any]]:
        """Return what the list of tasks says of each, by name; nothing while Flower does not answer."""
        asked = COLUMNS | {"search[value]": search}
        try:
            answer = httpx.post(f"{self.page}/tasks/datatable", data=asked, auth=AUTH, timeout=10)
        except httpx.HTTPError:
            return {}
        return {row["name"]: row for row in answer.json()["data"]}

    def tasks_at_the_end(self) -> dict[str, dict[str, Any]]:
        found = self.tasks()
        done = any(name.endswith("/ report") and row["state"] == "SUCCESS" for name, row in found.items())
        return found if done else {}

    def load(self, slot: str) -> object:
        """Return what stands in the column of the worker's load."""
        rows = json.loads(self.get("/workers?json=1"))["data"]
        (row,) = (row for row in rows if row["hostname"].startswith(f"{slot}@"))
        return row["loadavg"]


def test_flower_shows_slots_and_jobs_by_name_and_keeps_them(
    cluster: Cluster, tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FLOWER_AUTH, ":".join(AUTH))
    state = tmp_path / "kept" / "flower"
    flower = Flower(cluster, "flower", state)
    server = cluster.reference_server(ttft_ms=1, itl_ms=1, tokens=40)
    cluster.aggregator()
    cluster.slot("gpu7", server)
    wait_for(lambda: "gpu7@" in flower.get("/workers?json=1&refresh=1"), what="Flower knows the worker")
    models = {"model": ["ref", "ref:abort"]}
    cluster.run(write_sweep(tmp_path, model=None, axes=models, runs=2, order={"kind": "blocks"}))

    tasks = wait_for(flower.tasks_at_the_end, what="Flower has seen the sweep end")
    job = tasks["test / model=ref / run 1"]
    assert job["worker"].startswith("gpu7@") and job["state"] == "SUCCESS"
    assert "corpus" not in job["args"]
    assert tasks["test / model=ref / summary"]["worker"].startswith("aggregator@")
    failed = tasks["test / model=ref:abort / run 2"]
    assert (failed["state"], failed["exception"]) == ("FAILURE", "the measurement failed: aborted")

    counted = (
        make_app(cluster.url, max_deadline_s=60).control.inspect([job["worker"]], timeout=5).stats() or {}
    )
    of_their_own = [name for name in counted[job["worker"]]["total"] if name.startswith("test / ")]
    assert len(of_their_own) <= 2, "counts of jobs by name would grow for ever"  # those received last

    assert flower.tasks("state:FAILURE worker:gpu7").keys() == {
        *("test / model=ref:abort / run 1", "test / model=ref:abort / run 2")
    }
    assert flower.tasks('name:"model=ref / run 2"').keys() == {"test / model=ref / run 2"}

    labels = [dict(told) for name, told in read(flower.get("/metrics")) if name == "flower_events_total"]
    events = [told for told in labels if told["type"].startswith("task-")]
    assert {told["task"] for told in events} == {"job", "summary", "report"}  # no time series for each job
    assert {told["type"] for told in events if told["task"] == "job"} == {
        *("task-received", "task-started", "task-succeeded", "task-failed")
    }
    assert httpx.get(f"{flower.page}/metrics", auth=("watcher", "wrong")).status_code == 401

    assert isinstance(flower.load("gpu7"), list)
    later = NOW + timedelta(days=3650)
    out = Breaker(
        slot="gpu7", pool="test", state="open", failures=3, reason="<b>503", since=NOW, probe_at=later
    )
    cluster.store.put_breaker(out)
    assert flower.load("gpu7") == "taken out: <b>503"
    assert "taken out: &lt;b&gt;503" in flower.get("/workers")
    cluster.store.put_breaker(out.model_copy(update={"state": "half-open"}))
    assert str(flower.load("gpu7")).startswith("on trial: ")
    cluster.store.drop_breaker("gpu7")
    assert isinstance(flower.load("gpu7"), list)

    flower.child.stop(signal.SIGTERM, seconds=30)
    assert flower.child.returncode == 0, flower.child.last_words()
    kept = list(state.parent.iterdir())
    assert kept and not [file for file in kept if file.stat().st_mode & 0o077]
    again = Flower(cluster, "flower-again", state)
    restored = wait_for(again.tasks, what="Flower answers again")
    assert {name: row["state"] for name, row in restored.items()} == {
        name: row["state"] for name, row in tasks.items()
    }
    assert "gpu7@" in again.get("/workers?json=1")


def test_queues_of_workers_that_come_later_are_shown(cluster: Cluster) -> None:
    server = cluster.reference_server(ttft_ms=1, itl_ms=1, tokens=5)
    port = free_port()
    flower = cluster.python("flower", "-m", "producer", "flower", "--port", str(port))

    def broker_page() -> str:
        flower.check()
        try:
            return httpx.get(f"http://127.0.0.1:{port}/broker", timeout=10).text
        except httpx.HTTPError:
            return ""

    assert "chimera.pool.test" not in wait_for(broker_page, what="Flower answers")
    cluster.slot("gpu7", server)
    wait_for(lambda: "chimera.pool.test" in broker_page(), what="the pool's queue is shown")
    assert "chimera.slot.gpu7" in broker_page()


def test_a_taken_port_is_one_clear_line(cluster: Cluster) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        flower = cluster.python("flower", "-m", "producer", "flower", "--port", str(port))
        flower.wait(60)
    assert flower.returncode == 2
    assert flower.last_words() == f"port {port} is taken: give another one with --port"
