"""Agents at the same time: what a hostile reading of their figures found."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import pytest

from analysis.models import ConfigurationSummary, SweepSummary
from analysis.pairs.legacy import legacy_pair
from analysis.rendering import render_markdown
from analysis.rendering.layout.pair_words import answer, contention_text, verdict_text
from analysis.summary import summarise_configuration, summarise_records, summarise_sweep
from contracts.call import Outcome
from contracts.failures import InputError
from tests.support.factories import RecordFactory
from tests.support.present import present
from tests.support.synthetic import Synthetic
from tests.support.synthetic_pairs import HETEROGENEOUS, PairShape, pair_sweep

# Runs in which another agent failed

FAILED, ABSENT = 2, 3
"""Runs of num_gpu=80: the candidate failed in one and has no record in the other, and the baseline was fast in both."""


def _broken(columns: dict[str, Any]) -> dict[str, Any] | None:
    if columns["config"] != "num_gpu=80" or columns["run"] not in (FAILED, ABSENT):
        return columns
    if columns["agent"] == "candidate":
        if columns["run"] == ABSENT:
            return None
        failed = columns["stage"] == "report"
        return columns | ({"outcome": "aborted", "reason": "gone"} if failed else {})
    if columns["stage"] == "ingest":
        return columns
    return columns | {
        "eval_ms": columns["eval_ms"] / 9,
        "throughput_tok_s": 9 * columns["throughput_tok_s"],
    }


@cache
def broken() -> Synthetic:
    return pair_sweep(HETEROGENEOUS, axes={"num_gpu": (40, 80)}, runs=6, shape=PairShape(change=_broken))


@cache
def summary_of_broken() -> SweepSummary:
    return broken().summary()


def of(summary: SweepSummary, config: str, agent: str) -> ConfigurationSummary:
    return next(c for c in summary.configurations if (c.config, c.agent) == (config, agent))


def test_a_run_in_which_another_agent_failed_is_complete_for_none() -> None:
    found = of(summary_of_broken(), "num_gpu=80", "baseline")
    assert [run.run for run in found.over_runs.runs if not run.complete] == [FAILED, ABSENT]
    assert found.runs == 6 and found.runs_complete == 4
    for key in ("throughput_tok_s", "mean_of_rates_tok_s", "ttft_ms", "duration_ms"):
        assert found.over_runs.of(key).n == 4
    whole = [present(run.throughput_tok_s) for run in found.over_runs.runs if run.complete]
    assert found.over_runs.throughput_tok_s.mean == pytest.approx(sum(whole) / 4)
    assert present(found.over_runs.throughput_tok_s.mean) < 70
    assert found.over_runs.ratio_of_sums_tok_s is None
    assert not [one for one in found.outliers if one.run in (FAILED, ABSENT)]
    assert {one.trend.n for one in found.trends} == {4}


def test_a_shown_run_that_is_none_of_all_says_so() -> None:
    def change(columns: dict[str, Any]) -> dict[str, Any]:
        last = (columns["config"], columns["run"], columns["agent"]) == ("default", 3, "B")
        return columns | {"outcome": "aborted", "reason": "gone"} if last else columns

    found = pair_sweep(runs=3, shape=PairShape(change=change)).summary()
    assert [present(of(found, "default", agent).shown).run for agent in "AB"] == [3, 2]
    assert "another agent" in present(of(found, "default", "A").shown).why
    assert present(of(found, "default", "B").shown).why == "the last complete run"


def test_such_a_run_is_in_no_ranking_and_no_comparison() -> None:
    found = summary_of_broken()
    ranked = {(one.config, one.agent): one.throughput_tok_s for one in found.ranking if one.rank is not None}
    assert {key: one.n for key, one in ranked.items()} == {
        **{("num_gpu=40", "baseline"): 6, ("num_gpu=40", "candidate"): 6},
        **{("num_gpu=80", "baseline"): 4, ("num_gpu=80", "candidate"): 4},
    }
    assert max(present(one.mean) for one in ranked.values()) < 70
    compared = [one for one in found.comparisons if one.agent == "baseline"]
    assert compared
    for one in compared:
        assert {one.baseline: one.n_baseline, one.candidate: one.n_candidate} == {
            "num_gpu=40": 6,
            "num_gpu=80": 4,
        }


def test_the_section_on_the_agents_tells_the_same_runs_as_before() -> None:
    found = summary_of_broken().pair_configurations[1]
    assert [(one.run, one.why) for one in found.incomplete] == [
        (FAILED, "a stage of candidate is excluded"),
        (ABSENT, "no record of candidate"),
    ]
    assert [m.throughput_tok_s.n for m in found.members] == [4, 4]
    mean = of(summary_of_broken(), "num_gpu=80", "baseline").over_runs.throughput_tok_s.mean
    assert found.members[0].throughput_tok_s.mean == pytest.approx(mean)


def test_runs_of_all_are_as_they_were() -> None:
    found = of(summary_of_broken(), "num_gpu=40", "baseline")
    records = [r for r in broken().records if (r.config, r.agent) == ("num_gpu=40", "baseline")]
    assert found.over_runs == summarise_configuration(records).over_runs
    assert found.over_runs.ratio_of_sums_tok_s is not None


def foreign(record: Any, **columns: Any) -> list[Any]:
    return [
        record(
            **{"config": "x", "agent": agent, "run": run, "stage": stage, "wall_s": 20.0, "exec_s": exec_s},
            **{"throughput_tok_s": rate, "ttft_ms": ttft} | columns,
        )
        for run in (1, 2)
        for agent, exec_s, rate, ttft in (("a", 18.0, 40.0, 90.0), ("b", 20.0, 50.0, 70.0))
        for stage in ("analysis", "report")
    ]


def test_foreign_runs_that_are_no_pair_stay_as_they_are(record: RecordFactory) -> None:
    """Nothing says that anybody else ran in the second run."""
    records = [r for r in foreign(record) if (r.agent, r.run) != ("b", 2)]
    found = summarise_records(records)
    assert [run.run for run in found.pairs] == [1]
    assert of(found, "x", "a").runs_complete == 2


def test_no_run_counts_where_an_agent_has_no_record_at_all(record: RecordFactory) -> None:
    found = summarise_records(foreign(record, agents=3))
    assert [c.runs_complete for c in found.configurations] == [0, 0]
    assert [one.rank for one in found.ranking] == [None, None]


def test_an_agent_that_the_plan_does_not_know_is_none_of_the_pair() -> None:
    made = pair_sweep(runs=3)
    one = next(r for r in made.records if r.config == "default")
    other = one.model_copy(
        update={"agent": "nobody", "agents": None, "stage": "report", "outcome": Outcome.LOST}
    )
    here, there = made.summary(), summarise_records([other, *made.records], manifest=made.manifest)
    assert there.pair_configurations == here.pair_configurations
    assert of(there, "default", "A").runs_complete == 3
    assert [(c.config, c.agent) for c in there.configurations][:3] == [
        ("default", "A"),
        ("default", "B"),
        ("default", "nobody"),
    ]


# Alone and together under one name


@pytest.mark.parametrize("alone", [1, 2])
def test_alone_and_together_under_one_name_is_refused(record: RecordFactory, alone: int) -> None:
    records = [r.model_copy(update={"agents": 1 if r.run == alone else 2}) for r in foreign(record)]
    with pytest.raises(InputError, match=r"'a' in configuration 'x'.*agents: 1, 2"):
        summarise_records(records)


def test_a_row_that_does_not_tell_contradicts_none(record: RecordFactory) -> None:
    records = [r.model_copy(update={"agents": 2 if r.run == 2 else None}) for r in foreign(record)]
    assert [c.agents for c in summarise_records(records).configurations] == [2, 2]


# Nothing shown, or not known


def _without(*names: str) -> Synthetic:
    def change(columns: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in columns.items() if key not in names}

    one: dict[str, Any] = {"rate": lambda c, role: 1.0, "ttft": lambda c, role: 1.0}
    return pair_sweep(runs=6, shape=PairShape(change=change, **one))


@pytest.mark.parametrize(
    ("names", "unknown"),
    [(("ttft_ms", "exec_s"), "TTFT and pace: "), (("ttft_ms",), "TTFT: "), (("exec_s",), "pace: ")],
    ids=["both", "ttft", "pace"],
)
def test_none_is_shown_only_where_all_is_known(names: tuple[str, ...], unknown: str) -> None:
    (found,) = _without(*names).summary().pair_configurations
    assert found.contention == "not known"
    for member in found.members:
        assert {s.verdict for s in member.slowdowns if s.of == "rate"} == {"none shown"}
        assert member.contention == "not known"
        assert present(member.why).startswith(unknown) and "has the figure" in present(member.why)
        assert present(member.why) in contention_text(found)
        assert f"{member.agent}: {member.why}" in answer([found])
        text = verdict_text(member)
        assert text.startswith(f"not known: {member.why} (would have been shown: ") and "rate 1.0" in text


def test_a_slowdown_is_shown_whatever_else_is_unknown() -> None:
    def change(columns: dict[str, Any]) -> dict[str, Any]:
        return columns | {"ttft_ms": None} if "ttft_ms" in columns else columns

    (found,) = pair_sweep(runs=6, shape=PairShape(change=change)).summary().pair_configurations
    assert found.contention == "slowed down"
    assert [(m.contention, m.why) for m in found.members] == [("slowed down", None)] * 2


# Order of rows


def in_other_order(records: list[Any], seed: int) -> list[Any]:
    shuffled = records[:]
    Random(seed).shuffle(shuffled)
    return shuffled


@pytest.mark.parametrize("seed", range(4))
def test_foreign_agents_stand_by_name_whatever_the_order_of_rows(record: RecordFactory, seed: int) -> None:
    here = summarise_records(foreign(record))
    for records in (foreign(record)[::-1], in_other_order(foreign(record), seed)):
        there = summarise_records(records)
        assert there.pairs == here.pairs
        assert there.pair_configurations == here.pair_configurations
    (found,) = here.pair_configurations
    assert found.agents == ("a", "b")
    assert found.throughput_delta == pytest.approx(10.0) and found.ttft_delta_ms == pytest.approx(20.0)


def test_configurations_stay_in_their_order(record: RecordFactory) -> None:
    """By name only within a configuration: here the second has the agent that comes first by name."""
    other = [
        r.model_copy(update={"config": "w", "agent": {"a": "0", "b": "a"}[r.agent]}) for r in foreign(record)
    ]
    found = summarise_records([*foreign(record), *other]).pair_configurations
    assert [(pair.config, pair.agents) for pair in found] == [("x", ("a", "b")), ("w", ("0", "a"))]


def legacy_lines(summary: SweepSummary) -> list[list[str]]:
    """Header and rows of the table of legacy figures."""
    lines = render_markdown(summary).splitlines()
    header = next(i for i, line in enumerate(lines) if "Legacy speedup" in line)
    rows = [
        line for line in lines[header : header + 2 + len(summary.pair_configurations)] if "---" not in line
    ]
    return [[cell.strip() for cell in line.split("|")] for line in rows]


def test_the_table_of_legacy_figures_names_whose_difference_it_is(record: RecordFactory) -> None:
    names, cells = legacy_lines(summarise_records(foreign(record)[::-1]))
    found = dict(zip(names, cells, strict=True))
    assert found["Throughput, b − a (tok/s)"].startswith("+10")
    assert found["TTFT, a − b (ms)"].startswith("+20")


def test_where_agents_differ_each_row_names_its_own(record: RecordFactory) -> None:
    other = [
        r.model_copy(update={"config": "w", "agent": {"a": "d", "b": "c"}[r.agent]}) for r in foreign(record)
    ]
    names, *rows = legacy_lines(summarise_records([*foreign(record), *other]))
    found = [dict(zip(names, cells, strict=True)) for cells in rows]
    assert [row["Agents: first, second"] for row in found] == ["a, b", "c, d"]
    assert [row["Throughput, second − first (tok/s)"][:3] for row in found] == ["+10", "−10"]


# Agents without a record


def test_a_count_of_agents_takes_no_memory(record: RecordFactory) -> None:
    found = summarise_records(foreign(record, agents=10**15))
    (pair,) = found.pair_configurations
    assert pair.runs_complete == 0 and pair.speedup is None
    assert {one.why for one in pair.incomplete} == {f"no record of {10**15 - 2:d} further agents"}


def test_legacy_figures_of_two_are_none_of_three(record: RecordFactory) -> None:
    runs = list(summarise_records(foreign(record)).configurations[0].over_runs.runs)
    assert legacy_pair(runs).throughput_delta is not None and legacy_pair(runs).speedup is not None
    of_three = legacy_pair(runs, 1)
    assert of_three.throughput_delta is None and of_three.speedup is None and of_three.sequential_s is None
    assert legacy_pair(runs[:1], 1).throughput_delta is None


@pytest.mark.parametrize("broken_by", ["failed", "one more agent"])
def test_an_incomplete_run_tells_no_tokens_of_all(record: RecordFactory, broken_by: str) -> None:
    records = foreign(record, agents=3 if broken_by == "one more agent" else 2)
    if broken_by == "failed":
        records = [
            r.model_copy(update={"outcome": Outcome.ABORTED})
            if (r.agent, r.run, r.stage) == ("b", 1, "report")
            else r
            for r in records
        ]
    first, second = summarise_records(records).pairs
    assert first.why_incomplete is not None
    assert first.tokens is None and first.system_tok_s is None
    assert first.wall_s == 20.0
    assert (second.tokens is None) == (second.why_incomplete is not None) == (broken_by != "failed")


# Online and offline


def test_agents_stand_as_planned_whatever_is_recorded_of_them() -> None:
    made = pair_sweep(runs=3)
    planned = [(c.name, role.label) for c in made.manifest.configurations for role in c.agents]
    first = next(r.run for r in made.records if r.config == "default")
    for left in (
        [r for r in made.records if (r.config, r.agent) != ("default", "A")],
        [r for r in made.records if (r.config, r.agent, r.run) != ("default", "A", first)],
        list(made.records[::-1]),
    ):
        found = summarise_records(left, manifest=made.manifest)
        assert [(c.config, c.agent) for c in found.configurations] == planned


def test_the_order_of_summaries_changes_no_byte_of_the_sweeps() -> None:
    made = broken()
    planned = made.manifest.runs_planned()
    summaries = [
        summarise_configuration(
            [r for r in made.records if (r.config, r.agent) == (c.name, role.label)],
            configuration=c,
            agent=role.label,
            runs_planned=planned[c.name],
            workload=made.manifest.spec.workload,
        )
        for c in made.manifest.configurations
        for role in c.agents
    ]
    here = summarise_sweep(summaries, made.manifest).model_dump_json()
    assert summarise_sweep(summaries[::-1], made.manifest).model_dump_json() == here
