"""Agents at the same time: slowdown, gain, overlap, fairness, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models import ConfigurationSummary, RunFigures
from analysis.models.pairs import PairConfiguration, Slowdown
from analysis.pairs import pairs_of
from analysis.pairs.fairness import jain
from analysis.pairs.overlap import time_with, union
from analysis.statistics.estimate import estimate
from analysis.summary import summarise_records
from contracts.call import Outcome
from tests.support.factories import RecordFactory
from tests.support.present import present
from tests.support.synthetic_pairs import HETEROGENEOUS, PairShape, pair_sweep

Spans = list[tuple[int, int]]
Figures = dict[tuple[str, str], Any]

SPANS = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 300)).map(lambda s: (s[0], s[0] + s[1])), max_size=6
)
SHARES = st.lists(st.floats(0.01, 1e6), min_size=2, max_size=16)


def only(made: Any) -> PairConfiguration:
    (found,) = made.summary().pair_configurations
    assert isinstance(found, PairConfiguration)
    return found


# Overlap


@given(st.lists(SPANS, min_size=1, max_size=4))
def test_time_together_is_what_a_clock_of_single_ticks_counts(agents: list[Spans]) -> None:
    ticks = [sum(any(a <= t < b for a, b in spans) for spans in agents) for t in range(1400)]
    for least in (1, 2, len(agents)):
        assert time_with(agents, least) == sum(active >= least for active in ticks)


@given(SPANS)
def test_a_union_is_in_order_and_apart(spans: Spans) -> None:
    found = union(spans)
    assert all(a < b for a, b in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))


@given(st.lists(SPANS, min_size=2, max_size=3), st.integers(-(10**12), 10**12))
def test_overlap_depends_neither_on_the_order_nor_on_the_clocks_zero(agents: list[Spans], shift: int) -> None:
    moved = [[(a + shift, b + shift) for a, b in spans] for spans in reversed(agents)]
    assert time_with(moved, 2) == time_with(agents, 2)


# Fairness


@given(SHARES, st.floats(1e-3, 1e3))
def test_jain_is_between_one_over_n_and_one_and_has_no_unit(shares: list[float], factor: float) -> None:
    found = jain(shares)
    assert found is not None and 1 / len(shares) - 1e-12 <= found <= 1 + 1e-12
    assert jain([factor * share for share in reversed(shares)]) == pytest.approx(found)


def test_jain_of_known_shares() -> None:
    assert jain([5.0, 5.0, 5.0]) == pytest.approx(1.0)
    assert jain([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)
    assert jain([3.0, 1.0]) == pytest.approx(16 / 20)
    assert jain([0.0, 0.0]) is None


# Slowdown


def test_a_planted_slowdown_is_found_and_its_interval_holds_it() -> None:
    found = only(pair_sweep(runs=6))
    assert found.contention == "slowed down"
    for member in found.members:
        by_kind: dict[str, Slowdown] = {s.of: s for s in member.slowdowns}
        assert set(by_kind) == {"rate", "ttft", "pace"}
        for of, planted in (("rate", 1.8), ("ttft", 1.5)):
            one = by_kind[of]
            assert one.verdict == "slowed down"
            assert (
                present(present(one.ratio).interval).low < planted < present(present(one.ratio).interval).high
            )
            assert present(present(one.ratio).interval).low > 1
            assert one.comparison.method == "paired-t" and one.comparison.pairs == 6
        # Reading, which is slowed less, is in it.
        assert 1.75 < present(by_kind["pace"].ratio).value < present(by_kind["rate"].ratio).value
        assert member.solo == f"solo={member.agent}"


def test_the_gain_is_against_the_same_work_one_after_the_other() -> None:
    found = only(pair_sweep(runs=6, shape=PairShape(token_cv=0.0)))
    assert present(found.gain).value == pytest.approx(2 / 1.8, rel=0.02)
    assert present(found.gain_comparison).verdict == "better"
    assert present(found.gain_comparison).pairs == 6
    assert found.alone_wall_s.mean == pytest.approx(2 * (0.15 + 19), rel=0.02)
    assert found.system_tok_s.mean == pytest.approx(3800 / present(found.wall_s.mean), rel=0.01)


def test_legacy_speedup_says_two_however_much_the_agents_slow_each_other_down() -> None:
    def three(c: Any, role: Any) -> float:
        return 3.0 if len(c.agents) > 1 else 1.0

    found = only(pair_sweep(runs=4, shape=PairShape(rate=three, ttft=three)))
    assert present(found.speedup) > 1.9 and present(found.efficiency_percent) > 95
    assert present(found.gain).value < 0.7


def test_no_slowdown_is_none_shown_with_what_would_have_been() -> None:
    found = only(pair_sweep(runs=6, shape=PairShape(rate=lambda c, r: 1.0, ttft=lambda c, r: 1.0)))
    assert found.contention == "none shown"
    for member in found.members:
        for one in member.slowdowns:
            assert one.verdict == "none shown"
            assert present(present(one.ratio).interval).low < 1 < present(present(one.ratio).interval).high
            assert 1 < present(one.detectable) < 1.2


def test_the_floor_hides_what_is_smaller_than_it() -> None:
    """TTFT is 75 ms and its floor 0.1 ms: 0.07 ms more are the client's, however surely they are seen."""
    shape = PairShape(
        rate=lambda c, r: 1.0, ttft=lambda c, r: 1.001 if len(c.agents) > 1 else 1.0, cv=1e-5, token_cv=0.0
    )
    of_ttft = [
        s for m in only(pair_sweep(runs=6, shape=shape)).members for s in m.slowdowns if s.of == "ttft"
    ]
    assert [s.verdict for s in of_ttft] == ["none shown", "none shown"]
    assert all("floor" in present(s.why) for s in of_ttft)
    bare = only(pair_sweep(runs=6, shape=replace(shape, floor=False)))
    assert all(s.verdict == "slowed down" for m in bare.members for s in m.slowdowns if s.of == "ttft")


