"""Plans of sweeps that run until precise, and their baseline."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from contracts.failures import InputError
from contracts.plots import units_of_block
from producer.manifest import make_manifest
from producer.plan import Plan, make_plan
from producer.sweep_file import load
from producer.tables import plan_json, show_plan
from tests.support.sweeps import write_sweep

UNTIL = {"min": 2, "max": 9, "until": {"throughput": "1%", "ttft": "5%"}}


def planned(folder: Path, **changes: Any) -> Plan:
    path = write_sweep(folder, **changes)
    return make_plan(load(path), path)


def ids(plan: Plan) -> list[str]:
    return [job.job_id for job in plan.maker("x").listed(plan.units())]


def shown(plan: Plan) -> str:
    stream = StringIO()
    show_plan(plan, None, None, [], Console(file=stream, width=200))
    return stream.getvalue()


def test_the_start_is_that_of_a_fixed_sweep_with_the_least_runs(tmp_path: Path, corpus: Path) -> None:
    adaptive, fixed = planned(tmp_path, runs=UNTIL), planned(tmp_path, runs=2)
    assert ids(adaptive) == ids(fixed)
    assert adaptive.sweep_id != fixed.sweep_id
    assert (adaptive.size, adaptive.most_jobs) == (4, 18)
    assert (fixed.size, fixed.most_jobs) == (4, 4)


def test_a_jobs_id_does_not_depend_on_how_it_was_asked_for(tmp_path: Path, corpus: Path) -> None:
    one = planned(tmp_path, runs=UNTIL)
    other = planned(tmp_path, runs=UNTIL | {"max": 5, "until": {"itl": 0.1}, "max_jobs": 8, "max_time": "1h"})
    assert ids(one) == ids(other)
    units = units_of_block(one.spec, one.configurations, 3, {c.id: 3 for c in one.configurations})
    later = [job.job_id for job in one.maker("x").listed(units)]
    fixed = planned(tmp_path, runs=3)
    assert later == [job.job_id for job in fixed.maker("x").listed(fixed.units()) if job.block == 3]


def test_the_baseline_changes_no_job(tmp_path: Path, corpus: Path) -> None:
    with_it, without = planned(tmp_path, baseline={"temperature": 0.8}), planned(tmp_path)
    assert ids(with_it) == ids(without)
    assert with_it.baseline is not None and with_it.baseline.name == "temperature=0.8"
    assert without.baseline is None
    assert make_manifest(with_it).baseline == "temperature=0.8"
    assert make_manifest(without).baseline is None


@pytest.mark.parametrize(
    ("baseline", "found"),
    [
        ({"temperature": 0.2, "num_ctx": 512}, "num_ctx=512,temperature=0.2"),
        ({"temperature": "default"}, "num_ctx=default,temperature=default"),
        ({"temperature": 0.2}, "2 configurations agree with it (num_ctx=512,temperature=0.2, num_ctx=1024,"),
        ({"model": "ref"}, "5 configurations agree with it (num_ctx=512,temperature=0.2, "),
        ({"temperature": 0.3}, "no configuration agrees with it: temperature has 0.2, 0.8, default"),
        ({"top_k": 10}, "no configuration agrees with it: top_k has default"),
    ],
)
def test_the_baseline_is_one_configuration(
    tmp_path: Path, corpus: Path, baseline: dict[str, Any], found: str
) -> None:
    changes = {"axes": {"temperature": [0.2, 0.8], "num_ctx": [512, 1024]}, "include": [{}]}
    try:
        plan = planned(tmp_path, baseline=baseline, **changes)
    except InputError as error:
        line = (tmp_path / "sweep.yaml").read_text().splitlines().index("baseline:") + 1
        assert str(error).startswith(f"{tmp_path / 'sweep.yaml'}:{line}: baseline: {found}")
    else:
        assert plan.baseline is not None and plan.baseline.name == found


def test_a_limit_of_jobs_below_the_least_runs_is_an_error(tmp_path: Path, corpus: Path) -> None:
    with pytest.raises(InputError, match=r"sweep.yaml:\d+: runs.max_jobs: 3 jobs are fewer than 2 config"):
        planned(tmp_path, runs=UNTIL | {"max_jobs": 3})
    assert planned(tmp_path, runs=UNTIL | {"max_jobs": 4}).most_jobs == 4


def test_more_jobs_than_can_be_are_refused_by_their_most(tmp_path: Path, corpus: Path) -> None:
    axes = {"seed": list(range(101)), "top_k": [1, 2]}
    assert planned(tmp_path, axes=axes, runs=UNTIL | {"max": 4950}).size == 404
    with pytest.raises(InputError, match="more than 1000000"):
        planned(tmp_path, axes=axes, runs=UNTIL | {"max": 4951})


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ("min: 9", "runs: max (3) is less than min (9)"),
        ("mim: 2", "runs.mim: unknown key"),
        ("min: x", "runs.min: must be a whole number (got 'x')"),
        ("max_time: soon", "runs.max_time: must be a number of seconds, or a time such as 90min"),
    ],
)
def test_wrong_runs_are_named_with_key_and_line(tmp_path: Path, runs: str, expected: str) -> None:
    path = write_sweep(tmp_path)
    path.write_text(path.read_text().replace("runs: 3", "runs:\n  until: {ttft: 5%}\n  max: 3\n  " + runs))
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:") and expected in str(caught.value)


def test_the_plan_says_the_least_and_the_most(tmp_path: Path, corpus: Path) -> None:
    plan = planned(tmp_path, runs=UNTIL | {"max_time": "2h"}, baseline={"temperature": 0.8})
    text = shown(plan)
    assert "4 … 18 = 2 configurations × 2 … 9 runs" in text
    assert "until throughput ±1 %, ttft ±5 %; no block begins after 2.0 h" in text
    assert "baseline   #2 temperature=0.8" in text
    tree = json.loads(plan_json(plan, []))
    assert tree["runs"] == {"min": 2, "max": 9} and (tree["jobs_min"], tree["jobs_max"]) == (4, 18)
    assert tree["until"] == {"throughput": 0.01, "ttft": 0.05} and tree["max_time"] == 7200
    assert tree["baseline"] == "temperature=0.8" and len(tree["jobs"]) == 4


def test_the_plan_of_a_fixed_sweep_says_one_number(tmp_path: Path, corpus: Path) -> None:
    text = shown(planned(tmp_path))
    assert "6 = 2 configurations × 3 runs" in text and "until" not in text and "baseline" not in text
