"""What the server made of what was asked, and axes that swept nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.inert import Point, inert_axes, inert_in_plan, inert_words, merged
from analysis.models.sweep import SweepSummary
from analysis.rendering import render_markdown
from analysis.summary import summarise_configuration, summarise_records
from contracts.applied import effective
from contracts.configuration import Configuration, Parameters
from contracts.slots import ModelLimits
from tests.support.factories import RecordFactory

LAYERS = {"model": "m", "model_layers": 34, "model_context_max": 8192}


@pytest.mark.parametrize(
    ("parameter", "asked", "value"),
    [
        ("num_gpu", 20, 20),
        ("num_gpu", 34, 34),
        ("num_gpu", 35, 35),
        ("num_gpu", 120, 35),
        ("num_gpu", 0, 0),
        ("num_gpu", None, None),
        ("num_ctx", 4096, 4096),
        ("num_ctx", 100_000, 8192),
        ("num_ctx", 512, None),
        ("temperature", 0.6, None),
        ("seed", 7, None),
    ],
)
def test_what_the_limits_tell(parameter: str, asked: float | None, value: int | None) -> None:
    assert effective(parameter, asked, 34, 8192) == value
    assert effective(parameter, asked, None, None) is None


def applied(record: RecordFactory, asked: dict[str, Any], **columns: Any) -> list[tuple[str, Any, Any, str]]:
    summary = summarise_configuration([record(**LAYERS, **columns, parameters=asked)])
    return [(entry.name, entry.asked, entry.applied, entry.how) for entry in summary.applied]


def test_the_model_limits_what_was_asked(record: RecordFactory) -> None:
    assert applied(record, {"num_gpu": 80, "num_ctx": 4096}) == [
        ("num_gpu", 80, (35,), "the model has 35 layers, its output layer counted"),
        ("num_ctx", 4096, (4096,), "within the model's limit"),
    ]


def test_a_host_without_gpu_offloads_nothing(record: RecordFactory) -> None:
    assert applied(record, {"num_gpu": 80}, model_vram_bytes=0) == [
        ("num_gpu", 80, (0,), "the server held no layer on a GPU")
    ]


@pytest.mark.parametrize(("told", "tokens"), [(4096, 4096), (100_000, 8192)])
def test_a_context_beyond_the_models_own_is_not_believed(
    record: RecordFactory, told: int, tokens: int
) -> None:
    records = [record(**LAYERS, context=told, parameters={"num_ctx": 100_000})]
    summary = summarise_configuration(records)
    assert summary.contexts == (tokens,)
    assert [(entry.asked, entry.applied) for entry in summary.applied] == [(100_000, (tokens,))]


def test_what_the_server_says_of_the_call_comes_first(record: RecordFactory) -> None:
    """With 32-bit floats, as servers keep them, and defaults that were not asked for."""
    told = {"temperature": 0.6000000238418579, "top_p": 0.949999988079071, "num_gpu": 12}
    found = applied(record, {"temperature": 0.6, "num_gpu": 80}, applied=told)
    how = "told by the server, for each call"
    assert found == [
        ("num_gpu", 80, (12,), how),
        ("temperature", 0.6, (0.6,), how),
        ("top_p", None, (0.949999988079071,), how),
    ]


def test_what_changed_between_runs_is_shown_as_such(record: RecordFactory) -> None:
    records = [record(run=run, context=tokens, parameters={}) for run, tokens in ((1, 4096), (2, 2048))]
    assert [entry.applied for entry in summarise_configuration(records).applied] == [(2048, 4096)]
    assert "| num_ctx | default | 2048 or 4096 |" in render_markdown(summarise_records(records))


def test_nothing_known_nothing_claimed(record: RecordFactory) -> None:
    assert summarise_configuration([record(parameters={"num_gpu": 80})]).applied == ()
    assert summarise_configuration([record()]).applied == ()
    assert "How that is known" not in render_markdown(summarise_records([record(parameters={"num_gpu": 8})]))


def sweep(record: RecordFactory, **columns: Any) -> Callable[..., SweepSummary]:
    def make(*asked: dict[str, Any]) -> SweepSummary:
        rows = [
            record(config=f"c{index}", parameters=values, **({"model": "m"} | columns))
            for index, values in enumerate(asked)
        ]
        return summarise_records(rows)

    return make


def test_one_configuration_under_three_names(record: RecordFactory) -> None:
    summary = sweep(record, **LAYERS)({"num_gpu": 60}, {"num_gpu": 80}, {"num_gpu": 120})
    ((entry),) = summary.inert
    assert (entry.axis, entry.asked, entry.applied, entry.others) == ("num_gpu", (60, 80, 120), 35, ())
    words = (
        "the axis num_gpu is inert: 60, 80 and 120 were applied as one value for m, 35 (the model has 35 layers, its "
        "output layer counted): configurations that differ in nothing else are one under several names, and what "
        "differs between them is chance"
    )
    assert words in summary.warnings
    markdown = render_markdown(summary)
    assert "| num_gpu | m | 60, 80, 120 | 35 | none | the model has 35 layers" in markdown
    assert "| num_gpu | 60 | 35 | not as asked: the model has 35 layers" in markdown


def test_values_below_the_limit_stay_apart(record: RecordFactory) -> None:
    ((entry),) = sweep(record, **LAYERS)({"num_gpu": 20}, {"num_gpu": 60}, {"num_gpu": 80}).inert
    assert (entry.asked, entry.others) == ((60, 80), (20,))
    assert inert_words(entry).endswith("what differs between them is chance. 20 is apart from them")


def test_without_a_gpu_every_number_of_layers_is_one(record: RecordFactory) -> None:
    made = sweep(record, **LAYERS, model_vram_bytes=0)
    ((entry),) = made({"num_gpu": 20}, {"num_gpu": 60}).inert
    assert (entry.asked, entry.applied, entry.why) == ((20, 60), 0, "the server held no layer on a GPU")


def test_a_default_that_is_one_of_the_values(record: RecordFactory) -> None:
    ((entry),) = sweep(record, context=4096)({}, {"num_ctx": 4096}).inert
    assert (entry.asked, entry.applied) == ((None, 4096), 4096)
    assert "default and 4096 were applied as one value" in inert_words(entry)


def test_distinct_values_and_unknown_ones_are_not_inert(record: RecordFactory) -> None:
    assert sweep(record)({"num_gpu": 60}, {"num_gpu": 80}).inert == ()
    assert sweep(record, **LAYERS)({"num_gpu": 20}, {"num_gpu": 30}).inert == ()
    assert sweep(record, **LAYERS)({"temperature": 0.6}, {"temperature": 1.0}).inert == ()
    assert sweep(record, **LAYERS)({"num_gpu": 80}, {"num_gpu": 80, "seed": 1}).inert == ()


def test_seeds_that_differ_by_one_are_two(record: RecordFactory) -> None:
    rows = [
        record(config=f"c{seed}", parameters={"seed": seed}, applied={"seed": seed})
        for seed in (10**6, 10**6 + 1)
    ]
    assert summarise_records(rows).inert == ()


def test_each_model_has_its_own_limits(record: RecordFactory) -> None:
    rows = [
        record(config=f"{m}{n}", model=m, model_layers=layers, parameters={"num_gpu": n})
        for m, layers in (("small", 18), ("large", 80))
        for n in (40, 60)
    ]
    assert [(entry.model, entry.asked) for entry in summarise_records(rows).inert] == [("small", (40, 60))]


def test_slots_that_disagree_are_not_one(record: RecordFactory) -> None:
    rows = [
        record(config=f"c{n}", run=run, parameters={"num_gpu": n}, model_vram_bytes=vram, **LAYERS)
        for n in (60, 80)
        for run, vram in ((1, 0), (2, 2**30))
    ]
    assert inert_axes(summarise_records(rows).configurations) == ()


def test_the_plan_is_told_beforehand() -> None:
    configurations = [
        Configuration(name=f"c{n}", model="m", parameters=Parameters(num_gpu=n, num_ctx=ctx))
        for n, ctx in ((20, 4096), (60, 9000), (80, 16_000))
    ]
    found = inert_in_plan(configurations, {"m": ModelLimits(layers=34, context=8192)})
    assert [(e.axis, e.asked, e.applied, e.others) for e in found] == [
        ("num_gpu", (60, 80), 35, (20,)),
        ("num_ctx", (9000, 16_000), 8192, (4096,)),
    ]
    assert found[0].why == "the model has 35 layers, its output layer counted"
    assert inert_in_plan(configurations, {}) == ()
    assert inert_in_plan(configurations, {"m": ModelLimits()}) == ()


points = st.lists(
    st.tuples(
        st.sampled_from(["m", "n"]),
        st.dictionaries(st.just("num_gpu"), st.integers(0, 5)),
        st.dictionaries(st.just("num_gpu"), st.lists(st.integers(0, 2), min_size=1, max_size=2).map(tuple)),
    ),
    max_size=8,
)


@given(points)
def test_only_known_and_equal_values_are_merged(
    drawn: list[tuple[str, dict[str, Any], dict[str, Any]]],
) -> None:
    made = [Point(model, asked, applied) for model, asked, applied in drawn]
    for entry in merged(made):
        assert len(entry.asked) >= 2 and not set(entry.asked) & set(entry.others)
        of_model = [point for point in made if point.model == entry.model]
        assert {point.asked.get("num_gpu") for point in of_model} == {*entry.asked, *entry.others}
        for point in of_model:
            if point.asked.get("num_gpu") in entry.asked:
                assert set(point.applied.get("num_gpu", ())) <= {entry.applied}
