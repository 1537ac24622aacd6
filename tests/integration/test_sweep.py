"""Whole sweeps over real Redis, real workers and real HTTP; only the model is a schedule."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from pathlib import Path

from analysis.naming import execution_name
from contracts.manifest import Manifest
from contracts.outcome import JobOutcome
from contracts.records import StageRecord
from producer.report import ReportOptions, report
from tests.support.cluster import Cluster, calls_of
from tests.support.sweeps import write_sweep


def records(folder: Path) -> list[StageRecord]:
    lines = (folder / "stages.jsonl").read_text().splitlines()
    return [StageRecord.model_validate_json(line) for line in lines]


def manifest(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / "manifest.json").read_text())


def overlapping(outcomes: list[JobOutcome]) -> int:
    spans = sorted((o.started_ns, o.ended_ns) for o in outcomes)
    return sum(begin < end for (_, end), (begin, _) in itertools.pairwise(spans))


def test_a_sweep_ends_with_its_report(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server(ttft_ms=20, itl_ms=1, tokens=20)
    cluster.aggregator()
    cluster.slot("s0", server)
    output, folder = cluster.run(write_sweep(tmp_path, warmup=1, runs=2))

    names = {
        "manifest.json",
        "order.jsonl",
        "facts.json",
        "stages.jsonl",
        "summary.json",
        "report.md",
        "report.html",
    }
    assert {path.name for path in folder.iterdir()} == names
    assert folder.parent.name == "test"
    made = manifest(folder)
    assert folder.name == execution_name(made)
    assert [slot.slot for slot in made.slots] == ["s0"]

    lines = records(folder)
    stages = Counter((line.phase, line.stage) for line in lines)
    assert stages == {
        ("warmup", "warmup"): 4,
        ("measured", "ingest"): 4,
        ("measured", "analysis"): 4,
        ("measured", "report"): 4,
    }
    for line in lines:
        assert line.outcome == ("truncated" if line.stage == "warmup" else "ok"), line
        if line.stage in ("analysis", "report"):
            assert line.tokens == 20
            assert line.throughput_source == "server"
            assert line.ttft_ms is not None and line.ttft_ms > 19
    assert {line.data_summary for line in lines if line.stage == "ingest"} != {None}

    summary = json.loads((folder / "summary.json").read_text())
    assert [c["runs"] for c in summary["configurations"]] == [2, 2]
    # Of valid calls: a busy machine may make one suspect.
    calls = [line for line in lines if line.phase == "measured" and line.diagnosis is not None]
    texts = Counter(line.config for line in calls if line.diagnosis and not line.diagnosis.suspect)
    grounded = {c["config"]: c["grounding"] for c in summary["configurations"]}
    assert Counter({name: found["texts"] for name, found in grounded.items() if found}) == texts
    assert "temperature=0.8" in output and "failed" in output
    for text in ((folder / "report.md").read_text(), (folder / "report.html").read_text()):
        assert "Total files analyzed: 3" in text

    # One warm-up, one analysis, one report a job, and nothing else was asked of the server.
    assert len(calls_of(server)) == 4 * 3

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = tmp_path / "again"
    report(folder, again, ReportOptions())
    assert (again / "summary.json").read_bytes() == before["summary.json"]
    assert (again / "report.md").read_bytes() == before["report.md"]
    assert (again / "report.html").read_bytes() == before["report.html"]


def test_a_slot_never_measures_two_jobs_at_once_and_two_slots_share_the_work(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    servers = {name: cluster.reference_server(name, ttft_ms=50, itl_ms=5, tokens=60) for name in ("r0", "r1")}
    cluster.aggregator()
    cluster.slot("s0", servers["r0"])
    cluster.slot("s1", servers["r1"])
    _, folder = cluster.run(write_sweep(tmp_path, runs=5))

    by_slot: dict[str, list[JobOutcome]] = defaultdict(list)
    for outcome in cluster.outcomes(manifest(folder).execution):
        by_slot[outcome.slot].append(outcome)
    assert sum(len(outcomes) for outcomes in by_slot.values()) == 10
    assert set(by_slot) == {"s0", "s1"}
    for name, outcomes in by_slot.items():
        assert overlapping(outcomes) == 0, name
    assert overlapping(by_slot["s0"] + by_slot["s1"]) > 0
    for url in servers.values():
        spans = sorted((call["begin_ns"], call["end_ns"]) for call in calls_of(url))
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))


def test_two_workers_of_one_slot_are_refused(cluster: Cluster, tmp_path: Path) -> None:
    server = cluster.reference_server()
    cluster.slot("s0", server)
    second = cluster.python("second", "-m", "worker", "--slot", "s0", "--server", server)
    second.wait(60)
    assert second.returncode == 2
    assert "slot 's0' has a live worker already" in second.last_words()


def test_a_finished_sweep_starts_anew_and_fresh_always_does(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    server = cluster.reference_server(ttft_ms=1, itl_ms=0, tokens=5)
    cluster.aggregator()
    cluster.slot("s0", server)
    sweep = write_sweep(tmp_path, runs=1)
    folders = {cluster.run(sweep)[1], cluster.run(sweep)[1], cluster.run(sweep, "--fresh")[1]}
    assert len(folders) == 3
    assert all(manifest(folder).resumed == 0 for folder in folders)
    assert len({manifest(folder).sweep_id for folder in folders}) == 1


def test_failed_measurements_are_data_with_a_reason(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server(ttft_ms=5, itl_ms=1, tokens=40)
    cluster.aggregator()
    cluster.slot("s0", server)
    models = ["ref", "ref:abort", "ref:http-500", "ref:cut", "ref:garbage"]
    output, folder = cluster.run(write_sweep(tmp_path, model=None, axes={"model": models}, runs=1))
    outcome = {(r.config, r.stage): (r.outcome, r.reason) for r in records(folder)}
    assert outcome["model=ref", "report"] == ("ok", None)
    assert outcome["model=ref:abort", "analysis"][0] == "aborted"
    assert outcome["model=ref:http-500", "analysis"][0] == "server_error"
    assert outcome["model=ref:http-500", "report"][0] == "server_error"
    assert "not run" in str(outcome["model=ref:http-500", "report"][1])
    assert outcome["model=ref:cut", "analysis"][0] == "connection"
    assert outcome["model=ref:garbage", "analysis"][0] == "server_error"
    assert "4 failed" in output
    summary = json.loads((folder / "summary.json").read_text())
    by_name = {c["config"]: c for c in summary["configurations"]}
    assert by_name["model=ref:http-500"]["valid"]["throughput_tok_s"] == {
        "n": 0,
        "mean": None,
        "sd": None,
        "cv": None,
    }
    assert {e["stage"] for e in by_name["model=ref:http-500"]["excluded"]} == {"analysis", "report"}


def test_a_hanging_server_ends_at_the_deadline(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server()
    cluster.aggregator()
    cluster.slot("s0", server)
    _, folder = cluster.run(write_sweep(tmp_path, model="ref:hang-mid", axes=None, runs=1, deadline=3))
    outcome = {r.stage: r for r in records(folder)}
    assert outcome["analysis"].outcome == "timeout"
    assert outcome["analysis"].ttft_ms is not None  # it was seen before the hang


def test_a_server_that_cannot_take_a_parameter_is_said_to(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    server = cluster.reference_server(flavour="vllm", ttft_ms=1, itl_ms=1, tokens=5)
    cluster.aggregator()
    cluster.slot("s0", server)
    sweep = write_sweep(
        tmp_path, server={"kind": "openai", "prompt_cache": False}, axes={"temperature": [0.5]}, runs=1
    )
    _, folder = cluster.run(sweep)
    (analysis,) = (r for r in records(folder) if r.stage == "analysis")
    assert analysis.outcome == "server_error"
    assert "not sent: this server takes no prompt_cache per request" in str(analysis.reason)
