from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from contracts.failures import InputError
from contracts.job import JobSpec
from contracts.sweep import SweepSpec
from producer.plan import Plan, configurations, make_plan
from producer.sweep_file import load
from tests.support.sweeps import sweep_tree, write_sweep


def planned(path: Path) -> Plan:
    return make_plan(load(path), path)


def names(**changes: Any) -> list[str]:
    return [c.name for c in configurations(SweepSpec.model_validate(sweep_tree(**changes)))]


def jobs_of(plan: Plan, execution: str = "x") -> list[JobSpec]:
    """Return the jobs of the start, in their order."""
    maker = plan.maker(execution)
    return [maker.job(job) for unit in plan.units() for job in unit.jobs]


def ids(jobs: list[JobSpec]) -> list[str]:
    return [job.job_id for job in jobs]


def test_the_same_file_gives_the_same_ids_on_another_machine(tmp_path: Path, corpus: Path) -> None:
    path = write_sweep(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copytree(corpus, elsewhere / "corpus")
    shutil.copy(path, elsewhere / "sweep.yaml")
    for file in (elsewhere / "corpus").iterdir():
        os.utime(file, (1, 1))
    here, there = planned(path), planned(elsewhere / "sweep.yaml")
    assert here.sweep_id == there.sweep_id
    assert ids(jobs_of(here, "now")) == ids(jobs_of(there, "later"))


def test_the_ids_are_these(tmp_path: Path, corpus: Path) -> None:
    # A change of these breaks the comparison with every earlier result: raise SCHEMA_VERSION with it.
    plan = planned(write_sweep(tmp_path, runs=1))
    assert plan.sweep_id == "030d1ca4cc01e61b"
    assert sorted(ids(jobs_of(plan))) == ["50eabeb7785b8b2a", "92bc0a8e1baf2010"]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "other"},
        {"warmup": 1},
        {"deadline": 21},
        {"pool": "other"},
        {"server": {"kind": "ollama", "prompt_cache": False}},
        {"workload": {"paths": ["corpus"], "digest_tokens": 100}},
    ],
)
def test_what_is_measured_changes_the_ids(tmp_path: Path, corpus: Path, changes: dict[str, Any]) -> None:
    before = ids(jobs_of(planned(write_sweep(tmp_path))))
    after = ids(jobs_of(planned(write_sweep(tmp_path, **changes))))
    assert not set(before) & set(after)


def test_the_name_of_the_sweep_is_not_measured(tmp_path: Path, corpus: Path) -> None:
    before, after = planned(write_sweep(tmp_path)), planned(write_sweep(tmp_path, name="other"))
    assert ids(jobs_of(before)) == ids(jobs_of(after))
    assert before.sweep_id != after.sweep_id


def test_the_content_of_the_files_is_measured(tmp_path: Path, corpus: Path) -> None:
    before = ids(jobs_of(planned(write_sweep(tmp_path))))
    (corpus / "c.md").write_text("# Notes\n\nSomething.\n")
    assert not set(before) & set(ids(jobs_of(planned(write_sweep(tmp_path)))))


def test_every_block_holds_one_run_of_every_configuration(tmp_path: Path, corpus: Path) -> None:
    plan = planned(write_sweep(tmp_path, axes={"temperature": [0.1, 0.2, 0.3, 0.4, 0.5]}, runs=8))
    jobs = jobs_of(plan)
    assert len(set(ids(jobs))) == plan.size == len(jobs) == 40
    orders = set()
    for block in range(1, 9):
        inside = jobs[(block - 1) * 5 : block * 5]
        assert {job.block for job in inside} == {job.run for job in inside} == {block}
        assert Counter(job.configuration.name for job in inside) == Counter(
            c.name for c in plan.configurations
        )
        orders.add(tuple(job.configuration.name for job in inside))
    assert len(orders) > 4  # randomised, not one order eight times


def test_the_seed_decides_the_order(tmp_path: Path, corpus: Path) -> None:
    axes = {"temperature": [0.1, 0.2, 0.3, 0.4, 0.5]}
    one, again, other = (
        ids(jobs_of(planned(write_sweep(tmp_path, axes=axes, order={"seed": seed})))) for seed in (1, 1, 2)
    )
    assert one == again != other
    assert sorted(one) == sorted(other)


def test_include_and_exclude(tmp_path: Path) -> None:
    assert names(
        axes={"temperature": [0.2, 0.8], "num_ctx": [512, 1024]},
        exclude=[{"temperature": 0.8, "num_ctx": 512}],
        include=[{"temperature": 0.5}, {"temperature": 0.2, "num_ctx": 512}],
    ) == [
        "num_ctx=512,temperature=0.2",
        "num_ctx=1024,temperature=0.2",
        "num_ctx=1024,temperature=0.8",
        "num_ctx=default,temperature=0.5",
    ]


def test_a_sweep_without_a_varying_axis_has_the_default_configuration() -> None:
    assert names(axes={"temperature": [0.2]}) == ["default"]
    assert names(axes=None) == ["default"]


def test_models_can_be_an_axis() -> None:
    assert names(model=None, axes={"model": ["a", "b"]}) == ["model=a", "model=b"]


def test_nothing_left_is_an_error(tmp_path: Path, corpus: Path) -> None:
    with pytest.raises(InputError, match="exclude: leaves no configuration"):
        planned(write_sweep(tmp_path, exclude=[{"model": "ref"}]))


def test_a_missing_or_empty_root_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"workload.paths: .*corpus: no such file"):
        planned(write_sweep(tmp_path))
    (tmp_path / "corpus").mkdir()
    with pytest.raises(InputError, match="no csv, json or md file"):
        planned(write_sweep(tmp_path))


def test_values_that_differ_have_names_that_differ() -> None:
    assert names(axes={"temperature": [0.12345671, 0.12345672]}) == [
        "temperature=0.12345671",
        "temperature=0.12345672",
    ]


def test_a_product_without_bounds_is_refused(tmp_path: Path, corpus: Path) -> None:
    names_of_axes = ("num_ctx", "top_k", "seed", "num_predict")
    axes = {name: list(range(1, 100 + place)) for place, name in enumerate(names_of_axes)}
    with pytest.raises(InputError, match=r"axes: their product makes \d+ jobs, more than 1000000"):
        planned(write_sweep(tmp_path, axes=axes))


def test_the_folder_of_the_sweep_file_has_no_say_in_the_ids(tmp_path: Path) -> None:
    plans = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "data.csv").write_text("a\n1\n")
        plans.append(planned(write_sweep(folder, workload={"paths": ["."]})))
    assert plans[0].sweep_id == plans[1].sweep_id


@pytest.mark.parametrize("path", ["cor\0pus", "~nobody-of-this-name/x"])
def test_a_path_that_no_system_has_is_an_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match=r"workload\.paths"):
        planned(write_sweep(tmp_path, workload={"paths": [path]}))


@pytest.mark.parametrize(
    ("values", "kind", "resets"),
    [
        ([10, "default"], "ollama", [False, True]),
        ([10, 20], "ollama", [False, False]),
        (["default"], "ollama", [False]),
    ],
)
def test_what_is_left_to_ollama_is_reset_if_another_configuration_sets_it(
    tmp_path: Path, corpus: Path, values: list[Any], kind: str, resets: list[bool]
) -> None:
    plan = planned(write_sweep(tmp_path, server=kind, axes={"num_gpu": values}, runs=1))
    jobs = {job.configuration.id: job.reset for job in jobs_of(plan)}
    assert [jobs[c.id] for c in plan.configurations] == resets
