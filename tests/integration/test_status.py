"""``chimera status`` beside a sweep that runs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from producer.status import EXIT_NOTHING_RUNS, StatusOptions, status
from tests.support.cluster import Cluster, wait_for
from tests.support.sweeps import write_sweep


def asked(cluster: Cluster, which: str | None = None, *, as_json: bool = False) -> tuple[int, str]:
    stream = io.StringIO()
    code = status(StatusOptions(which, cluster.url, as_json=as_json), Console(file=stream, width=200))
    return code, stream.getvalue()


def test_a_sweep_is_watched_to_its_end(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server(ttft_ms=50, itl_ms=10, tokens=60)
    cluster.aggregator()
    cluster.slot("s0", server)
    assert asked(cluster)[0] == EXIT_NOTHING_RUNS
    sweep = write_sweep(tmp_path, runs=6)
    run = cluster.start_run(sweep)
    wait_for(lambda: asked(cluster)[0] == 0, what="the sweep runs")
    watch = cluster.python("watch", "-m", "producer", "status", "--watch")

    def some_done() -> dict[str, Any] | None:
        code, text = asked(cluster, str(sweep), as_json=True)
        assert code == 0, "over before it was seen"
        tree: dict[str, Any] = json.loads(text)
        return tree if tree["executions"][0]["done"] >= 2 and tree["executions"][0]["left"] else None

    tree = wait_for(some_done, what="two jobs are done")
    (execution,) = tree["executions"]
    assert (execution["status"], execution["planned"], execution["failed"]) == ("running", 12, 0)
    assert {c["name"] for c in execution["configurations"]} == {"temperature=0.2", "temperature=0.8"}
    assert sum(c["done"] for c in execution["configurations"]) == execution["done"]
    assert execution["left"]["jobs_left"] == 12 - execution["done"] and execution["left"]["seconds"] > 0
    (slot,) = tree["slots"]
    assert (slot["slot"], slot["pool"], slot["breaker"]) == ("s0", "test", None)
    assert tree["aggregators"] == 1

    wait_for(lambda: not run.alive, what="the run ends")
    assert run.returncode == 0, run.log.read_text()
    wait_for(lambda: not watch.alive, what="the watching ends with it")
    assert watch.returncode == 0, watch.log.read_text()
    first, *_, last = watch.log.read_text().splitlines()
    assert first.startswith(f"test {execution['execution']} · running · jobs ")
    assert f"test {execution['execution']} · finished · " in last or " · collected · " in last
    code, text = asked(cluster, execution["execution"])
    assert code == EXIT_NOTHING_RUNS and "does not run: it is collected" in text