def test_all_slowdowns_of_the_sweep_are_one_family() -> None:
    made = pair_sweep(HETEROGENEOUS, axes={"num_gpu": (40, 80)}, runs=5).summary()
    slowdowns = [s for pair in made.pair_configurations for m in pair.members for s in m.slowdowns]
    assert len(slowdowns) == 12
    smallest = min(present(s.comparison.p) for s in slowdowns)
    least = min(slowdowns, key=lambda s: present(s.comparison.p))
    assert least.comparison.p_holm == pytest.approx(12 * smallest)
    assert {c.metric for c in made.comparisons} >= {"throughput_tok_s"}
    gains = [pair.gain_comparison for pair in made.pair_configurations]
    assert present(min(gains, key=lambda c: present(present(c).p))).p_holm == pytest.approx(
        2 * min(present(present(c).p) for c in gains)
    )


def test_one_solo_serves_several_configurations() -> None:
    made = pair_sweep(HETEROGENEOUS, axes={"num_gpu": (40, 80)}, runs=4).summary()
    solos = [[m.solo for m in pair.members] for pair in made.pair_configurations]
    assert solos == [
        ["solo=baseline", "num_gpu=40,solo=candidate"],
        ["solo=baseline", "num_gpu=80,solo=candidate"],
    ]


def test_between_plots_the_load_is_the_unit() -> None:
    apart = pair_sweep(HETEROGENEOUS, axes={"num_gpu": (40,)}, runs=6, shape=PairShape(loads=3))
    slowdowns = [s for m in only(apart).members for s in m.slowdowns]
    assert {(s.comparison.unit, s.comparison.n_candidate) for s in slowdowns} == {("load", 3)}
    assert present(only(apart).gain_comparison).unit == "load"
    same = pair_sweep(runs=6, shape=PairShape(loads=3))
    assert {s.comparison.unit for m in only(same).members for s in m.slowdowns} == {"run"}


@pytest.mark.parametrize("runs", [1, 2])
def test_too_few_runs_tell_no_slowdown_but_show_the_ratio(runs: int) -> None:
    found = only(pair_sweep(runs=runs))
    assert found.contention == "not known"
    for member in found.members:
        assert "3 complete runs" in present(member.why)
        assert all(present(s.ratio).value > 1 and present(s.ratio).interval is None for s in member.slowdowns)


def test_without_solo_runs_nothing_is_claimed() -> None:
    found = only(pair_sweep({"kind": "agent-pair", "paths": ["c"], "solo": False}, runs=4))
    assert found.contention == "not known"
    assert [m.why for m in found.members] == ["it was not measured alone"] * 2
    assert found.gain is None and found.alone_wall_s.n == 0 and found.alone_tok_s.mean is None
    assert present(found.fairness).of == "raw rates" and present(found.fairness).slowdown_ratio is None
    assert found.wall_s.n == 4 and found.all_active.n == 4


