"""Jobs made from a manifest: the same ids by every way, whatever the sweep."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.failures import InputError
from contracts.jobs import JobMaker
from contracts.manifest import Round
from contracts.plots import units_of_block
from contracts.sweep import SweepSpec
from producer.plan import configurations
from tests.support.sweeps import sweep_tree


def some(values: list[Any]) -> st.SearchStrategy[list[Any] | None]:
    return st.none() | st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


@st.composite
def makers(draw: st.DrawFn) -> JobMaker:
    kind = draw(st.sampled_from(["ollama", "openai", "llama.cpp"]))
    axes = {
        "model": draw(some(["a", "b", "c:7b"])),
        "temperature": draw(some([0.0, 0.2, 1, "default"])),
        "num_predict": draw(some([1, 100, "default"])),
        "seed": draw(some([1, 2])),
    }
    if kind == "ollama":
        axes |= {"num_gpu": draw(some([0, 10, "default"])), "num_ctx": draw(some([512, "default"]))}
    loads = draw(st.none() | st.integers(1, 4))
    tree = sweep_tree(
        server={"kind": kind, "prompt_cache": draw(st.booleans())},
        model=None if axes["model"] else "ref",
        axes={name: values for name, values in axes.items() if values},
        runs=draw(
            st.integers(1, 5)
            | st.builds(lambda n: {"min": n, "max": 9, "until": {"ttft": "5%"}}, st.integers(2, 4))
        ),
        warmup=draw(st.sampled_from([0, 1, 3] + (["unload"] if kind == "ollama" else []))),
        deadline=draw(st.sampled_from([1, 20.5, 600])),
        pool=draw(st.sampled_from(["default", "h100"])),
        workload={"paths": ["corpus"], "digest_tokens": draw(st.sampled_from([64, 2000]))},
        order={
            "kind": draw(st.sampled_from(["auto", "blocks", "plots"])) if loads is None else "plots",
            "seed": draw(st.integers(0, 9)),
            **({} if loads is None else {"loads": loads}),
        },
    )
    spec = SweepSpec.model_validate(tree)
    try:
        points = configurations(spec)
    except InputError:  # two points that are one
        points = configurations(SweepSpec.model_validate(sweep_tree()))
    return JobMaker(spec, draw(st.sampled_from(["c0", "c1"])), "/", points, "x")


@given(maker=makers())
@settings(max_examples=150, deadline=None)
def test_a_jobs_id_is_the_same_by_every_way(maker: JobMaker) -> None:
    units = list(maker.units())
    jobs = [job for unit in units for job in unit.jobs]
    made = [maker.job(job) for job in jobs]
    ids = [job.job_id for job in made]
    assert [maker.job_id(job) for job in jobs] == ids
    assert len(set(ids)) == len(ids) == len(maker.configurations) * maker.spec.first_runs
    for configuration in maker.configurations:
        own = {job.run: job.job_id for job in made if job.configuration == configuration}
        assert maker.job_ids(configuration, maker.spec.first_runs) == [own[run] for run in sorted(own)]
        assert maker.configuration(configuration.id) == configuration
    assert maker.configuration("none") is None


@given(maker=makers())
@settings(max_examples=80, deadline=None)
def test_the_list_of_jobs_is_that_of_the_units(maker: JobMaker) -> None:
    units = list(maker.units())
    jobs = [maker.job(job) for unit in units for job in unit.jobs]
    listed = list(maker.listed(units))
    assert [(line.job_id, line.configuration, line.run, line.block, line.load) for line in listed] == [
        (job.job_id, job.configuration.name, job.run, job.block, job.load) for job in jobs
    ]


@given(maker=makers(), data=st.data())
@settings(max_examples=80, deadline=None)
def test_a_later_block_is_made_again_from_its_record(maker: JobMaker, data: st.DataObject) -> None:
    points = list(maker.configurations)
    chosen = data.draw(st.lists(st.sampled_from(points), min_size=1, unique_by=lambda c: c.id))
    block = maker.spec.first_runs + data.draw(st.integers(1, 3))
    runs = {c.id: maker.spec.first_runs + 1 for c in chosen}
    units = units_of_block(maker.spec, maker.configurations, block, runs)
    recorded = Round(
        block=block, decided_at=datetime.now(UTC), jobs=tuple(maker.listed(units)), standings=(), why="w"
    )
    assert maker.units_of(recorded) == units
    start = list(maker.units())
    assert list(maker.units([recorded])) == [*start, *units]
    ids = [line.job_id for line in maker.listed(maker.units([recorded]))]
    assert len(set(ids)) == len(ids)
    ended = recorded.model_copy(update={"jobs": ()})
    assert maker.units_of(ended) == [] and list(maker.units([ended])) == start
