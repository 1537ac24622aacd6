"""Records of several agents in one configuration, and of an agent alone."""

from __future__ import annotations

from analysis.models import SweepSummary
from analysis.stored import read_stored, stored
from analysis.summary import summarise_configuration, summarise_records
from contracts.configuration import AgentRole, Configuration, Parameters
from tests.support.factories import RecordFactory

ROLES = tuple(AgentRole(label=label, persona=f"You are {label}.", model="m:1") for label in ("A", "B"))
TOGETHER = Configuration(name="c", model="m:1", agents=ROLES)


def of_pair(record: RecordFactory, runs: int = 3) -> SweepSummary:
    records = [
        record(
            config=config,
            agent=agent,
            run=run,
            stage=stage,
            agents=agents,
            throughput_tok_s=rate + run,
            eval_ms=1e6 / (rate + run),
            exec_s=11.0,
            wall_s=12.0,
        )
        for run in range(1, runs + 1)
        for config, agent, agents, rate in (
            ("c", "A", 2, 40),
            ("c", "B", 2, 42),
            ("solo=A", "A", 1, 110),
            ("solo=B", "B", 1, 112),
        )
        for stage in ("analysis", "report")
    ]
    return summarise_records(records)


def test_each_agent_of_a_configuration_is_summarised(record: RecordFactory) -> None:
    summary = of_pair(record)
    assert [(c.config, c.agent, c.agents) for c in summary.configurations] == [
        ("c", "A", 2),
        ("c", "B", 2),
        ("solo=A", "A", 1),
        ("solo=B", "B", 1),
    ]


def test_an_agent_alone_is_in_no_ranking_and_no_comparison(record: RecordFactory) -> None:
    summary = of_pair(record)
    ranked = [(r.rank, r.config, r.agent) for r in summary.ranking if r.rank is not None]
    assert ranked == [(1, "c", "A"), (1, "c", "B")]  # nobody chooses between agents
    assert {r.why for r in summary.ranking if r.rank is None} == {"measured alone, to compare with"}
    assert summary.comparisons == () and summary.baseline is None
    assert "solo" not in summary.verdict


def test_what_the_pair_is_made_of_is_in_the_runs(record: RecordFactory) -> None:
    rows = [
        record(
            run=1, stage="analysis", agents=2, exec_s=3.0, wall_s=4.0, sent_ns=10**9, total_duration_ms=1000.0
        ),
        record(
            run=1,
            stage="report",
            agents=2,
            exec_s=3.0,
            wall_s=4.0,
            sent_ns=2 * 10**9,
            total_duration_ms=500.0,
            outcome="aborted",
            throughput_tok_s=None,
            ttft_ms=900.0,
        ),
    ]
    (run,) = summarise_configuration(rows).over_runs.runs
    assert (run.exec_s, run.wall_s) == (3.0, 4.0)
    assert run.busy_ns == ((10**9, 2 * 10**9), (2 * 10**9, 2_500_000_000))
    assert (run.recorded_rate, run.recorded_ttft_ms) == (100.0, 700.0)


def test_calls_that_do_not_tell_when_make_the_times_unknown(record: RecordFactory) -> None:
    rows = [record(run=1, agents=2, sent_ns=10**9), record(run=1, stage="report", agents=2)]
    (run,) = summarise_configuration(rows).over_runs.runs
    assert run.busy_ns is None


def test_without_a_record_each_agent_has_its_summary() -> None:
    for role in ROLES:
        made = summarise_configuration((), configuration=TOGETHER, agent=role.label, runs_planned=2)
        assert (made.agent, made.agents, made.persona, made.runs) == (role.label, 2, role.persona, 0)
    alone = Configuration(name="solo=A", model="m:2", parameters=Parameters(top_k=3), agents=ROLES[:1])
    made = summarise_configuration((), configuration=alone)
    assert (made.agent, made.agents, made.model) == ("A", 1, "m:1")


def test_the_summaries_of_all_agents_are_stored_together(record: RecordFactory) -> None:
    both = of_pair(record).configurations[:2]
    assert tuple(read_stored(*stored(both))) == both
    texts, _ = stored(both)
    assert [c.over_runs.runs for c in read_stored(texts, None)] == [(), ()]


def test_configurations_are_ranked_for_each_agent(record: RecordFactory) -> None:
    rates = {("x", "A"): 40, ("x", "B"): 52, ("y", "A"): 44, ("y", "B"): 48}
    records = [
        record(
            config=config,
            agent=agent,
            run=run,
            agents=2,
            eval_ms=1e6 / (rate + run / 10),
            exec_s=11.0,
            wall_s=12.0,
        )
        for run in range(1, 6)
        for (config, agent), rate in rates.items()
    ]
    summary = summarise_records(records)
    assert [(r.rank, r.config, r.agent) for r in summary.ranking] == [
        *((1, "y", "A"), (2, "x", "A")),
        *((1, "x", "B"), (2, "y", "B")),
    ]
    for ranked in summary.ranking:
        if ranked.comparison is not None:
            assert (ranked.comparison.agent, ranked.comparison.verdict) == (ranked.agent, "worse")
    assert "A: y is the fastest" in summary.verdict and "B: x is the fastest" in summary.verdict
    (answer,) = [finding for finding in summary.findings if finding.rule.startswith("best:")]
    assert answer.text == summary.verdict
