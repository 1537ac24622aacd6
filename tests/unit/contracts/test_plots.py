from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import groupby, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.blocks import shuffled
from contracts.configuration import Configuration, Parameters
from contracts.plots import Planned, Unit, has_plots, loads_of, plot_of, units_at_start, units_of_block
from contracts.sweep import SweepSpec
from tests.support.sweeps import sweep_tree


def spec_of(**changes: Any) -> SweepSpec:
    return SweepSpec.model_validate({**sweep_tree(warmup=1), "axes": {}, **changes})


def points(
    num_ctx: list[int | None], num_gpu: list[int | None], temperature: list[float], model: str = "m"
) -> list[Configuration]:
    return [
        Configuration(
            name=f"{model},{ctx},{gpu},{t}",
            model=model,
            parameters=Parameters(num_ctx=ctx, num_gpu=gpu, temperature=t),
        )
        for ctx, gpu, t in product(num_ctx, num_gpu, temperature)
    ]


def limited(num_ctx: int, num_predict: int | None) -> Configuration:
    parameters = Parameters(num_ctx=num_ctx, num_predict=num_predict)
    return Configuration(name=f"{num_ctx},{num_predict}", model="m", parameters=parameters)


def jobs_of(units: list[Unit]) -> list[Planned]:
    return [job for unit in units for job in unit.jobs]


orders = st.fixed_dictionaries(
    {"kind": st.sampled_from(["auto", "blocks", "plots"]), "seed": st.integers(0, 2**70)},
    optional={"loads": st.integers(1, 9)},
)
grids = st.builds(
    points,
    st.lists(st.sampled_from([None, 512, 1024, 4096]), min_size=1, unique=True),
    st.lists(st.sampled_from([None, 0, 60]), min_size=1, unique=True),
    st.lists(st.sampled_from([0.0, 0.2, 0.8, 1.5]), min_size=1, unique=True),
)


@settings(max_examples=60, deadline=None)
@given(orders, grids, st.integers(1, 7))
def test_every_run_of_every_configuration_is_planned_once(
    order: dict[str, Any], configurations: list[Configuration], runs: int
) -> None:
    spec = spec_of(order=order, runs=runs)
    units = list(units_at_start(spec, configurations))
    jobs = jobs_of(units)
    assert Counter((job.configuration.id, job.run) for job in jobs) == Counter(
        (c.id, run) for c in configurations for run in range(1, runs + 1)
    )
    assert all(job.block == job.run for job in jobs)
    assert units == list(units_at_start(spec, configurations))


@settings(max_examples=60, deadline=None)
@given(orders, grids, st.integers(1, 7))
def test_each_plot_is_loaded_as_often_as_asked_and_its_loads_have_equal_shares(
    order: dict[str, Any], configurations: list[Configuration], runs: int
) -> None:
    spec = spec_of(order={**order, "kind": "plots"}, runs=runs)
    units = list(units_at_start(spec, configurations))
    loads = min(order.get("loads", 3), runs)
    plots = {plot_of(c) for c in configurations}
    assert sorted((unit.load or 0, unit.plot or "") for unit in units) == sorted(
        product(range(1, loads + 1), plots)
    )
    assert [unit.load for unit in units] == sorted(unit.load or 0 for unit in units)
    for unit in units:
        members = [c for c in configurations if plot_of(c) == unit.plot]
        blocks = [(block, list(jobs)) for block, jobs in groupby(unit.jobs, lambda job: job.block)]
        assert len(blocks) in (runs // loads, -(-runs // loads))
        for block, jobs in blocks:
            assert [job.configuration for job in jobs] == shuffled(members, spec.order.seed, block)
            assert {job.load for job in jobs} == {unit.load}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**70), grids, st.integers(1, 5))
def test_without_plots_each_job_is_a_unit_in_the_order_of_shuffled(
    seed: int, configurations: list[Configuration], runs: int
) -> None:
    spec = spec_of(order={"kind": "blocks", "seed": seed}, runs=runs)
    units = list(units_at_start(spec, configurations))
    assert {(unit.plot, unit.load, len(unit.jobs)) for unit in units} == {(None, None, 1)}
    expected = [(c.id, n) for n in range(1, runs + 1) for c in shuffled(configurations, seed, n)]
    assert [(job.configuration.id, job.run) for job in jobs_of(units)] == expected


def test_the_order_is_this_one() -> None:
    # Every process derives it anew: a change would make an execution's resume differ from its beginning.
    spec = spec_of(order={"seed": 7, "loads": 2}, runs=3)
    units = units_at_start(spec, points([512, 1024], [None], [0.0, 0.5]))
    assert [(u.load, u.plot, [f"{j.configuration.name}:{j.run}" for j in u.jobs]) for u in units] == [
        (1, "model=m,num_ctx=512,num_gpu=default", ["m,512,None,0.5:1", "m,512,None,0.0:1"]),
        (1, "model=m,num_ctx=1024,num_gpu=default", ["m,1024,None,0.0:1", "m,1024,None,0.5:1"]),
        (
            2,
            "model=m,num_ctx=1024,num_gpu=default",
            ["m,1024,None,0.0:2", "m,1024,None,0.5:2", "m,1024,None,0.0:3", "m,1024,None,0.5:3"],
        ),
        (
            2,
            "model=m,num_ctx=512,num_gpu=default",
            ["m,512,None,0.5:2", "m,512,None,0.0:2", "m,512,None,0.0:3", "m,512,None,0.5:3"],
        ),
    ]


