"""The designs: what they ask for, and why they stop."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.design import Decision, Design, FixedRuns, Known, Measured, UntilPrecise, design_of, precision
from analysis.design.until_precise import EQUAL_RUNS, HOPELESS_AT_FIRST, HOPELESS_IN_A_ROW
from analysis.metrics import BY_KEY, BY_SHORT, METRICS, UNGROUNDED
from analysis.models import OverRuns, RunFigures
from analysis.models.statistics import Precision
from analysis.statistics.description import Description, describe
from contracts.configuration import Configuration, Parameters
from contracts.sweep import RunsSpec, SweepSpec, UntilMetric
from tests.support.sweeps import sweep_tree

Value = float | None
"""A run's throughput; ``None``: the run is not complete."""


def points(count: int) -> list[Configuration]:
    return [
        Configuration(name=f"top_k={k}", model="m", parameters=Parameters(top_k=k))
        for k in range(1, count + 1)
    ]


def figures(values: Sequence[Value], **more: Any) -> OverRuns:
    runs = tuple(
        RunFigures(
            run=run,
            complete=value is not None,
            calls=2,
            valid_calls=0 if value is None else 2,
            throughput_tok_s=value,
            ttft_ms=None if value is None else 1000 / value,
            **more,
        )
        for run, value in enumerate(values, start=1)
    )
    return OverRuns(
        throughput_tok_s=describe(values),
        throughput_method="mean_of_call_rates",
        ttft_ms=Description.none(),
        runs=runs,
    )


def by_sd(over_runs: OverRuns, until: Mapping[str, float], last: int) -> tuple[Precision, ...]:
    """A stand-in for the confidence sequence: 2 sd / √n of the mean, from two values on."""
    found = []
    for name, target in until.items():
        key = BY_SHORT[name].key
        known = [v for run in over_runs.runs if run.complete and (v := getattr(run, key)) is not None]
        reached = None
        if len(known) > 1 and min(known) < max(known):
            reached = 2 * statistics.stdev(known) / len(known) ** 0.5 / statistics.fmean(known)
        found.append(
            Precision(
                metric=key,
                target_percent=100 * target,
                reached_percent=None if reached is None else 100 * reached,
                reached=reached is not None and reached <= target,
            )
        )
    return tuple(found)


def known(values: Mapping[str, Sequence[Value]], spent_s: float = 0.0, **more: Any) -> Known:
    measured = {key: Measured(len(some), figures(some, **more)) for key, some in values.items() if some}
    return Known(measured, spent_s)


def spec(**changes: Any) -> RunsSpec:
    return RunsSpec.model_validate({"min": 3, "max": 30, "until": {"throughput": "1%"}} | changes)


def decided(
    values: Sequence[Sequence[Value]], *, spent_s: float = 0.0, **changes: Any
) -> tuple[UntilPrecise, Decision]:
    some = points(len(values))
    design = UntilPrecise(some, spec(**changes), by_sd)
    design.tell(known({c.id: v for c, v in zip(some, values, strict=True)}, spent_s))
    return design, design.decide()


QUIET = (100.0, 100.01, 100.02)
LOUD = (100.0, 140.0, 60.0)


# --- fixed ----------------------------------------------------------------------------------


def test_fixed_runs_are_asked_for_at_once_and_then_no_more() -> None:
    some = points(2)
    design: Design = FixedRuns(some, 3)
    assert [[(r.configuration.id, r.run) for r in block] for block in design.ask()] == [
        [(c.id, run) for c in some] for run in (1, 2, 3)
    ]
    assert not design.decide().finished
    design.tell(known({c.id: (1.0, 50.0, None) for c in some}))
    assert design.ask() == () and design.decide().finished


def test_fixed_runs_that_are_missing_are_asked_for() -> None:
    some = points(2)
    design = FixedRuns(some, 3)
    design.tell(known({some[0].id: (1.0, 1.0, 1.0), some[1].id: (1.0,)}))
    assert [[(r.configuration.id, r.run) for r in block] for block in design.ask()] == [
        [(some[1].id, 2)],
        [(some[1].id, 3)],
    ]


# --- until precise --------------------------------------------------------------------------


