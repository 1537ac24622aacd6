"""Configurations against a baseline: which test, which verdict, one family."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from analysis.comparisons import (
    choose_baseline,
    compare_two,
    compare_with_baseline,
    floor_of,
    typical_spreads,
    with_holm,
)
from analysis.metrics import BY_KEY, DURATION, ITL, METRICS, THROUGHPUT, TTFT, Metric
from analysis.models import Comparison, ConfigurationSummary, SweepFloor
from benchmarks.statistics.simulated import configuration, run
from contracts.failures import InputError
from tests.support.present import present

FLOOR = SweepFloor(ttft_ms=0.5, rate_percent=0.4, slots=("s0",))
QUIET = (100.0, 101.0, 99.0, 100.5, 99.5)


def made(
    name: str,
    values: Sequence[float | None],
    key: str = "throughput_tok_s",
    parameters: dict[str, int | float] | None = None,
    agent: str = "chimera",
    **fields: Any,
) -> ConfigurationSummary:
    runs = [run(i, {key: value}, **fields) for i, value in enumerate(values, start=1)]
    return configuration(name, runs, parameters, agent=agent)


def two(
    a: ConfigurationSummary,
    b: ConfigurationSummary,
    metric: Metric = THROUGHPUT,
    floor: float | None = None,
    may_pair: bool = True,
) -> Comparison:
    return compare_two(
        a.over_runs,
        b.over_runs,
        metric,
        baseline=a.config,
        candidate=b.config,
        agent="chimera",
        floor=floor,
        may_pair=may_pair,
    )


def test_faster_is_better_and_later_is_worse() -> None:
    rates = two(made("a", QUIET), made("b", [1.1 * v + i % 2 for i, v in enumerate(QUIET)]))
    assert (rates.verdict, rates.method, rates.pairs) == ("better", "paired-t", 5)
    assert rates.difference == pytest.approx(present(rates.candidate_mean) - present(rates.baseline_mean))
    assert rates.percent == pytest.approx(100 * present(rates.difference) / present(rates.baseline_mean))
    assert present(rates.percent_interval).low < present(rates.percent) < present(rates.percent_interval).high
    assert (
        (present(rates.percent_interval).low > 0)
        == (present(rates.difference_interval).low > 0)
        == (present(rates.p) < 0.05)
    )
    times = two(
        made("a", QUIET, "ttft_ms"),
        made("b", [1.1 * v + i % 2 for i, v in enumerate(QUIET)], "ttft_ms"),
        TTFT,
    )
    assert (times.verdict, times.p) == ("worse", rates.p)


def test_another_blocks_or_slots_runs_are_no_pairs() -> None:
    a, b = made("a", QUIET), made("b", QUIET[::-1])
    assert two(a, b).method == "paired-t"
    assert two(a, b, may_pair=False).method == "welch"
    assert two(made("a", QUIET, slot="s0"), made("b", QUIET[::-1], slot="s0")).method == "paired-t"
    assert two(made("a", QUIET, slot="s0"), made("b", QUIET[::-1], slot="s1")).method == "welch"
    assert two(made("a", QUIET, block=None), made("b", QUIET[::-1], block=None)).method == "welch"
    # All in one block.
    assert two(made("a", QUIET, block=1), made("b", QUIET[::-1], block=1)).method == "welch"


def test_one_slot_each_is_said() -> None:
    a, b = made("a", QUIET, slot="s0"), made("b", QUIET[::-1], slot="s1")
    assert two(a, b).why == "measured on one slot each, s0 and s1: the difference may be theirs"
    assert two(a, made("b", QUIET, slot="s0")).why is None
    assert two(a, b, may_pair=False).why is None


def test_a_lost_run_loses_its_partner_but_not_the_pairs() -> None:
    a, b = made("a", QUIET), made("b", [110.0, None, 111.0, 109.0, 112.0])
    found = two(a, b)
    assert (found.method, found.pairs, found.n_baseline, found.n_candidate) == ("paired-t", 4, 4, 4)
    assert found.baseline_mean == pytest.approx(np.mean([100.0, 99.0, 100.5, 99.5]))
    fewer = two(a, made("b", [110.0, None, None, 109.0, 112.0]))
    assert (fewer.method, fewer.n_baseline, fewer.n_candidate) == ("welch", 5, 3)


def test_only_complete_runs_count() -> None:
    runs = [run(i, {"throughput_tok_s": 100.0 + i}, complete=i < 5) for i in range(1, 7)]
    assert two(configuration("a", runs), made("b", QUIET)).n_baseline == 4


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_runs_are_not_tested(n: int) -> None:
    found = two(made("a", QUIET), made("b", [200.0, 201.0][:n]))
    assert (found.verdict, found.method, found.p, found.detectable_percent) == (
        "too few runs",
        None,
        None,
        None,
    )
    assert found.percent == pytest.approx(100, abs=1)
    assert "3 complete runs" in present(found.why)


def test_no_run_is_not_compared() -> None:
    found = two(made("a", QUIET), made("b", [None, None]))
    assert (found.verdict, found.difference, found.candidate_mean) == ("not compared", None, None)
    assert found.why == "no complete run of b has the figure"


def test_rates_made_in_different_ways_are_not_compared() -> None:
    a, b = made("a", QUIET), made("b", QUIET)
    other = b.over_runs.model_copy(update={"throughput_method": "mean_of_call_rates"})
    found = two(a, b.model_copy(update={"over_runs": other}))
    assert (found.verdict, found.p) == ("not compared", None)
    assert "not made in the same way" in present(found.why)


def test_without_noise_there_is_no_p() -> None:
    same = two(made("a", [100.0] * 4), made("b", [100.0] * 4))
    assert (same.verdict, same.p, same.difference) == ("no difference shown", None, 0)
    other = two(made("a", [100.0] * 4), made("b", [101.0] * 4))
    assert (other.verdict, other.p) == ("not compared", None)
    assert other.percent == pytest.approx(1)
    assert "no noise" in present(other.why)
    small = two(made("a", [100.0] * 4), made("b", [100.1] * 4), floor=0.4)
    assert small.verdict == "below the floor"
    # Pairs that all differ by the same, of runs that do differ.
    moved = two(made("a", QUIET), made("b", [v + 1 for v in QUIET]))
    assert (moved.method, moved.pairs) == ("welch", None)
    assert 0 < present(moved.p) < 1


def test_below_the_floor_is_no_verdict_however_small_p_is() -> None:
    rng = np.random.default_rng(1)
    base = 100 + 0.01 * rng.normal(size=8)
    later = base + 0.3 + 0.01 * rng.normal(size=8)
    found = two(made("a", list(base), "ttft_ms"), made("b", list(later), "ttft_ms"), TTFT, 0.5)
    assert present(found.p) < 1e-6
    assert (found.verdict, found.floor) == ("below the floor", 0.5)
    assert (
        two(made("a", list(base), "ttft_ms"), made("b", list(base + 0.6), "ttft_ms"), TTFT, 0.5).verdict
        != "below the floor"
    )


def test_which_floor_touches_what() -> None:
    server, client = made("a", [100.0, 102.0]), made("b", [50.0, 50.0])
    assert floor_of(TTFT, server, client, FLOOR) == 0.5
    assert floor_of(THROUGHPUT, server, client, FLOOR) is None
    client = client.model_copy(update={"client_rates": 1})
    assert floor_of(THROUGHPUT, server, client, FLOOR) == pytest.approx(0.004 * 101)
    assert floor_of(DURATION, server, client, FLOOR) is None
    assert floor_of(ITL, made("a", [10.0], "itl_ms"), made("b", [20.0], "itl_ms"), FLOOR) == pytest.approx(
        0.08
    )
    assert floor_of(TTFT, server, client, None) is None


def sweep(n: int, k: int, shift: float = 0.0, seed: int = 0) -> list[ConfigurationSummary]:
    """``k`` configurations × ``n`` runs of two metrics; the last one is faster by ``shift``."""
    rng = np.random.default_rng(seed)
    found = []
    for c in range(k):
        factor = 1 + shift if c == k - 1 else 1.0
        runs = [
            run(i, {"throughput_tok_s": factor * rng.normal(100, 1), "ttft_ms": rng.normal(50, 0.5)})
            for i in range(1, n + 1)
        ]
        found.append(configuration(f"c{c}", runs, {"num_gpu": c}))
    return found


def test_every_metric_of_every_configuration_is_one_family() -> None:
    found = compare_with_baseline(sweep(5, 5, 0.1), "c0", None)
    assert {(c.metric, c.candidate) for c in found} == set(
        itertools.product(("throughput_tok_s", "ttft_ms"), ("c1", "c2", "c3", "c4"))
    )
    smallest = min(found, key=lambda c: present(c.p))
    assert smallest.p_holm == pytest.approx(8 * present(smallest.p))
    assert [(c.metric, c.candidate) for c in found if c.verdict == "better"] == [("throughput_tok_s", "c4")]
    assert {c.verdict for c in found} == {"better", "no difference shown"}


def test_what_only_the_correction_takes_away_is_said() -> None:
    c = two(made("a", QUIET), made("b", [v + 0.6 + i / 2 for i, v in enumerate(QUIET)]))
    assert present(c.p) < 0.05
    found = with_holm([c] * 20)[0]
    assert found.verdict == "no difference shown"
    assert present(found.difference_interval).low > 0
    assert found.why == "p is below 0.05 alone, but not corrected for the 20 comparisons made"


def test_detectable_is_at_the_level_where_holm_ended() -> None:
    a, b = sweep(5, 2)
    alone = two(a, b)
    (in_family, *_) = with_holm([alone] * 16)
    assert present(in_family.detectable_percent) > present(alone.detectable_percent)
    few, many = (compare_with_baseline(sweep(n, 5), "c0", None)[0] for n in (4, 30))
    assert present(many.detectable_percent) < present(few.detectable_percent)


def test_other_configurations_say_what_is_typical() -> None:
    configurations = sweep(4, 8, seed=3)
    spreads = typical_spreads([c.over_runs for c in configurations], THROUGHPUT, configurations[0].over_runs)
    assert 0.007 < present(spreads.runs) < 0.02
    assert 0.01 < present(spreads.pairs) < 0.03
    assert typical_spreads([configurations[0].over_runs], THROUGHPUT).runs is None
    assert any(c.moderated for c in compare_with_baseline(configurations, "c0", None))


def test_each_agent_has_its_own_baseline() -> None:
    found = compare_with_baseline(
        [
            made("a", QUIET, agent="one"),
            made("b", QUIET[::-1], agent="one"),
            made("a", [2 * v for v in QUIET], agent="two"),
            made("b", QUIET, agent="two"),
            made("b", QUIET, agent="three"),
        ],
        "a",
        None,
    )
    assert [(c.agent, round(present(c.percent))) for c in found] == [("one", 0), ("two", -50)]


def test_a_configuration_without_complete_runs_is_named() -> None:
    (found,) = compare_with_baseline([made("a", QUIET), made("b", [None, None, None])], "a", None)
    assert (found.candidate, found.verdict) == ("b", "not compared")
    assert compare_with_baseline([made("a", QUIET)], None, None) == ()


def test_units_change_no_verdict() -> None:
    configurations = sweep(5, 6, 0.03)
    in_ms = compare_with_baseline(configurations, "c0", None)
    scaled = [
        configuration(
            c.config,
            [
                run(
                    r.run,
                    {
                        "throughput_tok_s": present(r.throughput_tok_s) / 1000,
                        "ttft_ms": present(r.ttft_ms) * 1000,
                    },
                )
                for r in c.over_runs.runs
            ],
        )
        for c in configurations
    ]
    for a, b in zip(in_ms, compare_with_baseline(scaled, "c0", None), strict=True):
        assert b.percent == pytest.approx(a.percent)
        assert b.p_holm == pytest.approx(a.p_holm)
        assert b.verdict == a.verdict
        assert present(b.percent_interval).low == pytest.approx(present(a.percent_interval).low)


def test_swapped_the_difference_is_the_negative_one() -> None:
    a, b, *_ = sweep(6, 4)
    forth, back = two(a, b), two(b, a)
    assert forth.difference == pytest.approx(-present(back.difference))
    assert forth.p == pytest.approx(back.p)


def test_comparisons_read_back() -> None:
    for c in compare_with_baseline(sweep(5, 4), "c0", None):
        assert Comparison.model_validate(c.model_dump(mode="json")) == c
        assert BY_KEY[c.metric] in METRICS


def test_which_baseline_is_chosen() -> None:
    swept = [made("a", QUIET, parameters={"num_gpu": 1}), made("b", QUIET, parameters={})]
    assert choose_baseline(swept, None) == "b"
    assert choose_baseline(swept, "a") == "a"
    failed = made("b", [None], parameters={}).model_copy(update={"runs_complete": 0})
    assert choose_baseline([failed, swept[0]], None) == "a"
    assert choose_baseline([failed], None) is None
    assert choose_baseline([made("a", QUIET, agent="x"), made("a", QUIET, agent="y")], None) is None
    with pytest.raises(InputError, match=r"no configuration is named 'z'.*a, b"):
        choose_baseline(swept, "z")
