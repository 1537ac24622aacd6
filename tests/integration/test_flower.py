"""Flower on Chimera's broker: workers by slot, jobs by readable names, no argument leaks."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx

from producer.embedded_redis import free_port
from tests.support.cluster import Cluster, wait_for
from tests.support.sweeps import write_sweep


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


def test_a_taken_port_is_one_clear_line(cluster: Cluster) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        flower = cluster.python("flower", "-m", "producer", "flower", "--port", str(port))
        flower.wait(60)
    assert flower.returncode == 2
    assert flower.last_words() == f"port {port} is taken: give another one with --port"