def test_at_first_every_configuration_gets_the_least_runs() -> None:
    some = points(4)
    blocks = UntilPrecise(some, spec(min=2), by_sd).ask()
    assert [len(block) for block in blocks] == [4, 4]
    assert [{r.run for r in block} for block in blocks] == [{1}, {2}]


def test_only_those_that_are_not_precise_get_another_run() -> None:
    design, decision = decided([QUIET, LOUD, QUIET])
    (block,) = design.ask()
    assert [(r.configuration.name, r.run) for r in block] == [("top_k=2", 4)]
    assert not decision.finished
    assert decision.why == "1 of 3 configurations still needs runs (throughput ±46 % > 1 %)"
    assert [(s.more, s.stopped) for s in decision.standings] == [
        (False, "precise"),
        (True, None),
        (False, "precise"),
    ]
    assert decision.standings[0].why == "throughput ±0.012 % ≤ 1 %"


def test_every_metric_must_be_precise() -> None:
    until = {"throughput": "60%", "ttft": "1%"}
    design, decision = decided([LOUD], until=until)
    assert design.ask() and not decision.finished
    assert "ttft" in decision.why and "throughput" not in decision.why


def test_no_configuration_goes_beyond_the_most_runs() -> None:
    design, decision = decided([LOUD], max=3)
    assert design.ask() == () and decision.finished
    assert decision.standings[0].stopped == "most runs"
    assert decision.why == "of 1 configuration: 1 stopped at the most runs"


def test_a_block_that_would_go_beyond_the_jobs_is_not_begun_at_all() -> None:
    for limit, begins in ((7, False), (8, True)):
        design, decision = decided([LOUD, LOUD], max_jobs=limit)
        assert bool(design.ask()) is begins is not decision.finished
    assert {s.stopped for s in decided([LOUD, LOUD], max_jobs=7)[1].standings} == {"most jobs"}


def test_no_block_is_begun_when_the_time_is_over() -> None:
    assert decided([LOUD], max_time=100, spent_s=99.9)[0].ask()
    design, decision = decided([LOUD], max_time=100, spent_s=100)
    assert design.ask() == () and decision.standings[0].stopped == "time"
    assert "max_time is 100 s" in decision.why


def test_the_least_runs_are_made_whatever_the_limits() -> None:
    design, decision = decided([LOUD[:2], LOUD], max_time=1, max_jobs=1, spent_s=1000)
    assert [(r.configuration.name, r.run) for block in design.ask() for r in block] == [("top_k=1", 3)]
    assert not decision.finished


@pytest.mark.parametrize(
    ("values", "hopeless"),
    [
        ([None] * HOPELESS_AT_FIRST, "none of its 3 runs is complete"),
        ([None] * 2 + [100.0], None),
        ([100.0, 90.0] + [None] * (HOPELESS_IN_A_ROW - 1), None),
        ([100.0, 90.0] + [None] * HOPELESS_IN_A_ROW, "none of its last 5 runs is complete"),
        ([100.0] + [None] * 4 + [90.0] + [None] * 4, None),
    ],
)
def test_what_fails_again_and_again_is_given_up(values: list[Value], hopeless: str | None) -> None:
    _, decision = decided([values])
    assert decision.finished is (hopeless is not None)
    standing = decision.standings[0]
    assert (standing.stopped, standing.why if standing.stopped else None) == (
        ("hopeless", hopeless) if hopeless else (None, None)
    )


def test_a_metric_that_no_run_tells_is_given_up() -> None:
    _, decision = decided([QUIET], until={"throughput": "1%", "energy": "5%"})
    assert decision.standings[0].stopped == "hopeless"
    assert decision.standings[0].why == "none of its 3 runs tells energy"


