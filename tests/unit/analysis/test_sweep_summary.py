"""The sweep's summary: both paths give the same bytes; order, ranking, warnings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from analysis.models import SweepSummary
from analysis.ranking import overlap
from analysis.rendering import render_json
from analysis.results_folder import documents, read_results, write_report
from analysis.stages_io import write_stages
from analysis.statistics.estimate import SdKind, estimate
from analysis.summary import ConfigurationSummary, summarise_configuration, summarise_records, summarise_sweep
from contracts.floor import MeasurementFloor
from contracts.manifest import Manifest, SlotIdentity
from contracts.records import StageRecord, records_of
from tests.support.factories import ManifestFactory, OutcomeFactory, RecordFactory
from tests.support.present import present
from tests.support.synthetic import Shape, synthetic


def texts(summary: SweepSummary) -> dict[str, str]:
    return {name: "".join(parts) for name, parts in documents(summary)}


def online(
    outcome: OutcomeFactory,
    manifest: Manifest,
    sd: SdKind = "sample",
    aborted: tuple[int, ...] = (2,),
    unload: bool = False,
) -> SweepSummary:
    """As the aggregator does it: one summary per configuration, through JSON, in any order."""
    stored = {}
    for configuration in reversed(manifest.configurations):
        outcomes = [outcome(configuration, run, aborted=run in aborted, unload=unload) for run in (1, 2, 3)]
        records = [record for made in outcomes for record in records_of(made)]
        assert isinstance(manifest.spec.runs, int)
        summary = summarise_configuration(records, runs_planned=manifest.spec.runs, sd=sd)
        stored[configuration.name] = json.dumps(summary.model_dump(mode="json"))
    summaries = [ConfigurationSummary.model_validate_json(text) for text in stored.values()]
    return summarise_sweep(summaries, manifest, sd=sd)


def results(
    outcome: OutcomeFactory, manifest: Manifest, folder: Path, unload: bool = False
) -> tuple[list[StageRecord], Manifest | None]:
    """Write the results folder as jobs end in a sweep: the configurations' runs interleaved."""
    outcomes = [
        outcome(c, run, aborted=run == 2, unload=unload)
        for run in (3, 1, 2)
        for c in reversed(manifest.configurations)
    ]
    write_stages(folder / "stages.jsonl", [record for made in outcomes for record in records_of(made)])
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return read_results(folder)


@pytest.mark.parametrize("sd", ["sample", "population"])
def test_offline_gives_the_same_bytes_as_online(
    outcome: OutcomeFactory, manifest: ManifestFactory, tmp_path: Path, sd: SdKind
) -> None:
    plan = manifest()
    records, read_back = results(outcome, plan, tmp_path)
    offline = summarise_records(records, read_back, sd=sd)
    assert texts(offline) == texts(online(outcome, plan, sd))


@pytest.mark.parametrize("rule", ["clean-first", "speed"])
def test_so_it_does_with_all_that_a_worker_tells(
    outcome: OutcomeFactory, manifest: ManifestFactory, floor: MeasurementFloor, tmp_path: Path, rule: str
) -> None:
    plan = manifest()
    plan = plan.model_copy(
        update={
            "spec": plan.spec.model_copy(update={"warmup": "unload", "ranking": rule}),
            "slots": (plan.slots[0].model_copy(update={"floor": floor}),),
        }
    )
    records, read_back = results(outcome, plan, tmp_path, unload=True)
    offline = summarise_records(records, read_back)
    assert texts(offline) == texts(online(outcome, plan, unload=True))
    assert (offline.warmup, offline.ranking_rule, present(offline.floor).ttft_ms) == ("unload", rule, 0.5)
    assert all(c.telemetry and c.conditions and c.applied for c in offline.configurations)
    assert [call.cold for call in offline.configurations[0].calls] == [True, False, True, None, True, False]


LATER = {
    *("warmup", "floor", "ranking_rule", "ttft_verdict", "inert", "below_floor", "ttft_from_first_ms"),
    *("ttft_below_floor", "degenerate_calls", "why", "applied", "unloaded_runs", "rates", "suspect_calls"),
    *("conditions", "telemetry", "same_text", "degeneration", "suspect", "text_hash"),
}