def test_another_seed_gives_another_order_of_plots_and_within_them() -> None:
    configurations = points([1, 2, 3, 4, 5, 6], [None], [0.0, 0.5, 1.0])
    plans = [list(units_at_start(spec_of(order={"seed": s}, runs=3), configurations)) for s in (1, 2)]
    assert [u.plot for u in plans[0]] != [u.plot for u in plans[1]]
    first = plans[0][0].plot
    inside = [next(u for u in plan if u.plot == first and u.load == 1).jobs for plan in plans]
    assert [j.configuration for j in inside[0]] != [j.configuration for j in inside[1]]
    assert {j.configuration for j in inside[0]} == {j.configuration for j in inside[1]}


def test_the_loads_have_orders_of_their_own() -> None:
    units = list(units_at_start(spec_of(runs=3), points([1, 2, 3, 4, 5, 6, 7, 8], [None], [0.0])))
    by_load = [[u.plot for u in units if u.load == load] for load in (1, 2, 3)]
    assert by_load[0] != by_load[1] != by_load[2]


def test_the_longest_plot_comes_first_and_one_without_a_limit_counts_as_long() -> None:
    configurations = [limited(1, 10), limited(2, 100), limited(3, None), limited(4, 50), limited(4, 60)]
    for seed in range(5):
        units = list(units_at_start(spec_of(order={"seed": seed}, runs=1), configurations))
        contexts = [u.jobs[0].configuration.parameters.num_ctx for u in units]
        assert contexts[0] == 4  # two jobs, 110 tokens
        assert set(contexts[1:3]) == {2, 3}
        assert contexts[3] == 1


@pytest.mark.parametrize(
    ("order", "warmup", "configurations", "expected"),
    [
        ({}, 1, points([512], [None], [0.0, 0.5]), False),
        ({}, 1, points([512, 1024], [None], [0.0]), True),
        ({}, 1, points([None], [None, 0], [0.0]), True),
        ({}, 1, [*points([None], [None], [0.0]), *points([None], [None], [0.0], model="other")], True),
        ({}, "unload", points([512, 1024], [None], [0.0]), False),
        ({"kind": "plots"}, "unload", points([512], [None], [0.0]), True),
        ({"kind": "blocks"}, 1, points([512, 1024], [None], [0.0]), False),
    ],
)
def test_plots_where_they_save_a_reload_or_are_asked_for(
    order: dict[str, Any], warmup: Any, configurations: list[Configuration], expected: bool
) -> None:
    assert has_plots(spec_of(order=order, warmup=warmup), configurations) is expected


@pytest.mark.parametrize(
    ("loads", "runs", "expected"), [(None, 20, 3), (None, 2, 2), (5, 20, 5), (5, 3, 3), (1, 1, 1)]
)
def test_there_are_never_more_loads_than_runs(loads: int | None, runs: int, expected: int) -> None:
    assert loads_of(spec_of(order={"loads": loads}), runs) == expected


def test_no_models_name_makes_two_plots_one() -> None:
    plain = Configuration(name="a", model="m", parameters=Parameters(num_ctx=1, num_gpu=2))
    odd = Configuration(name="b", model="m,num_ctx=1,num_gpu=2")
    assert plot_of(plain) == "model=m,num_ctx=1,num_gpu=2"
    assert plot_of(odd) != plot_of(plain)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["auto", "blocks", "plots"]), grids, st.integers(4, 9), st.data())
def test_a_later_block_has_each_chosen_configuration_once_and_a_load_of_its_own(
    kind: str, configurations: list[Configuration], block: int, data: st.DataObject
) -> None:
    spec = spec_of(order={"kind": kind}, runs={"min": 3, "max": 30, "until": {"ttft": 0.05}})
    chosen = data.draw(st.lists(st.sampled_from(configurations), unique_by=lambda c: c.id))
    runs = {c.id: block for c in chosen}
    units = units_of_block(spec, configurations, block, runs)
    assert Counter((job.configuration.id, job.run, job.block) for job in jobs_of(units)) == Counter(
        (c.id, block, block) for c in chosen
    )
    if has_plots(spec, configurations):
        assert sorted(u.plot or "" for u in units) == sorted({plot_of(c) for c in chosen})
        assert {u.load for u in units} <= {block}  # 3 loads at the start, then one a block
    else:
        assert [job.configuration for job in jobs_of(units)] == shuffled(chosen, 0, block)


def test_the_loads_of_later_blocks_are_numbered_on_from_those_of_the_start() -> None:
    spec = spec_of(order={"loads": 2}, runs={"min": 6, "max": 30, "until": {"ttft": 0.05}})
    configurations = points([1, 2], [None], [0.0, 0.5])
    assert max(u.load or 0 for u in units_at_start(spec, configurations)) == 2
    (unit,) = units_of_block(spec, configurations, 7, {configurations[0].id: 7})
    assert (unit.load, unit.jobs) == (3, (Planned(configurations[0], 7, 7, 3),))
    assert units_of_block(spec, configurations, 9, {configurations[0].id: 8})[0].load == 5


def test_a_block_of_the_start_is_none_that_was_decided_later() -> None:
    spec = spec_of(runs=3)
    with pytest.raises(ValueError, match="block 3 is one of the 3"):
        units_of_block(spec, points([1], [None], [0.0]), 3, {})


@pytest.mark.parametrize("kind", ["blocks", "plots"])
def test_units_are_made_one_at_a_time(kind: str) -> None:
    # 10,000 jobs: all at once would take some 1 MB.
    spec = spec_of(order={"kind": kind, "loads": 100}, runs=10_000)
    units = units_at_start(spec, points([1, 2], [None], [0.0]))
    next(units)
    tracemalloc.start()
    seen = 0
    for unit in units:
        seen += len(unit.jobs)
        if seen > 10_000:
            break
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen > 10_000
    assert peak < 100_000
