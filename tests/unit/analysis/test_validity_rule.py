"""Which calls are measurements."""

from __future__ import annotations

import pytest

from analysis import validity
from analysis.validity import is_no_measurement
from contracts.call import Outcome
from contracts.records import StageRecord
from tests.support.factories import RecordFactory


def infer_outcome(row: StageRecord) -> tuple[Outcome, str | None, bool]:
    return validity.infer_outcome(
        row.outcome, row.reason, row.tokens, nothing=is_no_measurement(row), chars=row.response_chars
    )


COUNTERS = ("tokens", "prompt_eval_ms", "eval_ms", "load_ms")


@pytest.mark.parametrize("empty", [None, 0])
def test_without_counters_there_is_no_measurement(record: RecordFactory, empty: int | None) -> None:
    row = record(outcome=None, response_chars=4813, **dict.fromkeys(COUNTERS, empty))
    outcome, reason, inferred = infer_outcome(row)
    assert outcome is Outcome.ABORTED
    assert reason == "no final record from the server (all counters missing or zero) after 4813 characters"
    assert inferred


def test_the_reason_invents_no_length(record: RecordFactory) -> None:
    row = record(outcome=None, response_chars=None, **dict.fromkeys(COUNTERS))
    assert infer_outcome(row)[1] == "no final record from the server (all counters missing or zero)"


@pytest.mark.parametrize("counter", COUNTERS)
def test_one_counter_is_enough(record: RecordFactory, counter: str) -> None:
    row = record(outcome=None, **{**dict.fromkeys(COUNTERS), counter: 5})
    assert infer_outcome(row) == (Outcome.OK, None, True)


@pytest.mark.parametrize("outcome", [o for o in Outcome if not o.valid])
def test_a_recorded_failure_stands(record: RecordFactory, outcome: Outcome) -> None:
    assert infer_outcome(record(outcome=outcome, reason="because")) == (outcome, "because", False)


def test_a_server_without_counters_can_be_ok(record: RecordFactory) -> None:
    row = record(outcome="ok", **dict.fromkeys(COUNTERS))
    assert infer_outcome(row) == (Outcome.OK, None, False)


@pytest.mark.parametrize("outcome", ["ok", "truncated"])
def test_zero_tokens_contradict_a_valid_outcome(record: RecordFactory, outcome: str) -> None:
    row = record(outcome=outcome, **dict.fromkeys(COUNTERS, 0))
    assert infer_outcome(row)[0] is Outcome.ABORTED


def test_what_is_valid() -> None:
    assert {o for o in Outcome if o.valid} == {Outcome.OK, Outcome.TRUNCATED}
