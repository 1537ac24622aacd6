from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scale.events import FOLDER, note, noted
from benchmarks.scale.figures import pace_of
from benchmarks.scale.table import ROWS, table
from benchmarks.scale.work import outcome_of
from contracts.configuration import Configuration
from contracts.job import JobSpec
from contracts.records import records_of
from contracts.settings import WorkerSettings
from contracts.store.jobs import pack, unpack
from contracts.sweep import ServerSpec
from contracts.workloads import AgentWorkload
from worker.job import Started

MS = 1_000_000


def test_the_pace_is_that_of_each_slot_by_itself() -> None:
    jobs = [
        {"slot": "b", "begin": 100 * MS, "end": 110 * MS},
        {"slot": "a", "begin": 20 * MS, "end": 30 * MS},
        {"slot": "a", "begin": 0, "end": 10 * MS},
        {"slot": "a", "begin": 60 * MS, "end": 70 * MS},
    ]
    pace = pace_of(jobs)
    assert (pace.jobs, pace.last_ns, pace.workload_ms) == (4, 110 * MS, 10)
    assert (pace.gap_p50_ms, pace.between_ms) == (20, 20)
    assert pace.jobs_per_s == pytest.approx(4 / 0.11)


def test_notes_of_a_kind_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr("benchmarks.scale.events._files", {})
    note("job", slot="a", begin=1)
    note("task", name="x")
    note("job", slot="b", begin=2)
    assert [one["begin"] for one in noted(tmp_path, "job")] == [1, 2]
    assert list(noted(tmp_path, "task")) == [{"name": "x"}]


def test_a_figure_that_is_not_known_is_a_dash_and_has_no_ratio() -> None:
    text = table({"jobs_per_s": 50.0, "finaliser_s": None}, {"jobs_per_s": 100.0, "ended": 1.0})
    assert "| carried out on 2 slots, jobs/s | 50 | 100 | 0.50 |" in text
    assert "| finaliser, s | – | – | – |" in text
    assert len(text.splitlines()) == len(ROWS) + 2
    assert "did not end" in table({}, {"ended": 0.0})


def test_the_made_up_outcome_is_one_that_counts() -> None:
    spec = JobSpec(
        sweep="scale",
        execution="x",
        configuration=Configuration(name="a", model="m"),
        run=1,
        block=1,
        workload=AgentWorkload(paths=("x",)),
        corpus_digest="a" * 16,
        base_dir="/",
        server=ServerSpec(kind="ollama"),
        warmup=3,
        deadline_s=60,
        pool="p",
    )
    outcome = outcome_of(spec, Started.now(WorkerSettings("s0", "p", "http://127.0.0.1:1", None, 60), 1))
    assert not outcome.failed
    assert [stage.stage for stage in outcome.stages] == [*["warmup"] * 3, "ingest", "analysis", "report"]
    assert unpack(pack(outcome)) == outcome
    assert len(list(records_of(outcome))) == 6
