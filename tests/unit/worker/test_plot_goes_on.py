"""Within one load of a plot the server keeps its model; at the beginning of another it lets go of it."""

from __future__ import annotations

from typing import Any

from contracts.configuration import Configuration, Parameters
from contracts.job import JobSpec
from contracts.sweep import SweepSpec
from tests.support.sweeps import sweep_tree
from worker.preparation import _Plot


def job(load: int | None, temperature: float, **changes: Any) -> JobSpec:
    spec = SweepSpec.model_validate(sweep_tree())
    values: dict[str, Any] = {
        "sweep": "test",
        "execution": "x",
        "configuration": Configuration(name="c", model="m", parameters=Parameters(temperature=temperature)),
        "run": 1,
        "block": 1,
        "load": load,
        "workload": spec.workload,
        "corpus_digest": "0",
        "base_dir": "/",
        "server": spec.server,
        "warmup": 0,
        "deadline_s": 1.0,
        "pool": "test",
    }
    return JobSpec(**(values | changes))


def test_jobs_of_one_load_of_a_plot_go_on() -> None:
    plot = _Plot()
    assert [plot.goes_on(job(1, t)) for t in (0.1, 0.2, 0.1)] == [False, True, True]


def test_another_load_plot_or_execution_begins_anew() -> None:
    plot = _Plot()
    other = Configuration(name="d", model="m", parameters=Parameters(num_ctx=8))
    jobs = [job(1, 0.1), job(2, 0.1), job(2, 0.1, execution="y"), job(2, 0.1, configuration=other)]
    assert [plot.goes_on(one) for one in jobs] == [False] * 4


def test_without_plots_no_job_goes_on() -> None:
    plot = _Plot()
    assert [plot.goes_on(job(load, 0.1)) for load in (1, None, None, 1)] == [False] * 4
