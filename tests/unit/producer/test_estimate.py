"""How long a sweep will take is told from an earlier execution of it, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from producer.estimate import earlier_job_s
from producer.manifest import make_manifest
from producer.plan import Plan, make_plan
from producer.sweep_file import load
from tests.support.sweeps import write_sweep


@pytest.fixture
def plan(tmp_path: Path, corpus: Path) -> Plan:
    path = write_sweep(tmp_path)
    return make_plan(load(path), path)


def execution(folder: Path, plan: Plan, spans_s: list[float], sweep_id: str | None = None) -> None:
    """Write results of jobs of two stages each, which end so long after their beginning."""
    folder.mkdir(parents=True)
    manifest = make_manifest(plan, ()).model_dump(mode="json")
    (folder / "manifest.json").write_text(json.dumps(manifest | ({"sweep_id": sweep_id} if sweep_id else {})))
    stages = [
        {"job_id": f"j{n}", "started_ns": round(at * 1e9), "ended_ns": round((at + span / 2) * 1e9)}
        for n, span in enumerate(spans_s)
        for at in (span / 2, 0.0)
    ]
    (folder / "stages.jsonl").write_text("".join(json.dumps(stage) + "\n" for stage in stages))


def test_it_is_the_mean_of_the_newest_execution_from_first_to_last_stage(plan: Plan, tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert earlier_job_s(plan, results) is None
    execution(results / "test" / "test_ref_20260101", plan, [100.0])
    execution(results / "test" / "test_ref_20260102", plan, [2.0, 4.0])
    assert earlier_job_s(plan, results) == pytest.approx(3.0)


def test_another_sweep_or_nothing_at_all_is_no_estimate(plan: Plan, tmp_path: Path) -> None:
    below = tmp_path / "results" / "test"
    execution(below / "a", plan, [1.0], sweep_id="of-another")
    execution(below / "b", plan, [])
    (below / "c").mkdir()
    (below / "d").mkdir()
    (below / "d" / "manifest.json").write_text("{")
    assert earlier_job_s(plan, tmp_path / "results") is None
    execution(below / "0", plan, [5.0])  # the oldest, and the only one that says anything
    assert earlier_job_s(plan, tmp_path / "results") == pytest.approx(5.0)
