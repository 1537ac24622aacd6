"""The aggregator on a real store: whatever was prepared, the summary is that of the stages."""

from __future__ import annotations

import random
from typing import Any

from analysis.prepared import prepare
from analysis.rendering import render_json
from analysis.summary import summarise_records
from benchmarks.aggregation import manifest, outcome
from contracts.jobs import JobMaker
from contracts.outcome import JobOutcome
from contracts.records import records_of
from contracts.store import Store
from worker.aggregation import aggregate_configuration, finalise

RUNS = 3
PLAN = manifest(10, RUNS)
MAKER = JobMaker.of(PLAN, "")


class Sent:
    finalised = 0

    def finalise(self) -> None:
        self.finalised += 1

    def publish_block(self, block: int, units: list[Any]) -> None:
        raise AssertionError

    def decide(self, block: int) -> None:
        raise AssertionError


def outcomes() -> list[JobOutcome]:
    rng = random.Random(5)
    return [
        outcome(c, run, 10 * run + place, rng).model_copy(
            update={"execution": PLAN.execution, "job_id": job_id}
        )
        for place, c in enumerate(PLAN.configurations)
        for run, job_id in enumerate(MAKER.job_ids(c, RUNS), start=1)
    ]


def aggregate(store: Store, sent: Sent) -> list[dict[str, Any]]:
    return [aggregate_configuration(store, PLAN.execution, c.id, sent) for c in PLAN.configurations]


def text_of(store: Store, name: str) -> str:
    return b"".join(dict(store.documents(PLAN.execution))[name]).decode()


def test_the_summary_is_that_of_the_stages_however_many_runs_are_prepared(store: Store) -> None:
    store.begin(PLAN)
    made = outcomes()
    for place, one in enumerate(made):
        store.put_outcome(one)
        if place % 3:
            store.put_ahead(PLAN.execution, prepared={one.job_id: prepare(one)}, checked={})
    sent = Sent()
    assert [answer["due"] for answer in aggregate(store, sent)] == list(range(9, -1, -1))
    assert sent.finalised == 1
    assert finalise(store, PLAN.execution)["configurations"] == 10
    finished = store.manifest(PLAN.execution)
    assert finished is not None and [slot.slot for slot in finished.slots] == [f"s{n}" for n in range(8)]
    expected = summarise_records([r for one in made for r in records_of(one)], finished)
    assert text_of(store, "summary.json") == render_json(expected)


def test_an_old_callback_with_outcomes_missing_does_nothing(store: Store) -> None:
    store.begin(PLAN)
    for one in outcomes()[1:]:
        store.put_outcome(one)
    first = aggregate_configuration(store, PLAN.execution, PLAN.configurations[0].id, Sent())
    assert first == {"configuration": PLAN.configurations[0].name, "missing": 1}
    assert store.due(PLAN.execution)[PLAN.configurations[0].id] == RUNS


def test_a_cancelled_execution_is_summarised_as_far_as_it_came(store: Store) -> None:
    store.begin(PLAN)
    for one in outcomes()[:4]:
        store.put_outcome(one)
    assert store.cancel(PLAN.execution, "cancelled by hand")
    sent = Sent()
    aggregate(store, sent)
    assert sent.finalised >= 1
    finalise(store, PLAN.execution)
    report = text_of(store, "report.md")
    assert "**Ended before its time:** cancelled by hand; 26 of 30 planned runs are missing" in report
    assert "8 of 10 configurations have no run" in report