def test_a_summary_without_the_later_keys_reads(outcome: OutcomeFactory, manifest: ManifestFactory) -> None:
    def older(tree: Any) -> Any:
        if isinstance(tree, dict):
            later = LATER - ({"why"} if "text_stage" in tree else set())
            return {key: older(value) for key, value in tree.items() if key not in later}
        return [older(value) for value in tree] if isinstance(tree, list) else tree

    summary = online(outcome, manifest())
    read = SweepSummary.model_validate(older(summary.model_dump(mode="json")))
    assert read.configurations[0].valid == summary.configurations[0].valid
    assert (read.ranking_rule, read.configurations[0].conditions) == ("speed", None)


def test_summary_json_reads_back(outcome: OutcomeFactory, manifest: ManifestFactory) -> None:
    summary = online(outcome, manifest())
    assert SweepSummary.model_validate_json(render_json(summary)) == summary


def test_the_documented_keys(outcome: OutcomeFactory, manifest: ManifestFactory, tmp_path: Path) -> None:
    write_report(online(outcome, manifest()), tmp_path / "out")
    tree = json.loads((tmp_path / "out" / "summary.json").read_text())
    entry = tree["configurations"][0]
    assert {"config", "agent", "runs", "as_recorded", "valid", "excluded"} <= entry.keys()
    sums = {"tokens", "duration_ms", "prompt_eval_ms", "eval_ms", "load_ms"}
    assert {"throughput_tok_s", "ttft_ms", *sums} <= entry["as_recorded"].keys()
    assert {"throughput_tok_s", "ttft_ms", "ttft_warm_ms", "ttft_cold_ms", *sums} <= entry["valid"].keys()
    assert entry["valid"]["ttft_warm_ms"].keys() == {"n", "mean", "sd", "cv"}
    assert entry["excluded"] == [
        {"run": 2, "stage": "report", "reason": "aborted: the stream ended without the final record"}
    ]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "report.html",
        "report.md",
        "summary.json",
    ]


def test_configurations_stand_in_the_manifests_order_and_absent_ones_are_there(
    record: RecordFactory, manifest: ManifestFactory
) -> None:
    plan = manifest()
    summary = summarise_records([record(config="a_second", agent="z"), record(config="a_second")], plan)
    assert [(c.config, c.agent) for c in summary.configurations] == [
        ("b_first", "chimera"),
        ("a_second", "z"),
        ("a_second", "chimera"),
    ]
    absent = summary.configurations[0]
    assert absent.parameters == {"num_gpu": 80, "temperature": 0.6}
    assert [(e.run, e.stage) for e in absent.excluded] == [(1, "all"), (2, "all"), (3, "all")]
    assert (absent.runs, absent.shown) == (0, None)
    assert texts(summary)["report.md"]


def test_without_a_manifest_groups_stand_as_first_seen(record: RecordFactory) -> None:
    records = [
        record(config="z"),
        record(config="a"),
        record(config="z", run=2),
        record(config="z", agent="b"),
    ]
    summary = summarise_records(records)
    assert [(c.config, c.agent) for c in summary.configurations] == [
        ("z", "chimera"),
        ("a", "chimera"),
        ("z", "b"),
    ]


def runs(record: RecordFactory, config: str, rates: Iterable[float], **columns: Any) -> list[StageRecord]:
    return [
        record(config=config, run=run, throughput_tok_s=rate, eval_ms=1e6 / rate, **columns)
        for run, rate in enumerate(rates, 1)
    ]


def test_ranked_by_throughput_over_runs_and_unrated_last(record: RecordFactory) -> None:
    failed = record(config="failed", outcome="timeout", throughput_tok_s=999.0)
    records = [failed, *runs(record, "slow", [50, 51]), *runs(record, "fast", [90, 91])]
    summary = summarise_records(records)
    assert [(r.rank, r.config, r.overlaps_first) for r in summary.ranking] == [
        (1, "fast", None),
        (2, "slow", False),
        (None, "failed", None),
    ]
    assert summary.verdict == (
        "fast has the highest mean throughput; none can be claimed between it and slow: a test takes 3 complete runs of each."
    )


