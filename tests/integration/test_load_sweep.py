"""Sweeps of loads over real Redis, a real worker and real HTTP; only the model is a schedule, with so many places."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from contracts.records import StageRecord
from tests.support.cluster import Cluster, wait_for
from tests.support.sweeps import write_sweep

MADE = {"kind": "prompts", "synthetic": {"input_tokens": 16, "output_tokens": 10}}
ANSWER_S = 0.1
PLACES = 2
CAPACITY = PLACES / ANSWER_S
"""Requests per second that the server can serve."""


def server_of(cluster: Cluster) -> str:
    return cluster.reference_server(ttft_ms=50, itl_ms=5.5, tokens=10, parallel=PLACES)


def sweep(folder: Path, workload: dict[str, Any], **changes: Any) -> Path:
    return write_sweep(
        folder, **{"workload": {**MADE, **workload}, "axes": {}, "runs": 2, "deadline": 60, **changes}
    )


def lines_of(folder: Path) -> list[StageRecord]:
    lines = (folder / "stages.jsonl").read_text().splitlines()
    return [StageRecord.model_validate_json(line) for line in lines]


def test_open_loops_below_and_beyond_what_the_server_can_serve(cluster: Cluster, tmp_path: Path) -> None:
    cluster.aggregator()
    cluster.slot("s0", server_of(cluster))
    workload = {"requests": 40, "slo": {"ttft_ms": 400}}
    _, folder = cluster.run(sweep(tmp_path, workload, axes={"rate": [10.0, 60.0]}))

    lines = lines_of(folder)
    counts = Counter((line.config, line.run, line.stage) for line in lines)
    assert counts == {
        (config, run, stage): n
        for config in ("rate=10", "rate=60")
        for run in (1, 2)
        for stage, n in (("load", 1), ("request", 40))
    }
    requests = [line for line in lines if line.stage == "request"]
    assert {line.tokens_source for line in requests} == {"server"}
    assert all(line.text is None or line.text == "" for line in requests)
    assert all(
        line.due_ns is not None and line.sent_ns is not None and line.sent_ns >= line.due_ns
        for line in requests
    )
    # The prompts and the schedule are the run's, whatever the configuration.
    asked: dict[tuple[str, int], list[int | None]] = {(line.config, line.run): [] for line in requests}
    for line in requests:
        asked[line.config, line.run].append(line.asked_input_tokens)
    assert asked["rate=10", 1] == asked["rate=60", 1]

    summary = json.loads((folder / "summary.json").read_text())
    below, beyond = summary["loads"]
    assert (below["config"], beyond["config"]) == ("rate=10", "rate=60")
    report = (folder / "report.md").read_text()
    assert "rate=60" in report and "keep" in report


def test_a_load_that_is_cut_by_its_workers_death_is_measured_again(cluster: Cluster, tmp_path: Path) -> None:
    cluster.aggregator()
    worker = cluster.slot("s0", server_of(cluster))
    run = cluster.start_run(sweep(tmp_path, {"requests": 40}, axes={"concurrency": [2]}))
    wait_for(lambda: cluster.store.leased("s0"), what="a job runs")
    worker.stop_now()
    cluster.slot("s1", server_of(cluster))
    wait_for(lambda: not run.alive, seconds=120, what="chimera run ends")
    text = run.log.read_text()
    assert run.returncode == 0, text
    folder = Path(text.rpartition("report: ")[2].strip()).parent
    counts = Counter((line.run, line.stage) for line in lines_of(folder))
    assert counts == {(run, stage): n for run in (1, 2) for stage, n in (("load", 1), ("request", 40))}


def test_a_search_finds_what_the_server_can_serve(cluster: Cluster, tmp_path: Path) -> None:
    cluster.aggregator()
    cluster.slot("s0", server_of(cluster))
    workload = {"requests": 40, "arrivals": "constant", "search": {"start": 8, "max": 64, "precision": "25%"}}
    _, folder = cluster.run(sweep(tmp_path, workload, runs=1))
    steps = {line.step: line.asked_rate for line in lines_of(folder) if line.stage == "load"}
    assert list(steps.values())[:2] == [8.0, 16.0]
    (found,) = json.loads((folder / "summary.json").read_text())["saturations"]
    assert found["config"] == "default"