def test_an_agent_alone_is_compared_only_with_the_same_work() -> None:
    made = pair_sweep(runs=4)
    other = [
        r.model_copy(update={"parameters": {"num_gpu": 7}}) if r.config == "solo=A" else r
        for r in made.records
    ]
    found = summarise_records(other).pair_configurations[0]
    assert [m.solo for m in found.members] == [None, "solo=B"]
    assert found.contention == "slowed down"  # B is
    assert found.gain is None


# Symmetry and scale


@cache
def template() -> dict[tuple[str, str], ConfigurationSummary]:
    return {(c.config, c.agent): c for c in pair_sweep(runs=3).summary().configurations}


def with_runs(c: ConfigurationSummary, rates: Any, ttfts: Any, walls: Any) -> ConfigurationSummary:
    """The summary with other runs, of 1,000 tokens each."""
    runs = tuple(
        RunFigures(
            run=i,
            block=i,
            complete=True,
            calls=2,
            valid_calls=2,
            slot="s0",
            host="h",
            throughput_tok_s=float(rate),
            ttft_ms=float(ttft),
            tokens=1000,
            exec_s=1000 / float(rate),
            wall_s=wall,
        )
        for i, (rate, ttft, wall) in enumerate(zip(rates, ttfts, walls, strict=True), start=1)
    )
    return c.model_copy(update={"over_runs": c.over_runs.model_copy(update={"runs": runs})})


def sides(rates: dict[tuple[str, str], Any], ttfts: dict[tuple[str, str], Any]) -> list[ConfigurationSummary]:
    both = zip(rates["default", "A"], rates["default", "B"], strict=True)
    walls = [1000 / float(min(pair)) for pair in both]
    return [with_runs(c, rates[key], ttfts[key], walls) for key, c in template().items()]


VALUES = st.lists(st.floats(50, 150), min_size=4, max_size=4)
FIGURES = st.fixed_dictionaries(
    dict.fromkeys((("default", "A"), ("default", "B"), ("solo=A", "A"), ("solo=B", "B")), VALUES)
)


def ratios(found: PairConfiguration) -> dict[tuple[str, str], float]:
    return {(m.agent, s.of): present(s.ratio).value for m in found.members for s in m.slowdowns}