def test_no_winner_is_claimed_where_none_is_shown(record: RecordFactory) -> None:
    rows = [
        *runs(record, "a", [90, 100, 110]),
        *runs(record, "b", [85, 95, 105]),
        *runs(record, "c", [1, 2, 3]),
    ]
    summary = summarise_records(rows)
    assert summary.verdict.startswith(
        "a has the highest mean throughput; no difference is shown between it and b (n = 3 runs;"
    )
    assert "the other one is slower: c, −98.0 %" in summary.verdict


def test_no_winner_is_claimed_from_single_runs(record: RecordFactory) -> None:
    summary = summarise_records([*runs(record, "a", [90]), *runs(record, "b", [10])])
    assert "none can be claimed between it and b: a test takes 3 complete runs of each" in summary.verdict


@pytest.mark.parametrize(
    ("records", "verdict"), [(1, "nothing to compare"), (0, "Nothing can be ranked")], ids=["one", "none"]
)
def test_nothing_to_rank(record: RecordFactory, records: int, verdict: str) -> None:
    rows = runs(record, "a", [90.0])[:records] or [record(outcome="lost")]
    assert verdict in summarise_records(rows).verdict


def test_overlap_is_symmetric_and_needs_a_spread() -> None:
    a, b, one = estimate([1.0, 3.0]), estimate([4.0, 6.0]), estimate([5.0])
    assert overlap(a, b) is False
    assert overlap(a, estimate([3.0, 5.0])) is overlap(estimate([3.0, 5.0]), a) is True
    assert overlap(a, one) is None


def test_mixed_places_are_warned_of(record: RecordFactory, manifest: ManifestFactory) -> None:
    slot = manifest().slots[0]
    other = present(slot.server).model_copy(update={"version": "9"})
    slots = (slot, SlotIdentity(slot="s1", pool="q", server=other))
    rows = [
        record(
            config="b_first", slot="s0", pool="p", host="h0", model="m:1", model_digest="abc", context=1024
        ),
        record(config="b_first", run=2, slot="s0", pool="p", host="h0", model="m:1", context=2048),
        record(
            **{"config": "a_second", "slot": "s1", "pool": "q", "host": "h1", "outcome": "truncated"},
            **{"model": "m:1", "model_digest": "other"},
        ),
    ]
    found = " | ".join(summarise_records(rows, manifest(runs=1, slots=slots)).warnings)
    for part in (
        "several pools are mixed: p, q",
        "several hosts: h0, h1",
        "not every configuration was measured on the same slots",
        "different servers: ollama 0.12, ollama 9",
        "m:1 was not the same model in all runs: digests abc, other",
        "b_first was not run with one context length: 1024, 2048 tokens",
        "1 call was cut at the asked length limit",
        "fewer than 3 complete runs",
    ):
        assert part in found, part


def test_a_plain_sweep_has_findings_and_no_warnings() -> None:
    summary = synthetic(shape=Shape(cold_first=False)).summary()
    assert summary.warnings == ()
    assert summary.findings[0].rule == "best:throughput"


def test_estimators_are_not_mixed(record: RecordFactory) -> None:
    with pytest.raises(ValueError, match="population"):
        summarise_sweep([summarise_configuration([record()], sd="sample")], sd="population")


def test_a_configuration_that_fails_in_its_slow_stage_is_not_ahead(record: RecordFactory) -> None:
    def run(config: str, number: int, report: str) -> list[StageRecord]:
        fast = {"throughput_tok_s": 125.0 + number, "tokens": 1250, "eval_ms": 1e4 / (1 + number / 125)}
        slow = {"throughput_tok_s": 90.0, "tokens": 900, "stage": "report", "outcome": report}
        return [record(config=config, run=number, **fast), record(config=config, run=number, **slow)]

    whole = [r for n in (1, 2, 3) for r in run("whole", n, "ok")]
    half = [r for n in (1, 2, 3) for r in run("half", n, "aborted")]
    summary = summarise_records([*whole, *half])
    assert [(place.config, place.rank) for place in summary.ranking] == [("whole", 1), ("half", None)]
    assert summary.verdict == "One configuration with complete runs: there is nothing to compare it with."
    assert "not every run of half is complete" in " ".join(summary.warnings)
