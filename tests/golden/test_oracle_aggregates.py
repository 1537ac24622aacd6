"""The public data's own aggregates, from their own calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.models import ConfigurationSummary
from analysis.stages_io import read_stages
from analysis.statistics.estimate import SdKind
from analysis.summary import summarise_records
from tests.support.present import present

ORACLES = Path(__file__).resolve().parents[2].parent / "shared" / "oracles"
pytestmark = pytest.mark.skipif(not ORACLES.is_dir(), reason=f"the oracles are not here: {ORACLES}")


def summaries(name: str, sd: SdKind = "sample") -> dict[str, ConfigurationSummary]:
    summary = summarise_records(read_stages(ORACLES / name), sd=sd)
    return {f"{c.config}/{c.agent}": c for c in summary.configurations}


def check(summary: ConfigurationSummary, recorded: dict[str, Any]) -> None:
    expected = recorded["aggregate"]
    pooled = summary.as_recorded
    actual = {
        "average_tokens_per_second": pooled.throughput_tok_s.mean,
        "stddev_throughput": pooled.throughput_tok_s.sd,
        "average_ttft_ms": pooled.ttft_ms.mean,
        "stddev_ttft": pooled.ttft_ms.sd,
        "total_tokens_generated": pooled.tokens,
        "total_duration_ms": pooled.duration_ms,
        "prompt_eval_duration_ms": pooled.prompt_eval_ms,
        "eval_duration_ms": pooled.eval_ms,
        "load_duration_ms": pooled.load_ms,
    }
    assert actual == pytest.approx(expected, rel=1e-12)
    assert summary.runs == recorded["runs"]


def test_the_first_seed() -> None:
    ((_, summary),) = summaries("seed_000_stages.csv").items()
    check(summary, json.loads((ORACLES / "seed_000_aggregate.json").read_text()))
    assert summary.as_recorded.throughput_tok_s.cv == pytest.approx(0.48997, abs=1e-5)
    assert summary.as_recorded.ttft_ms.cv == pytest.approx(1.42672, abs=1e-5)


def test_the_first_seed_as_it_is_true() -> None:
    ((_, summary),) = summaries("seed_000_stages.csv").items()
    valid = summary.valid.throughput_tok_s
    assert (
        valid.n,
        round(present(valid.mean), 2),
        round(present(valid.sd), 2),
        round(present(valid.cv), 3),
    ) == (
        5,
        116.02,
        0.91,
        0.008,
    )
    warm, seen = summary.valid.ttft_warm_ms, summary.ttft_warm_observed_ms
    assert (warm.n, round(present(warm.mean), 2)) == (4, 530.15)
    assert (seen.n, round(present(seen.mean), 2), round(present(seen.sd), 1)) == (5, 526.06, 19.6)
    assert [(e.run, e.stage) for e in summary.excluded] == [(1, "report")]
    assert summary.excluded[0].reason.endswith("after 4813 characters")
    assert [(c.run, c.stage) for c in summary.cold_calls] == [(1, "analysis")]


def test_the_other_published_estimator() -> None:
    ((_, summary),) = summaries("seed_000_stages.csv", sd="population").items()
    assert round(present(summary.as_recorded.throughput_tok_s.sd), 2) == 43.25


def test_every_configuration_and_agent_of_the_sweep() -> None:
    expected = json.loads((ORACLES / "rust_sweep_part_aggregates.json").read_text())
    found = summaries("rust_sweep_part_stages.csv")
    assert found.keys() == expected.keys()
    assert len(found) == 6
    for key, recorded in expected.items():
        check(found[key], recorded)


def test_cold_aborted_and_short_calls_of_the_sweep_are_named() -> None:
    found = summaries("rust_sweep_part_stages.csv")
    cold = {key: [(c.run, c.stage) for c in s.cold_calls] for key, s in found.items()}
    assert cold == {key: [] if key.startswith("baseline") else [(1, "analysis")] for key in found}
    excluded = {key: [(e.run, e.stage) for e in s.excluded] for key, s in found.items() if s.excluded}
    assert excluded == {"gpu60_ctx512_temp0p6/chimera": [(3, "report")]}
    short = [
        (n.run, n.stage) for n in found["gpu60_ctx512_temp0p6/chimera"].notes if "only 13 tokens" in n.text
    ]
    assert short == [(2, "report")]


def test_the_second_seed() -> None:
    found = summaries("seed_001_stages.csv")
    insight, collector = found["chimera-homo/test014/insight"], found["chimera-homo/test014/collector"]
    pooled = insight.as_recorded
    assert round(present(pooled.throughput_tok_s.mean), 2) == 41.89
    assert round(present(pooled.ttft_ms.mean), 2) == 657.74
    assert pooled.tokens == 2235
    sums = (pooled.duration_ms, pooled.prompt_eval_ms, pooled.eval_ms, pooled.load_ms)
    assert [round(present(value), 2) for value in sums] == [55563.54, 796.84, 53326.57, 500.91]
    assert collector.as_recorded.throughput_tok_s.mean == pytest.approx(40.96464005629451, rel=1e-12)
    assert collector.as_recorded.ttft_ms.mean == pytest.approx(653.43485, rel=1e-12)
    assert {call.cold for s in (insight, collector) for call in s.calls} == {None}
