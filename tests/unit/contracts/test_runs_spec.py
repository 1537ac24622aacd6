from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.sweep import RunsSpec, SweepSpec
from tests.support.sweeps import sweep_tree


def spec(runs: Any) -> SweepSpec:
    return SweepSpec.model_validate(sweep_tree(runs=runs))


def test_a_number_of_runs_is_a_number() -> None:
    fixed = spec(5)
    assert (fixed.runs, fixed.first_runs, fixed.most_runs, fixed.until_precise) == (5, 5, 5, None)
    assert fixed.until == {} and fixed.max_jobs is None


def test_runs_until_precise() -> None:
    adaptive = spec({"min": 4, "max": 20, "until": {"throughput": "1%", "ttft": 0.05}, "max_time": "90min"})
    assert (adaptive.first_runs, adaptive.most_runs) == (4, 20)
    assert adaptive.until == {"throughput": 0.01, "ttft": 0.05}
    assert adaptive.until_precise is not None and adaptive.until_precise.max_time == 5400


def test_the_defaults_are_3_to_30() -> None:
    adaptive = spec({"until": {"ttft": "5%"}})
    assert (adaptive.first_runs, adaptive.most_runs, adaptive.max_jobs) == (3, 30, None)


@pytest.mark.parametrize(
    "runs", [3, {"until": {"itl": "2.5%"}}, {"min": 2, "max": 9, "until": {"energy": 0.3}, "max_jobs": 40}]
)
def test_a_spec_reads_back_as_the_same(runs: Any) -> None:
    made = spec(runs)
    assert SweepSpec.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    ("written", "fraction"), [("1%", 0.01), ("7 %", 0.07), ("0.3%", 0.003), (".5%", 0.005), (0.25, 0.25)]
)
def test_a_percentage_is_its_fraction_to_the_last_digit(written: Any, fraction: float) -> None:
    assert spec({"until": {"ttft": written}}).until == {"ttft": fraction}


@pytest.mark.parametrize("written", ["0%", "100%", "x", "1", 1, 5, 0, -0.1, True, None, float("nan"), [1]])
def test_what_is_no_precision_is_refused(written: Any) -> None:
    with pytest.raises(ValidationError, match="must be a percentage between 0% and 100%"):
        spec({"until": {"ttft": written}})


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(90, 90), (0.5, 0.5), ("30s", 30), ("90min", 5400), ("1.5h", 5400), ("2 d", 172_800)],
)
def test_a_time_has_a_unit_or_is_in_seconds(written: Any, seconds: float) -> None:
    assert RunsSpec.model_validate({"until": {"ttft": "5%"}, "max_time": written}).max_time == seconds


@pytest.mark.parametrize("written", ["2 hours", "2m", "h", "", True, 0, -1, "400d"])
def test_what_is_no_time_is_refused(written: Any) -> None:
    with pytest.raises(ValidationError, match="max_time"):
        spec({"until": {"ttft": "5%"}, "max_time": written})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"min": 1}, "greater than or equal to 2"),
        ({"min": 5, "max": 4}, r"max \(4\) is less than min \(5\)"),
        ({"max": 10_001}, "less than or equal to 10000"),
        ({"until": {}}, "at least 1 item"),
        ({"until": {"speed": "1%"}}, "'throughput', 'ttft', 'itl', 'duration' or 'energy'"),
        ({"max_jobs": 0}, "greater than or equal to 1"),
        ({"maximum": 3}, "Extra inputs"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec({"until": {"ttft": "5%"}} | changes)


def test_a_baseline_names_at_least_one_axis() -> None:
    with pytest.raises(ValidationError, match="names no axis"):
        SweepSpec.model_validate(sweep_tree(baseline={}))
    made = SweepSpec.model_validate(sweep_tree(baseline={"temperature": "default"}))
    assert made.baseline is not None and made.baseline.named() == {"temperature": None}
