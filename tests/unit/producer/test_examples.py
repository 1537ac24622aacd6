"""The sweeps that Chimera ships are planned: how many configurations and jobs each makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.slots import ModelLimits
from producer.inert import inert_lines
from producer.plan import Plan, make_plan
from producer.sweep_file import load

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SIZES = {
    "quickstart.yaml": (2, 6),
    "precise.yaml": (4, 12),
    "ollama.yaml": (3, 15),
    "pair.yaml": (3, 12),
    "concurrency.yaml": (4, 12),
    "open_loop.yaml": (5, 25),
    "saturation.yaml": (1, 3),
    "studies/36_points.yaml": (36, 108),
    "studies/18_points.yaml": (19, 57),
    "studies/pair_homogeneous.yaml": (12, 60),
    "studies/pair_heterogeneous.yaml": (6, 30),
    "studies/pair_baseline_vs_candidate.yaml": (13, 65),
    "studies/models.yaml": (3, 18),
}
"""File → configurations (with those of agents alone), jobs of the start."""


def planned(name: str) -> Plan:
    return make_plan(load(EXAMPLES / name), EXAMPLES / name)


def test_every_example_is_here() -> None:
    assert sorted(SIZES) == sorted(str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.yaml"))


@pytest.mark.parametrize("name", sorted(SIZES))
def test_an_example_is_planned(name: str) -> None:
    plan = planned(name)
    assert (len(plan.configurations), plan.size) == SIZES[name]


def test_the_study_of_36_points_has_its_axes() -> None:
    points = {tuple(c.parameters.given().values()) for c in planned("studies/36_points.yaml").configurations}
    assert points == {
        (g, x, t) for g in (40, 60, 80, 999) for x in (1024, 2048, 4096) for t in (0.2, 0.4, 0.8)
    }


def test_the_study_of_18_points_has_its_axes_and_the_servers_defaults() -> None:
    plan = planned("studies/18_points.yaml")
    assert plan.baseline is not None and plan.baseline.parameters.given() == {}
    points = {tuple(c.parameters.given().values()) for c in plan.configurations if c != plan.baseline}
    assert points == {(g, x, t) for g in (60, 80, 120) for x in (256, 512, 1024) for t in (0.6, 0.8)}


def test_the_plan_of_a_study_says_which_values_are_one() -> None:
    limits = {"gemma3:latest": ModelLimits(layers=34, context=131072)}
    said = " ".join(inert_lines(planned("studies/36_points.yaml"), limits))
    assert "num_gpu" in said and "40" in said and "999" in said


def test_the_comparison_of_models_is_of_three_sizes() -> None:
    assert [c.model for c in planned("studies/models.yaml").configurations] == [
        "gemma3:270m",
        "gemma3:1b",
        "gemma3:latest",
    ]
