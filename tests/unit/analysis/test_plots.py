"""Models loaded plot by plot: between plots the load is the unit, within a plot the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from analysis.comparisons import compare_two, compare_with_baseline
from analysis.design.reached import known_values
from analysis.metrics import THROUGHPUT
from analysis.models import Comparison, ConfigurationSummary, SweepSummary
from analysis.rendering import render_markdown
from analysis.samples import sample
from analysis.statistics.description import describe, load_means
from analysis.statistics.intervals import mean_interval
from analysis.summary import summarise_records
from benchmarks.statistics.plots import false_alarms
from benchmarks.statistics.simulated import configuration, run
from tests.support.present import present
from tests.support.synthetic import Shape, synthetic

AXES = {"num_ctx": (1024, 4096), "temperature": (0.2, 0.8)}


def planted(loads: int | None, *, runs: int = 6, load_cv: float = 0.05, **shape: Any) -> SweepSummary:
    made = Shape(loads=loads, load_cv=load_cv, cold_first=False, **shape)
    return synthetic(AXES, runs=runs, shape=made).summary()


def of_throughput(summary: SweepSummary) -> dict[str, tuple[str, int, str]]:
    return {
        c.candidate: (c.unit, c.n_candidate, c.verdict)
        for c in summary.comparisons
        if c.metric == THROUGHPUT.key
    }


def test_configurations_of_different_plots_are_compared_over_loads() -> None:
    found = of_throughput(planted(3))
    assert {name: unit for name, (unit, *_) in found.items()} == {
        "num_ctx=1024,temperature=0.8": "run",
        "num_ctx=4096,temperature=0.2": "load",
        "num_ctx=4096,temperature=0.8": "load",
    }
    assert {n for unit, n, _ in found.values() if unit == "load"} == {3}
    assert {n for unit, n, _ in found.values() if unit == "run"} == {6}


def test_with_one_load_no_difference_between_plots_is_claimed_and_it_is_said_why() -> None:
    summary = planted(1, speed=lambda c: 2.0 if c.parameters.num_ctx == 4096 else 1.0)
    of_plots = [c for c in summary.comparisons if c.unit == "load"]
    assert of_plots and {c.verdict for c in of_plots} <= {"too few runs", "not compared"}
    assert all(
        "one load of the model can't tell" in (c.why or "") for c in of_plots if c.verdict == "too few runs"
    )
    (effects,) = [m for m in summary.main_effects if m.metric == THROUGHPUT.key]
    by_axis = {axis.axis: axis for axis in effects.axes}
    assert by_axis["num_ctx"].p is None and by_axis["temperature"].p is not None
    assert any("each plot was loaded once" in note for note in effects.notes)
    (finding,) = [f for f in summary.findings if f.rule == "whole-plots"]
    assert finding.severity == "warning" and "no difference between plots is claimed" in finding.text
    assert "3 loads of each plot" in summary.verdict


def test_a_difference_that_is_there_is_found_over_loads() -> None:
    summary = planted(3, load_cv=0.005, speed=lambda c: 1.2 if c.parameters.num_ctx == 4096 else 1.0)
    assert of_throughput(summary)["num_ctx=4096,temperature=0.2"] == ("load", 3, "better")
    (effects,) = [m for m in summary.main_effects if m.metric == THROUGHPUT.key]
    assert effects.loads == 6
    assert {a.axis: (a.p_holm or 1) < 0.05 for a in effects.axes} == {"num_ctx": True, "temperature": False}
    assert effects.axes[0].largest_percent == pytest.approx(20, abs=2)
    markdown = render_markdown(summary)
    assert "(n = 3 loads)" in markdown
    assert "Models were loaded plot by plot, 6 loads of 2 plots" in markdown


def test_an_axis_within_plots_keeps_its_power_whatever_loading_does() -> None:
    """Loading moves both values of it alike: within a plot nothing is lost."""
    summary = planted(3, load_cv=0.2, speed=lambda c: 1.03 if c.parameters.temperature == 0.8 else 1.0)
    (effects,) = [m for m in summary.main_effects if m.metric == THROUGHPUT.key]
    assert {a.axis: (a.p_holm or 1) < 0.05 for a in effects.axes} == {"num_ctx": False, "temperature": True}
    assert effects.axes[1].largest_percent == pytest.approx(3, abs=1.5)
    assert effects.load_share is not None and effects.load_share > 0.5


def test_slots_are_compared_over_loads() -> None:
    summary = planted(3, slots={"a": 1.0, "b": 1.0})
    (effects,) = [h for h in summary.host_effects if h.metric == THROUGHPUT.key]
    assert sum(slot.runs for slot in effects.slots) == 6  # 2 plots × 3 loads, not 24 runs


def test_intervals_are_those_of_load_means() -> None:
    values, loads = [1.0, 2.0, 4.0, 6.0, 8.0, 9.0], [1, 1, 2, 2, 3, 3]
    found = describe(values, loads=loads)
    assert load_means(values, loads) == [1.5, 5.0, 8.5]
    assert found.mean_interval == mean_interval([1.5, 5.0, 8.5])
    assert (found.n, found.mean, found.median_interval) == (6, 5.0, None)
    assert describe(values, loads=[1] * 6).mean_interval is None  # one load shows nothing of how loads differ
    assert describe(values, loads=[None] * 6) == describe(values)


def test_the_same_without_loads_is_as_before() -> None:
    units = {unit for unit, *_ in of_throughput(planted(None)).values()}
    assert units == {"run"}
    assert planted(None).main_effects[0].loads is None


def test_runs_of_another_execution_belong_to_other_loads() -> None:
    a, b = (
        configuration(
            name, [run(i, {"throughput_tok_s": rate + i}, load=1 + i // 3, slot="s") for i in range(6)]
        )
        for name, rate in (("a", 100.0), ("b", 110.0))
    )
    found = compare_two(
        a.over_runs,
        b.over_runs,
        THROUGHPUT,
        baseline="a",
        candidate="b",
        agent="x",
        floor=None,
        may_pair=False,
        between_plots=True,
    )
    assert (found.unit, found.n_baseline, found.verdict) == ("load", 2, "too few runs")


def test_a_changed_copy_of_figures_has_its_own_sample() -> None:
    one = configuration("a", [run(i, {"throughput_tok_s": 100.0 + i}) for i in range(4)]).over_runs
    assert sample(one, THROUGHPUT).size == 4
    fewer = one.model_copy(update={"runs": one.runs[:2]})
    assert sample(fewer, THROUGHPUT).values.tolist() == [100.0, 101.0]


def on_slots(
    name: str, context: int, slots: str, rates: Sequence[float] | None = None
) -> ConfigurationSummary:
    """A run a letter, two of each load, on the slots that the letters name."""
    rates = rates or [100.0 + i for i in range(len(slots))]
    return configuration(
        name,
        [
            run(1 + i, {"throughput_tok_s": rate}, load=1 + i // 2, slot=slot, pool="p")
            for i, (slot, rate) in enumerate(zip(slots, rates, strict=True))
        ],
        {"num_ctx": context},
    )


def between(a: ConfigurationSummary, b: ConfigurationSummary) -> Comparison:
    (made,) = compare_with_baseline([a, b], a.config, None)
    return made


def test_a_load_that_was_divided_over_slots_is_as_many_loads_and_in_no_pair() -> None:
    whole, elsewhere = on_slots("a", 1024, "AABBCC"), on_slots("b", 4096, "DDEEFF")
    divided, other = on_slots("a", 1024, "ABABAB"), on_slots("b", 4096, "CDCDCD")
    found = between(whole, on_slots("b", 4096, "AABBCC", [103.0, 104, 107, 104, 105, 108]))
    assert (found.method, found.n_baseline, found.n_candidate) == ("paired-t", 3, 3)
    for a, b, n in (
        (whole, elsewhere, (3, 3)),
        (divided, other, (6, 6)),
        (whole, on_slots("b", 4096, "ABABAB"), (3, 6)),
    ):
        found = between(a, b)
        assert (found.unit, found.method, found.n_baseline, found.n_candidate) == ("load", "welch", *n)
    by_load = sample(divided.over_runs, THROUGHPUT).by_load()
    assert by_load.loads.tolist() == [1, 1, 2, 2, 3, 3] and by_load.slots.tolist() == list("ABABAB")


def test_everything_counts_a_divided_load_as_many_loads_and_the_report_names_it() -> None:
    made = synthetic(
        {"num_ctx": (1024, 4096)}, runs=6, shape=Shape(loads=3, load_cv=0.05, slots={"a": 1, "b": 1})
    )
    first = [r for r in made.records if r.load == 2 and present(r.parameters)["num_ctx"] == 1024]
    moved = {id(r) for r in first if r.run == max(r.run for r in first)}
    assert 0 < len(moved) < len(first)
    other = "b" if first[0].slot == "a" else "a"
    records = [r.model_copy(update={"slot": other}) if id(r) in moved else r for r in made.records]
    before, summary = made.summary(), summarise_records(records, made.manifest)

    def n(of: SweepSummary) -> tuple[object, ...]:
        (effects,) = [m for m in of.main_effects if m.metric == THROUGHPUT.key]
        hosts = [sum(s.runs for s in h.slots) for h in of.host_effects if h.metric == THROUGHPUT.key]
        (compared,) = [c for c in of.comparisons if c.metric == THROUGHPUT.key]
        (trend,) = [t.trend for t in of.configurations[0].trends if t.metric == THROUGHPUT.key]
        c = next(c for c in of.configurations if c.parameters == {"num_ctx": 1024})
        stage = c.stages_over_runs[-1].throughput_tok_s.mean_interval
        means = len(known_values(c.over_runs.runs, THROUGHPUT))
        return effects.loads, hosts, compared.n_baseline + compared.n_candidate, trend.n, means, stage

    (*counts, whole), (*divided, parts) = n(before), n(summary)
    assert counts == [6, [6], 6, 3, 3]
    assert divided == [7, [7], 7, 4, 4]
    assert whole != parts
    (finding,) = [f for f in summary.findings if f.rule == "divided-loads"]
    assert finding.text.startswith("1 of 6 loads was divided over slots")
    assert finding.evidence == ("model=m:1, num_ctx=1024, load 2: a, b",)
    assert "Loads divided over slots" in render_markdown(summary)
    (loads,) = [f for f in summary.findings if f.rule == "whole-plots"]
    assert "7 loads of 2 plots" in loads.text
    assert not [f for f in before.findings if f.rule == "divided-loads"]


def test_divided_loads_raise_no_false_alarms() -> None:
    found = false_alarms(10, 5, 0.05, 150, np.random.default_rng(2), divided=0.5)
    assert max(found.between, found.within) <= 0.05
    assert found.reloading_axis <= 0.05 + 0.035  # two sd of the simulation


@pytest.mark.parametrize("load_cv", [0.0, 0.05])
def test_false_alarms_stay_at_5_percent_where_runs_as_independent_give_many_more(load_cv: float) -> None:
    right = false_alarms(6, 3, load_cv, 150, np.random.default_rng(1))
    assert max(right.between, right.within) <= 0.05
    assert right.reloading_axis <= 0.05 + 0.035  # two sd of the simulation
    if load_cv:
        naive = false_alarms(6, 3, load_cv, 60, np.random.default_rng(1), by_load=False)
        assert naive.between > 0.15 and naive.reloading_axis > 0.4
