"""Texts that are checked when their outcome arrives: the same summary, and nothing is checked twice."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from analysis import grounded
from analysis.grounding import Grounder
from analysis.rendering import render_json
from analysis.summary import summarise_records
from benchmarks.aggregation import manifest
from contracts.facts import Facts
from contracts.outcome import JobOutcome
from contracts.records import records_of
from contracts.store import Store
from tests.unit.analysis.test_aggregator import Sent, outcomes
from worker import ahead
from worker.aggregation import aggregate_configuration, finalise

PLAN = manifest(10, 3)
FACTS = Facts(
    files_total=4, counts={"csv": 4, "json": 0, "md": 0}, modified={}, files=(), dates=(), series=()
)
TEXTS = ("A short answer about 3 files.", "All 4 CSV files were read in 2025.", "Nothing here.")


def with_calls(one: JobOutcome, **changes: str) -> JobOutcome:
    stages = tuple(
        stage.model_copy(update={"call": stage.call.model_copy(update=changes)}) if stage.call else stage
        for stage in one.stages
    )
    return one.model_copy(update={"stages": stages})


@pytest.fixture
def made() -> list[JobOutcome]:
    return [with_calls(one, text=TEXTS[place % len(TEXTS)]) for place, one in enumerate(outcomes())]


@pytest.fixture
def texts_checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    plain = Grounder.ground

    def noted(self: Grounder, text: str) -> object:
        found.append(text)
        return plain(self, text)

    monkeypatch.setattr(Grounder, "ground", noted)
    return found


def summary(store: Store, made: Sequence[JobOutcome]) -> tuple[str, str]:
    """As the aggregator makes it, and as it is made of the stages."""
    for c in PLAN.configurations:
        aggregate_configuration(store, PLAN.execution, c.id, Sent())
    finalise(store, PLAN.execution)
    finished = store.manifest(PLAN.execution)
    expected = summarise_records([r for one in made for r in records_of(one)], finished, facts=FACTS)
    return b"".join(dict(store.documents(PLAN.execution))["summary.json"]).decode(), render_json(expected)


def put(store: Store, made: Sequence[JobOutcome]) -> None:
    store.begin(PLAN, FACTS)
    for one in made:
        store.put_outcome(one)


def test_what_was_checked_ahead_is_not_checked_again(
    store: Store, made: list[JobOutcome], texts_checked: list[str]
) -> None:
    put(store, made)
    assert [ahead.work_ahead(store, PLAN.execution, 20) for _ in range(3)] == [20, 10, 0]
    before = len(texts_checked)
    assert before == sum(stage.stage not in ("warmup", "ingest") for one in made for stage in one.stages)
    for c in PLAN.configurations:
        aggregate_configuration(store, PLAN.execution, c.id, Sent())
    assert len(texts_checked) - before == 4 * len(PLAN.configurations), "those of the run that is shown"


def test_the_summary_is_the_same_however_much_was_checked_ahead(store: Store, made: list[JobOutcome]) -> None:
    put(store, made)
    ahead.work_ahead(store, PLAN.execution, 17)
    by_aggregator, of_stages = summary(store, made)
    assert by_aggregator == of_stages
    rates = [c["grounding"] for c in json.loads(by_aggregator)["configurations"]]
    assert sum(rate["supported"] for rate in rates) and sum(rate["not_found"] for rate in rates)


def test_what_was_found_in_another_text_is_not_used(store: Store, made: list[JobOutcome]) -> None:
    put(store, made)
    for one in made:
        other = with_calls(one, text="3 files and 7 more of 99.", text_hash="0" * 16)
        _, found = ahead.made_of(store, other)
        assert found is not None
        store.put_ahead(PLAN.execution, prepared={}, checked={one.job_id: found})
    by_aggregator, of_stages = summary(store, made)
    assert by_aggregator == of_stages


def test_what_other_rules_found_is_not_used(
    store: Store, made: list[JobOutcome], texts_checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, made)
    ahead.work_ahead(store, PLAN.execution, len(made))
    before = len(texts_checked)
    monkeypatch.setattr(grounded, "RULES", grounded.RULES + 1)
    aggregate_configuration(store, PLAN.execution, PLAN.configurations[0].id, Sent())
    assert len(texts_checked) - before == 3 * 4


def test_only_what_counts_for_good_is_worked_on(store: Store, made: list[JobOutcome]) -> None:
    store.begin(PLAN, FACTS)
    store.put_outcome(made[1].model_copy(update={"stages": (), "problem": "its worker died"}))
    assert store.take_new(PLAN.execution, 10) == []
    store.put_outcome(made[1])
    store.put_outcome(made[1].model_copy(update={"attempt": 2}))
    assert store.take_new(PLAN.execution, 10) == [made[1].job_id]


def test_without_facts_runs_are_prepared_and_no_text_is_checked(
    store: Store, made: list[JobOutcome], texts_checked: list[str]
) -> None:
    store.begin(PLAN)
    store.put_outcome(made[0])
    assert ahead.work_ahead(store, PLAN.execution, 10) == 1
    x = PLAN.execution
    assert store.client.hlen(f"chimera:x:{x}:prepared") == 1
    assert not texts_checked and not store.client.exists(f"chimera:x:{x}:checked")