@given(FIGURES, FIGURES)
def test_swapping_the_agents_swaps_their_figures_and_no_other(rates: Figures, ttfts: Figures) -> None:
    other = {"A": "B", "B": "A"}

    def swapped(figures: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
        return {(c.replace(a, other[a]), other[a]): values for (c, a), values in figures.items()}

    (here,) = pairs_of(sides(rates, ttfts), None)[1]
    (there,) = pairs_of(sides(swapped(rates), swapped(ttfts)), None)[1]
    assert here.agents == there.agents == ("A", "B")
    assert ratios(here) == pytest.approx({(other[a], of): value for (a, of), value in ratios(there).items()})
    assert present(here.gain).value == pytest.approx(present(there.gain).value)
    assert present(here.fairness).jain == pytest.approx(present(there.fairness).jain)


@given(FIGURES, FIGURES, st.floats(0.01, 100))
def test_a_faster_clock_changes_no_ratio(rates: Figures, ttfts: Figures, factor: float) -> None:
    (one,) = pairs_of(sides(rates, ttfts), None)[1]
    scaled = {key: [factor * v for v in values] for key, values in rates.items()}
    (other,) = pairs_of(sides(scaled, ttfts), None)[1]
    assert ratios(one) == pytest.approx(ratios(other))
    assert present(one.gain).value == pytest.approx(present(other.gain).value)
    intervals = [
        [(present(s.ratio).interval is None, s.verdict) for m in p.members for s in m.slowdowns]
        for p in (one, other)
    ]
    assert intervals[0] == intervals[1]


@given(VALUES, VALUES)
def test_identical_runs_are_slowed_down_by_nothing(rates: list[float], ttfts: list[float]) -> None:
    keys = template()
    (found,) = pairs_of(sides(dict.fromkeys(keys, rates), dict.fromkeys(keys, ttfts)), None)[1]
    assert set(ratios(found).values()) == {1.0}
    assert found.contention == "none shown"
    assert present(found.fairness).jain == pytest.approx(1)
    assert present(found.gain).value == pytest.approx(2)  # two at full speed


def test_intervals_of_equal_samples_hold_one_in_about_95_percent() -> None:
    rng = np.random.default_rng(7)
    held, tests = 0, 0
    for _ in range(300):
        drawn = [{key: 100 * np.exp(rng.normal(0, 0.05, 5)) for key in template()} for _ in range(2)]
        (found,) = pairs_of(sides(*drawn), None)[1]
        for m in found.members:
            for s in m.slowdowns[:2]:
                tests += 1
                held += present(present(s.ratio).interval).low <= 1 <= present(present(s.ratio).interval).high
    assert tests == 1200
    assert 0.93 <= held / tests <= 0.97


def test_waiting_is_unfair_by_pace_and_not_by_rate() -> None:
    """A server that serves one agent after the other: its own clock stands while the other waits."""
    shape = PairShape(
        rate=lambda c, r: 1.0,
        ttft=lambda c, r: 200.0 if len(c.agents) > 1 and r.label == "B" else 1.0,
    )
    found = only(pair_sweep(runs=5, shape=shape))
    assert present(found.fairness).jain > 0.999
    assert present(found.fairness_of_pace).jain < 0.9
    assert present(present(found.fairness_of_pace).slowdown_ratio) > 2
    verdicts = {(m.agent, s.of): s.verdict for m in found.members for s in m.slowdowns}
    assert verdicts["B", "rate"] == "none shown" and verdicts["B", "pace"] == "slowed down"


# Runs that don't count


def test_a_run_in_which_one_agent_failed_is_named_and_in_no_estimate() -> None:
    def change(columns: dict[str, Any]) -> dict[str, Any] | None:
        at = (columns["config"], columns["run"], columns["agent"], columns["stage"])
        if at == ("default", 2, "B", "report"):
            return columns | {"outcome": "aborted", "reason": "gone"}
        if at[:3] == ("default", 3, "A"):
            return None
        # Alone in the third run, B is fast: a figure that is no pair's.
        return columns | {"throughput_tok_s": 900.0} if at[:3] == ("default", 3, "B") else columns

    found = only(pair_sweep(runs=6, shape=PairShape(change=change)))
    assert (found.runs, found.runs_complete, found.runs_planned) == (5, 4, 6)
    assert [(one.run, one.why) for one in found.incomplete] == [
        (2, "a stage of B is excluded"),
        (3, "no record of A"),
    ]
    b = found.members[1]
    assert b.throughput_tok_s.n == 4
    assert {s.comparison.n_candidate for s in b.slowdowns} == {4}
    assert found.wall_s.n == found.all_active.n == 4


def test_a_planned_run_without_records_is_named() -> None:
    made = pair_sweep(runs=4)
    left = [r for r in made.records if (r.config, r.run) != ("default", 4)]
    (found,) = summarise_records(left, manifest=made.manifest).pair_configurations
    assert [(one.run, one.why) for one in found.incomplete] == [(4, "no record")]


def test_a_call_without_tokens_makes_no_rate_of_all() -> None:
    def change(columns: dict[str, Any]) -> dict[str, Any]:
        return columns | {"tokens": None} if columns.get("tokens") and columns["run"] == 2 else columns

    found = only(pair_sweep(runs=4, shape=PairShape(change=change)))
    assert found.system_tok_s.mean is None and found.gain is None
    assert {s.verdict for m in found.members for s in m.slowdowns if s.of == "pace"} == {"not known"}


# Overlap in a sweep


def test_the_share_with_all_active_is_that_of_the_calls() -> None:
    shape = PairShape(
        rate=lambda c, r: 1.0,
        ttft=lambda c, r: 1.0,
        cv=0.0,
        token_cv=0.0,
        delay_s=lambda c, role: 9.575 if len(c.agents) > 1 and role.label == "B" else 0.0,
    )
    found = only(pair_sweep(runs=3, shape=shape))
    # A from 0 to 19.15 s, B from 9.575 to 28.725 s.
    assert found.all_active.mean == pytest.approx(1 / 3, rel=1e-6)
    assert found.all_active.mean == found.two_active.mean
    assert found.wall_s.mean == pytest.approx(28.725)


def test_where_a_sending_is_not_known_the_overlap_is_not() -> None:
    def change(columns: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in columns.items() if k != "sent_ns"} if columns["run"] == 1 else columns

    made = pair_sweep(runs=3, shape=PairShape(change=change)).summary()
    assert [run.all_active is None for run in made.pairs] == [True, False, False]
    assert made.pair_configurations[0].all_active.n == 2


# More than two


def test_four_agents() -> None:
    made = pair_sweep({"kind": "agent-pair", "paths": ["c"], "agents": 4}, runs=4).summary()
    (found,) = made.pair_configurations
    assert found.agents == ("A", "B", "C", "D")
    assert found.throughput_delta is None and found.ttft_delta_ms is None
    assert 3.7 < present(found.speedup) <= 4 and 92 < present(found.efficiency_percent) <= 100
    assert present(found.two_active.mean) >= present(found.all_active.mean)
    assert [m.solo for m in found.members] == [f"solo={label}" for label in "ABCD"]
    assert present(found.gain).value == pytest.approx(4 / 1.8, rel=0.05)


def test_agents_stand_in_the_order_of_the_sweep_file() -> None:
    made = pair_sweep(runs=3)
    (found,) = summarise_records(made.records[::-1], manifest=made.manifest).pair_configurations
    assert found.agents == ("A", "B")


# Foreign data


def foreign(record: Any, **columns: Any) -> list[Any]:
    return [
        record(config="x", agent=agent, run=run, stage=stage, wall_s=20.0, exec_s=exec_s, **columns)
        for run in (1, 2)
        for agent, exec_s in (("a", 18.0), ("b", 20.0))
        for stage in ("analysis", "report")
    ]


def test_foreign_agents_with_one_wall_time_are_a_pair(record: RecordFactory) -> None:
    found = summarise_records(foreign(record))
    assert [(run.run, run.agents) for run in found.pairs] == [(1, ("a", "b")), (2, ("a", "b"))]
    assert found.pairs[0].legacy.speedup == pytest.approx(1.9)
    assert found.pair_configurations[0].speedup == pytest.approx(1.9)


@pytest.mark.parametrize("walls", [{"a": None, "b": None}, {"a": 20.0, "b": None}, {"a": 20.0, "b": 21.0}])
def test_foreign_agents_without_one_wall_time_are_none(
    record: RecordFactory, walls: dict[str, Any] | dict[str, None] | dict[str, float]
) -> None:
    records = [r.model_copy(update={"wall_s": walls[r.agent]}) for r in foreign(record)]
    found = summarise_records(records)
    assert found.pairs == () and found.pair_configurations == ()


def test_a_missing_duration_leaves_the_legacy_figures_unknown(record: RecordFactory) -> None:
    records = [r.model_copy(update={"exec_s": None}) if r.agent == "b" else r for r in foreign(record)]
    legacy = summarise_records(records).pairs[0].legacy
    assert legacy.wall_s == 20.0
    assert legacy.sequential_s is None and legacy.speedup is None
    assert legacy.efficiency_percent is None and legacy.contention is None
    assert legacy.throughput_delta == 0.0  # its rates are known


def test_legacy_figures_count_failed_calls_too(record: RecordFactory) -> None:
    records = [
        r.model_copy(update={"throughput_tok_s": 0.0, "tokens": 0, "outcome": Outcome.ABORTED})
        if (r.agent, r.stage) == ("b", "report")
        else r
        for r in foreign(record)
    ]
    found = summarise_records(records)
    assert found.pairs[0].legacy.throughput_delta == pytest.approx(-50.0)
    assert found.pair_configurations[0].runs_complete == 0
    assert found.pair_configurations[0].throughput_delta == pytest.approx(-50.0)
    assert found.pair_configurations[0].system_tok_s.mean is None


def test_one_agent_makes_no_pair(record: RecordFactory) -> None:
    found = summarise_records([record(run=run, wall_s=1.0, exec_s=1.0) for run in (1, 2)])
    assert found.pairs == () and found.pair_configurations == ()


def test_means_over_runs_are_those_of_the_runs() -> None:
    made = pair_sweep(runs=5).summary()
    (found,) = made.pair_configurations
    for name in ("speedup", "efficiency_percent", "throughput_delta", "ttft_delta_ms"):
        assert getattr(found, name) == estimate(getattr(run.legacy, name) for run in made.pairs).mean


def test_summary_reads_back_what_it_wrote() -> None:
    made = pair_sweep(runs=4).summary()
    assert type(made).model_validate_json(made.model_dump_json()) == made
