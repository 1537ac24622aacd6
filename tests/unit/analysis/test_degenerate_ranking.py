"""Degenerate answers: their rates, and where their configurations may stand."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.sweep import RankingRule
from analysis.rendering import render_markdown
from analysis.summary import summarise_configuration, summarise_records
from contracts.records import StageRecord
from tests.support.factories import ManifestFactory, RecordFactory
from tests.support.present import present


def runs(
    record: RecordFactory, config: str, rate: float, degenerate: int = 0, n: int = 3
) -> list[StageRecord]:
    """``n`` runs, of which the first ``degenerate`` are."""
    return [
        record(
            **{"config": config, "run": run, "throughput_tok_s": rate + run, "eval_ms": 1e6 / (rate + run)},
            **({"outcome": "degenerate", "degeneration": "short"} if run <= degenerate else {}),
        )
        for run in range(1, n + 1)
    ]


def test_rates_by_outcome_and_kind(record: RecordFactory) -> None:
    made = [
        *([("ok", None)] * 4 + [("truncated", None), ("degenerate", None)]),
        *([("degenerate", "repetition")] * 3 + [("degenerate", "empty")]),
    ]
    records = [record(run=i, outcome=o, degeneration=kind) for i, (o, kind) in enumerate(made)]
    rates = summarise_configuration(records).rates
    assert [(r.outcome.value, r.degeneration, r.calls, r.fraction) for r in rates] == [
        ("ok", None, 4, 0.4),
        ("truncated", None, 1, 0.1),
        ("degenerate", "empty", 1, 0.1),
        ("degenerate", "repetition", 3, 0.3),
        ("degenerate", None, 1, 0.1),
    ]


def test_warmup_calls_are_in_no_rate(record: RecordFactory) -> None:
    warmup = record(stage="warmup", phase="warmup", outcome="degenerate", degeneration="short")
    summary = summarise_configuration([record(), warmup])
    assert [(r.outcome.value, r.fraction) for r in summary.rates] == [("ok", 1.0)]
    assert summary.degenerate_calls == 0


def test_a_faster_one_with_degenerate_calls_stands_below(record: RecordFactory) -> None:
    records = [
        *runs(record, "fast", 900, degenerate=1),
        *runs(record, "slow", 50),
        *runs(record, "mid", 70),
    ]
    summary = summarise_records(records)
    assert summary.ranking_rule == "clean-first"
    assert [(r.rank, r.config, r.why) for r in summary.ranking] == [
        (1, "mid", None),
        (2, "slow", None),
        (3, "fast", "1 of 3 calls degenerate (short 1): below every one without"),
    ]
    assert summary.verdict.startswith("mid is the fastest of those without degenerate calls: slow, −27.8 %")
    assert summary.verdict.endswith(
        "fast has degenerate calls and stands below those without, whatever the rate."
    )
    assert [entry.comparison is None for entry in summary.ranking] == [True, False, True]
    markdown = render_markdown(summary)
    assert "| 1 of 3 calls degenerate (short 1): below every one without |" in markdown
    assert "stands below every ranked one without, however fast it is" in markdown


def test_by_speed_only_where_it_is_asked_for(record: RecordFactory, manifest: ManifestFactory) -> None:
    records = [*runs(record, "fast", 900, degenerate=1), *runs(record, "slow", 50)]
    summary = summarise_records(records, ranking="speed")
    assert summary.ranking_rule == "speed"
    assert [(r.config, r.why) for r in summary.ranking] == [
        ("fast", "1 of 3 calls degenerate (short 1)"),
        ("slow", None),
    ]
    assert "fast has degenerate calls itself" in summary.verdict
    assert "that was asked for (ranking: speed)" in render_markdown(summary)

    plan = manifest()
    asked = plan.model_copy(update={"spec": plan.spec.model_copy(update={"ranking": "speed"})})
    assert summarise_records(records, asked).ranking_rule == "speed"
    assert summarise_records(records, asked, ranking="clean-first").ranking[0].config == "slow"


def test_the_only_clean_one_is_not_called_ahead(record: RecordFactory) -> None:
    records = [*runs(record, "fast", 900, degenerate=1), *runs(record, "slow", 50)]
    assert summarise_records(records).verdict.startswith(
        "slow is the only ranked configuration without degenerate calls"
    )


def test_where_all_are_degenerate_they_are_ranked_among_themselves(record: RecordFactory) -> None:
    records = [*runs(record, "a", 50, degenerate=1), *runs(record, "b", 900, degenerate=1)]
    summary = summarise_records(records)
    assert [(r.config, r.why) for r in summary.ranking] == [
        ("b", "1 of 3 calls degenerate (short 1)"),
        ("a", "1 of 3 calls degenerate (short 1)"),
    ]
    assert "b has degenerate calls itself" in summary.verdict
    assert "| too few runs; 1 of 3 calls degenerate (short 1) |" in render_markdown(summary)


def test_without_any_failure_there_is_no_table_of_rates(record: RecordFactory) -> None:
    assert "Outcome Rates" not in render_markdown(summarise_records([record(suspect=[])]))
    table = render_markdown(summarise_records([record(), record(run=2, outcome="degenerate")]))
    assert "| Configuration | Agent | Calls | ok | degenerate (kind not recorded) |" in table
    assert "| c | chimera | 2 | 1 (50.0%) | 1 (50.0%) |" in table


@given(st.lists(st.tuples(st.integers(1, 999), st.integers(0, 3)), min_size=1, max_size=6))
@pytest.mark.parametrize("rule", ["clean-first", "speed"])
def test_no_degenerate_one_ever_stands_above_a_clean_one(
    record: RecordFactory, rule: RankingRule, configurations: list[tuple[int, int]]
) -> None:
    records = [
        row
        for index, (rate, degenerate) in enumerate(configurations)
        for row in runs(record, f"c{index}", rate, degenerate)
    ]
    ranked = [entry for entry in summarise_records(records, ranking=rule).ranking if entry.rank]
    if rule == "clean-first":
        assert [bool(e.degenerate_calls) for e in ranked] == sorted(bool(e.degenerate_calls) for e in ranked)
    alike = (
        itertools.groupby(ranked, key=lambda e: bool(e.degenerate_calls))
        if rule == "clean-first"
        else [(None, ranked)]
    )
    for _, group in alike:
        means = [present(entry.throughput_tok_s.mean) for entry in group]
        assert means == sorted(means, reverse=True)
