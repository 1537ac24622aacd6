"""Flower on Chimera's broker: workers by slot, jobs by readable names, no argument leaks."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import httpx

from contracts.breaker import Breaker
from producer.embedded_redis import free_port
from tests.support.cluster import Cluster, wait_for
from tests.support.sweeps import write_sweep
from tests.support.watched import NOW


def test_flower_shows_slots_and_jobs_by_name(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server(ttft_ms=1, itl_ms=1, tokens=5)
    cluster.aggregator()
    cluster.slot("gpu7", server)
    port = free_port()
    flower = cluster.python("flower", "-m", "producer", "flower", "--port", str(port))
    page = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        flower.check()
        try:
            return "gpu7@" in httpx.get(f"{page}/workers?json=1&refresh=1", timeout=10).text
        except httpx.HTTPError:
            return False

    wait_for(answers, what="Flower knows the worker")
    cluster.run(write_sweep(tmp_path, runs=1))
    columns = {"draw": 1, "start": 0, "length": 50, "search[value]": "", "order[0][column]": 0}
    columns |= {"order[0][dir]": "asc", "columns[0][data]": "name"}

    def rows() -> dict[str, dict[str, str]]:
        found = httpx.post(f"{page}/tasks/datatable", data=columns, timeout=10).json()["data"]
        done = {row["name"]: row for row in found if row["state"] == "SUCCESS"}
        return done if any(name.endswith("/ report") for name in done) else {}

    tasks = wait_for(rows, what="Flower has seen the sweep end")
    job = tasks["test / temperature=0.2 / run 1"]
    assert job["worker"].startswith("gpu7@")
    assert "test / temperature=0.8 / run 1" in tasks
    assert tasks["test / temperature=0.2 / summary"]["worker"].startswith("aggregator@")
    assert "corpus" not in job["args"]

    def load() -> object:
        """Return what stands in the column of the worker's load."""
        rows = httpx.get(f"{page}/workers?json=1", timeout=10).json()["data"]
        (row,) = (row for row in rows if row["hostname"].startswith("gpu7@"))
        return row["loadavg"]

    assert isinstance(load(), list)
    later = NOW + timedelta(days=3650)
    out = Breaker(
        slot="gpu7", pool="test", state="open", failures=3, reason="<b>503", since=NOW, probe_at=later
    )
    cluster.store.put_breaker(out)
    assert load() == "taken out: <b>503"
    assert "taken out: &lt;b&gt;503" in httpx.get(f"{page}/workers", timeout=10).text
    cluster.store.put_breaker(out.model_copy(update={"state": "half-open"}))
    assert str(load()).startswith("on trial: ")
    cluster.store.drop_breaker("gpu7")
    assert isinstance(load(), list)


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