def test_a_metric_without_any_spread_is_not_waited_for_and_not_called_precise() -> None:
    _, decision = decided([[7.0] * EQUAL_RUNS])
    assert (decision.standings[0].stopped, decision.finished) == ("no spread", True)
    assert decision.standings[0].why == "throughput is equal in all 3 runs"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_the_runs_show_the_rules_hold(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 4))
    least = data.draw(st.integers(2, 4))
    most = data.draw(st.integers(max(least, 3), 9))
    max_jobs = data.draw(st.none() | st.integers(1, 40))
    max_time = data.draw(st.none() | st.floats(1, 60))
    limits = spec(min=least, max=most, max_jobs=max_jobs, max_time=max_time)
    some = points(count)
    value = st.none() | st.floats(90, 110)
    values: dict[str, list[Value]] = {c.id: [] for c in some}
    spent_s = 0.0
    stopped: dict[str, int] = {}
    for _ in range(most + 1):
        design, again = UntilPrecise(some, limits, by_sd), UntilPrecise(some, limits, by_sd)
        design.tell(known(values, spent_s))
        again.tell(known(dict(reversed(values.items())), spent_s))
        asked, decision = design.ask(), design.decide()
        assert asked == design.ask() == again.ask() and decision == again.decide()
        assert (asked == ()) is decision.finished is not any(s.more for s in decision.standings)
        if decision.finished:
            break
        jobs = sum(map(len, values.values()))
        for block in asked:
            names = [r.configuration.id for r in block]
            assert len(set(names)) == len(names)
            for request in block:
                assert request.run == len(values[request.configuration.id]) + 1 <= most
                assert request.configuration.id not in stopped
                values[request.configuration.id].append(data.draw(value))
        if jobs >= least * count:
            assert len(asked) == 1
            assert max_jobs is None or sum(map(len, values.values())) <= max_jobs
            assert max_time is None or spent_s < max_time
        stopped |= {s.configuration: s.runs for s in decision.standings if not s.more}
        spent_s += 5.0
    assert decision.finished
    for c, standing in zip(some, decision.standings, strict=True):
        assert least <= len(values[c.id]) == standing.runs <= most
        assert standing.stopped is not None
        if standing.stopped == "precise":
            assert all(entry.reached for entry in by_sd(figures(values[c.id]), {"throughput": 0.01}, most))
        if standing.stopped == "most runs":
            assert standing.runs == most


# --- precision ------------------------------------------------------------------------------


def test_precision_is_of_complete_runs_in_the_order_asked() -> None:
    over_runs = figures((100.0, 101.0, None, 99.0, 100.5))
    until = {"ttft": 0.05, "throughput": 0.5, "energy": 0.05}
    ttft, throughput, energy = precision(over_runs, until, 30)
    assert (ttft.metric, throughput.metric, energy.metric) == (
        "ttft_ms",
        "throughput_tok_s",
        "joules_per_token",
    )
    assert throughput.reached and throughput.reached_percent is not None
    assert 0 < throughput.reached_percent <= 50 and throughput.target_percent == 50
    assert (energy.reached, energy.reached_percent) == (False, None)
    without = figures((100.0, 101.0, 99.0, 100.5))
    assert precision(without, {"throughput": 0.5}, 30)[0].reached_percent == throughput.reached_percent


def test_more_of_the_same_runs_are_known_more_precisely() -> None:
    reached = [
        precision(figures((99.0, 100.0, 101.0) * times), {"throughput": 0.01}, 30)[0].reached_percent
        for times in (1, 2, 4, 8)
    ]
    assert all(a is not None and b is not None and a > b for a, b in pairwise(reached))


def test_two_runs_have_no_precision() -> None:
    (entry,) = precision(figures((100.0, 100.1)), {"throughput": 0.5}, 30)
    assert (entry.reached, entry.reached_percent) == (False, None)


# --- names ----------------------------------------------------------------------------------


def test_the_sweep_files_names_are_the_metrics() -> None:
    # A rate that may be 0 has no relative precision.
    assert set(get_args(UntilMetric)) == {metric.short for metric in METRICS if metric != UNGROUNDED}
    assert all(metric.key in RunFigures.__dataclass_fields__ for metric in BY_KEY.values())


def test_the_sweep_file_chooses_the_design() -> None:
    some = points(1)
    fixed = SweepSpec.model_validate(sweep_tree(runs=4))
    assert len(design_of(fixed, some).ask()) == 4
    adaptive = SweepSpec.model_validate(sweep_tree(runs={"min": 2, "until": {"ttft": "5%"}}))
    assert len(design_of(adaptive, some).ask()) == 2
