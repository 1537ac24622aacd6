"""Sweeps that run until precise, over real Redis, real workers and real HTTP."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from contracts.manifest import Manifest, OrderedJob, Standing
from producer.report import ReportOptions, report
from tests.support.cluster import Cluster, calls_of
from tests.support.precise import NOISY, STEADY, noisy_server, precise_sweep

STEADY_NAME, NOISY_NAME = f"model={STEADY}", f"model={NOISY}"


@pytest.fixture
def server(cluster: Cluster) -> str:
    """A cluster of one slot, an aggregator and a server with a steady and a noisy model."""
    url = noisy_server(cluster)
    cluster.aggregator()
    cluster.slot("s0", url)
    return url


def manifest(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / "manifest.json").read_text())


def order(folder: Path) -> list[OrderedJob]:
    lines = (folder / "order.jsonl").read_text().splitlines()
    return [OrderedJob.model_validate_json(line) for line in lines]


def standings(made: Manifest) -> dict[str, Standing]:
    return {standing.configuration: standing for standing in made.standings}


def summaries(folder: Path) -> dict[str, Any]:
    tree = json.loads((folder / "summary.json").read_text())
    return {c["config"]: c for c in tree["configurations"]}


def test_only_the_configuration_that_is_noisy_gets_more_runs(
    cluster: Cluster, server: str, tmp_path: Path, corpus: Path
) -> None:
    output, folder = cluster.run(precise_sweep(tmp_path, min=3, max=8, until={"throughput": "1%"}))
    made = manifest(folder)
    planned = made.runs_planned()
    # A suspect run does not count: then the steady one needs another.
    assert 3 <= planned[STEADY_NAME] < planned[NOISY_NAME] == 8
    assert standings(made)[STEADY_NAME].stopped == "precise"
    assert standings(made)[NOISY_NAME].stopped == "most runs"
    assert {name: standing.runs for name, standing in standings(made).items()} == planned
    listed = order(folder)
    assert len({job.job_id for job in listed}) == sum(planned.values()) == len(calls_of(server)) / 2
    assert [job.block for job in listed][-1] == 8
    found = summaries(folder)
    assert {name: c["runs"] for name, c in found.items()} == planned
    assert {name: c["runs_planned"] for name, c in found.items()} == planned
    assert not [e for c in found.values() for e in c["excluded"] if "no record" in e["reason"]]
    for block in range(planned[STEADY_NAME] + 1, 9):
        assert f"block {block}: 1 of 2 configurations still needs runs (throughput " in output
    assert "2 configurations × 3 … 8 runs" in output and "until throughput ±1 %" in output
    assert f"jobs {len(listed)}/{len(listed)}" in output

    again = tmp_path / "again"
    report(folder, again, ReportOptions())
    assert (again / "summary.json").read_bytes() == (folder / "summary.json").read_bytes()


def test_blocks_never_overlap_and_hold_each_configuration_once(
    cluster: Cluster, server: str, tmp_path: Path, corpus: Path
) -> None:
    cluster.slot("s1", server)
    models = [NOISY, "ref:many-per-frame", "ref"]
    sweep = precise_sweep(tmp_path, models=models, min=2, max=4, until={"ttft": "0.001%"})
    _, folder = cluster.run(sweep)
    blocks: dict[int, list[Any]] = defaultdict(list)
    for outcome in cluster.outcomes(manifest(folder).execution):
        blocks[outcome.block].append(outcome)
    assert {block: len(jobs) for block, jobs in blocks.items()} == {1: 3, 2: 3, 3: 3, 4: 3}
    for jobs in blocks.values():
        assert set(Counter(o.configuration.id for o in jobs).values()) == {1}
    # A block that was decided on later begins when all before it are over.
    for before, after in itertools.pairwise(range(2, 5)):
        assert max(o.ended_ns for o in blocks[before]) <= min(o.started_ns for o in blocks[after])


def test_what_cannot_become_precise_does_not_go_on_to_the_most_runs(
    cluster: Cluster, server: str, tmp_path: Path, corpus: Path
) -> None:
    models = ["ref:http-500", "ref"]
    sweep = precise_sweep(tmp_path, models=models, min=2, max=20, until={"throughput": "1%"})
    _, folder = cluster.run(sweep)
    made = manifest(folder)
    failing, equal = (standings(made)[f"model={model}"] for model in models)
    assert (failing.runs, failing.stopped) == (3, "hopeless")
    assert failing.why == "none of its 3 runs is complete"
    assert equal.stopped == "no spread" and equal.runs < 20
    assert made.ended_because == "of 2 configurations: 1 without any spread, 1 stopped as hopeless"


def test_the_limit_of_jobs_is_the_sweeps(cluster: Cluster, server: str, tmp_path: Path, corpus: Path) -> None:
    sweep = precise_sweep(tmp_path, models=[NOISY], min=2, max=9, until={"throughput": "0.1%"}, max_jobs=4)
    output, folder = cluster.run(sweep)
    made = manifest(folder)
    assert len(order(folder)) == 4 == len(calls_of(server)) / 2
    assert [s.stopped for s in made.standings] == ["most jobs"]
    assert made.ended_because is not None and "5 jobs would be more than max_jobs 4" in made.ended_because
    assert made.ended_because in output


def test_the_limit_of_time_is_the_sweeps(cluster: Cluster, server: str, tmp_path: Path, corpus: Path) -> None:
    sweep = precise_sweep(
        tmp_path, models=[NOISY], min=2, max=9, until={"throughput": "0.1%"}, max_time=0.001
    )
    _, folder = cluster.run(sweep)
    made = manifest(folder)
    assert len(order(folder)) == 2
    assert [s.stopped for s in made.standings] == ["time"]
