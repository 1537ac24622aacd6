"""Decisions on blocks against a real store: made once, whatever is delivered twice or lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts.store import Store
from tests.support.rounds import LOUD, QUIET, Sent, Sweep, figures
from worker.aggregation import finalise
from worker.rounds import decide, go_on


@pytest.fixture
def sweep(tmp_path: Path, corpus: Path, store: Store) -> Sweep:
    return Sweep(tmp_path, store)


def test_a_block_holds_those_that_still_need_runs(sweep: Sweep) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    sweep.decide(4)
    ((block, units),) = sweep.sent.blocks
    assert block == 4
    (job,) = sweep.jobs(units)
    assert (job.configuration.id, job.run, job.block) == (sweep.second, 4, 4)
    assert sweep.store.due(sweep.execution) == {sweep.second: 4}
    (one,) = sweep.store.rounds(sweep.execution)
    assert [listed.job_id for listed in one.jobs] == [job.job_id]
    assert one.why.startswith("block 4: 1 of 2 configurations still needs runs (throughput ±")
    assert {s.configuration: s.more for s in one.standings} == {
        "temperature=0.2": False,
        "temperature=0.8": True,
    }


def test_deciding_twice_is_deciding_once(sweep: Sweep) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    sweep.decide(4)
    before = sweep.store.rounds(sweep.execution)
    sweep.decide(4)
    assert sweep.store.rounds(sweep.execution) == before
    first, second = sweep.sent.blocks
    assert first == second  # the same ids: the same messages


def test_a_decision_delivered_late_publishes_nothing_that_is_done(sweep: Sweep) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    sweep.decide(4)
    (_, units) = sweep.sent.blocks.pop()
    sweep.do(sweep.jobs(units))
    assert sweep.decide(4)["jobs"] == 0
    sweep.summarise(sweep.second, (*LOUD, 120.0))
    sweep.decide(5)
    assert [block for block, _ in sweep.sent.blocks] == [5]
    assert sweep.decide(4)["jobs"] == 0
    assert [one.block for one in sweep.store.rounds(sweep.execution)] == [4, 5]


def test_nothing_is_decided_before_its_time(sweep: Sweep) -> None:
    sweep.do(sweep.jobs())
    sweep.summarise(sweep.first, LOUD)
    assert sweep.decide(4) == {"block": 4, "decided": False}  # the second's summary is due
    sweep.summarise(sweep.second, LOUD)
    assert sweep.decide(5) == {"block": 5, "decided": False}  # 4 comes first
    assert sweep.store.rounds(sweep.execution) == [] and sweep.sent.blocks == []


def test_two_deciders_at_once_publish_the_same(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep.to_the_first_decision(LOUD, LOUD)
    put = Store.put_round
    other = Sent()

    def overtaken(self: Store, *arguments: Any) -> Any:
        monkeypatch.setattr(Store, "put_round", put)
        decide(self, other, sweep.execution, 4)
        return put(self, *arguments)

    monkeypatch.setattr(Store, "put_round", overtaken)
    sweep.decide(4)
    assert sweep.sent.blocks == other.blocks
    assert len(sweep.store.rounds(sweep.execution)) == 1
    assert sweep.store.due(sweep.execution) == {sweep.first: 4, sweep.second: 4}


def test_the_last_decision_ends_the_execution(sweep: Sweep) -> None:
    sweep.to_the_first_decision(QUIET, QUIET)
    sweep.decide(4)
    assert sweep.sent.blocks == [] and sweep.sent.finalised == 1
    (one,) = sweep.store.rounds(sweep.execution)
    assert one.jobs == () and one.why == "of 2 configurations: 2 precise"
    sweep.decide(5)
    go_on(sweep.store, sweep.sent, sweep.manifest)
    assert sweep.sent.finalised == 1 and sweep.sent.decisions == []
    assert len(sweep.store.rounds(sweep.execution)) == 1


def test_whoever_sees_the_last_summary_asks_for_the_decision_once(sweep: Sweep) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    for _ in range(3):
        go_on(sweep.store, sweep.sent, sweep.manifest)
    assert sweep.sent.decisions == [4] and sweep.sent.finalised == 0


def test_the_report_waits_for_the_last_decision(sweep: Sweep) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    assert finalise(sweep.store, sweep.execution)["undecided"] == 4
    assert sweep.store.status(sweep.execution) == "running"


def test_the_sweeps_limits_hold(tmp_path: Path, corpus: Path, store: Store) -> None:
    sweep = Sweep(tmp_path, store, max_jobs=7)
    sweep.to_the_first_decision(LOUD, LOUD)
    sweep.decide(4)
    assert sweep.sent.blocks == [] and sweep.sent.finalised == 1
    made = sweep.manifest.with_rounds(store.rounds(sweep.execution))
    assert {s.stopped for s in made.standings} == {"most jobs"}
    assert made.ended_because is not None and "max_jobs 7" in made.ended_because


def test_an_abandoned_execution_decides_nothing(sweep: Sweep) -> None:
    sweep.to_the_first_decision(LOUD, LOUD)
    sweep.store.abandon(sweep.execution)
    assert sweep.decide(4) == {"block": 4, "decided": False}
    assert sweep.sent.blocks == [] and sweep.store.rounds(sweep.execution) == []


def test_what_was_decided_of_an_abandoned_execution_is_not_published(sweep: Sweep) -> None:
    sweep.to_the_first_decision(LOUD, LOUD)
    sweep.decide(4)
    sweep.store.abandon(sweep.execution)
    sweep.sent.blocks.clear()
    sweep.decide(4)
    assert sweep.sent.blocks == []


# --- the store's part -----------------------------------------------------------------------


def test_a_summary_counts_once_and_only_if_it_is_the_one_that_is_due(sweep: Sweep) -> None:
    assert sweep.store.due(sweep.execution) == {sweep.first: 3, sweep.second: 3}
    assert sweep.summarise(sweep.first, LOUD[:2]) == 2  # of too few runs
    assert sweep.store.summaries(sweep.execution) == {}
    assert sweep.summarise(sweep.first, LOUD) == 1
    assert sweep.summarise(sweep.first, QUIET) == 1
    assert sweep.store.figures(sweep.execution) == {sweep.first: figures(LOUD)}
    assert sweep.summarise(sweep.second, LOUD) == 0


def test_an_old_summary_never_replaces_a_newer_one(sweep: Sweep) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    sweep.decide(4)
    assert sweep.summarise(sweep.second, LOUD) == 1
    assert sweep.summarise(sweep.second, (*LOUD, 90.0)) == 0
    assert sweep.summarise(sweep.second, LOUD) == 0
    assert sweep.store.figures(sweep.execution)[sweep.second] == figures((*LOUD, 90.0))


def test_time_runs_from_each_generations_start_to_its_newest_outcome(sweep: Sweep) -> None:
    assert sweep.store.spent_s(sweep.execution) == 0
    state = f"chimera:x:{sweep.execution}:state"
    began = int(str(sweep.store.client.hget(state, "began_ms")))
    sweep.store.client.hset(state, "newest_ms", began + 7000)
    assert sweep.store.spent_s(sweep.execution) == 7
    sweep.store.next_generation(sweep.execution)  # what lies in between does not count
    assert sweep.store.spent_s(sweep.execution) == 7
    began = int(str(sweep.store.client.hget(state, "began_ms")))
    sweep.store.client.hset(state, "newest_ms", began + 500)
    assert sweep.store.spent_s(sweep.execution) == 7.5
    sweep.do(sweep.jobs()[:1])
    assert 7 <= sweep.store.spent_s(sweep.execution) < 60


def test_manifest_and_rounds_list_every_job_once(sweep: Sweep) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    sweep.decide(4)
    rounds = sweep.store.rounds(sweep.execution)
    made = sweep.manifest.with_rounds(rounds)
    assert made.runs_planned() == {"temperature=0.2": 3, "temperature=0.8": 4}
    assert made.with_rounds(rounds) == made
    listed = list(sweep.maker.listed(sweep.maker.units(rounds)))
    assert len({job.job_id for job in listed}) == len(listed) == 7
    assert listed[-1:] == list(rounds[0].jobs)
