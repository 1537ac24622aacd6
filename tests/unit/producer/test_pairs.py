"""The points of an ``agent-pair`` sweep become configurations: together, and alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from contracts.configuration import Configuration
from contracts.failures import InputError
from contracts.plots import plot_of
from producer.personas import SHIPPED, persona_text
from producer.plan import Plan, make_plan
from producer.sweep_file import load
from tests.support.sweeps import write_sweep

PAIR = {"kind": "agent-pair", "paths": ["corpus"]}


def planned(folder: Path, workload: dict[str, Any], **changes: Any) -> Plan:
    path = write_sweep(folder, **{"workload": {**PAIR, **workload}, **changes})
    return make_plan(load(path), path)


def together(plan: Plan) -> list[Configuration]:
    return [c for c in plan.configurations if len(c.agents) > 1]


def alone(plan: Plan) -> list[Configuration]:
    return [c for c in plan.configurations if len(c.agents) == 1]


def test_each_point_is_measured_together_and_each_agent_alone(tmp_path: Path, corpus: Path) -> None:
    plan = planned(tmp_path, {}, axes={"temperature": [0.2, 0.8]})
    assert [c.name for c in plan.configurations] == [
        *("temperature=0.2", "temperature=0.8"),
        *(
            "temperature=0.2,solo=A",
            "temperature=0.2,solo=B",
            "temperature=0.8,solo=A",
            "temperature=0.8,solo=B",
        ),
    ]
    assert [role.label for role in together(plan)[0].agents] == ["A", "B"]
    assert together(plan)[0].agents[0] == alone(plan)[0].agents[0]
    assert len({c.id for c in plan.configurations}) == 6


def test_the_solo_runs_are_interleaved_with_the_others(tmp_path: Path, corpus: Path) -> None:
    plan = planned(tmp_path, {}, axes={}, runs=4)
    for block in range(1, 5):
        jobs = [job for unit in plan.units() for job in unit.jobs if job.block == block]
        assert {job.configuration.name for job in jobs} == {"default", "solo=A", "solo=B"}


def test_without_solo_runs_there_are_none(tmp_path: Path, corpus: Path) -> None:
    assert alone(planned(tmp_path, {"solo": False}, axes={})) == []


def test_a_baselines_work_is_measured_alone_once(tmp_path: Path, corpus: Path) -> None:
    plan = planned(tmp_path, {"scenario": "baseline-vs-candidate"}, axes={"temperature": [0.2, 0.8]})
    assert [c.agents[0].parameters.given() for c in together(plan)] == [{}, {}]
    assert [c.agents[1].parameters.given() for c in together(plan)] == [
        {"temperature": 0.2},
        {"temperature": 0.8},
    ]
    assert [c.name for c in alone(plan)] == ["solo=A", "temperature=0.2,solo=B", "temperature=0.8,solo=B"]


def test_own_parameters_and_models_are_put_over_the_points(tmp_path: Path, corpus: Path) -> None:
    agents = [
        {"label": "one", "persona": "collector", "parameters": {"temperature": 0.1}},
        {"label": "two", "persona": "Be brief and exact.", "model": "other", "server": "second"},
    ]
    plan = planned(
        tmp_path, {"scenario": "heterogeneous", "agents": agents}, axes={"temperature": [0.5], "top_k": [3]}
    )
    one, two = together(plan)[0].agents
    assert (one.parameters.given(), one.model) == ({"temperature": 0.1, "top_k": 3}, together(plan)[0].model)
    assert (two.parameters.temperature, two.model, two.server) == (0.5, "other", "second")
    assert two.persona == "Be brief and exact."
    assert together(plan)[0].models == (one.model, "other")


@pytest.mark.parametrize(
    ("workload", "message"),
    [
        ({"agents": 1}, "must be 2 to 16"),
        ({"agents": [{"label": "A", "persona": "insight"}]}, "at least 2"),
        (
            {"agents": [{"label": "A", "persona": "insight"}, {"label": "a", "persona": "insight"}]},
            "the label 'A'",
        ),
        (
            {"agents": [{"label": "A", "persona": "insight"}, {"label": "B", "persona": "nobody"}]},
            "agents[1].persona",
        ),
        (
            {"agents": [{"label": "A", "persona": "insight"}, {"label": "B", "persona": "./no.txt"}]},
            "can't be read",
        ),
        ({"scenario": "heterogeneous"}, "scenario: homogeneous"),
        (
            {
                "agents": [
                    {"label": "A", "persona": "insight", "model": "x"},
                    {"label": "B", "persona": "insight"},
                ]
            },
            "scenario: heterogeneous",
        ),
        (
            {
                "scenario": "heterogeneous",
                "agents": [
                    {"label": "A", "persona": "insight", "parameters": {"rate": 2.0}},
                    {"label": "B", "persona": "insight"},
                ],
            },
            "for the workload 'prompts'",
        ),
    ],
    ids=[
        "one",
        "list-of-one",
        "same-label",
        "no-persona",
        "no-file",
        "nothing-own",
        "own-in-homogeneous",
        "load",
    ],
)
def test_what_is_wrong_with_agents_is_said(
    tmp_path: Path, corpus: Path, workload: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as failed:
        planned(tmp_path, workload)
    assert message in str(failed.value)
    assert "sweep.yaml" in str(failed.value)


def test_more_agents_have_the_shipped_personas_in_turn(tmp_path: Path, corpus: Path) -> None:
    plan = planned(tmp_path, {"agents": 3}, axes={})
    assert [role.label for role in together(plan)[0].agents] == ["A", "B", "C"]
    texts = [role.persona for role in together(plan)[0].agents]
    assert texts[0] == texts[2] == persona_text("collector", tmp_path)
    assert texts[1] == persona_text("insight", tmp_path)


def test_a_personas_text_is_part_of_what_is_measured(tmp_path: Path, corpus: Path) -> None:
    file = tmp_path / "mine.txt"
    agents = [{"label": "A", "persona": "./mine.txt"}, {"label": "B", "persona": "insight"}]
    file.write_text("Write about ducks.")
    before = planned(tmp_path, {"agents": agents}, axes={})
    file.write_text("Write about geese.")
    after = planned(tmp_path, {"agents": agents}, axes={})
    assert together(before)[0].agents[0].persona == "Write about ducks."
    same = {c.name: c.id for c in before.configurations}
    changed = [c.name for c in after.configurations if same[c.name] != c.id]
    assert changed == ["default", "solo=A"]


def test_agents_that_load_alike_are_one_plot(tmp_path: Path, corpus: Path) -> None:
    plan = planned(tmp_path, {}, server="ollama", axes={"num_ctx": [1024, 2048]})
    assert plan.plots == 2
    agents = [
        {"label": "A", "persona": "collector", "parameters": {"num_ctx": 512}},
        {"label": "B", "persona": "insight"},
    ]
    mixed = planned(
        tmp_path, {"scenario": "heterogeneous", "agents": agents}, server="ollama", axes={"num_ctx": [1024]}
    )
    assert len({plot_of(c) for c in mixed.configurations}) == 3


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_personas_are_texts_of_their_own(name: str, tmp_path: Path) -> None:
    assert len(persona_text(name, tmp_path).split()) > 40


def test_an_agents_parameters_are_checked_against_the_server(tmp_path: Path, corpus: Path) -> None:
    agents = [
        {"label": "A", "persona": "collector", "parameters": {"num_ctx": 512}},
        {"label": "B", "persona": "insight"},
    ]
    with pytest.raises(InputError, match="num_ctx can't be set by a request"):
        planned(tmp_path, {"scenario": "heterogeneous", "agents": agents}, server="openai", axes={})


def test_the_baseline_is_a_configuration_of_all_agents(tmp_path: Path, corpus: Path) -> None:
    plan = planned(tmp_path, {}, axes={"temperature": [0.2, 0.8]}, baseline={"temperature": 0.8})
    assert plan.baseline is not None
    assert (plan.baseline.name, len(plan.baseline.agents)) == ("temperature=0.8", 2)


def test_work_shared_by_some_points_keeps_names_apart(tmp_path: Path, corpus: Path) -> None:
    agents = [
        {"label": "A", "persona": "collector", "parameters": {"temperature": 0.1}},
        {"label": "B", "persona": "insight"},
    ]
    axes = {"temperature": [0.2, 0.8], "top_k": [10, 20]}
    plan = planned(tmp_path, {"scenario": "heterogeneous", "agents": agents}, axes=axes)
    names = [c.name for c in plan.configurations]
    assert len(set(names)) == len(names) == 4 + 2 + 4
    assert [c.agents[0].parameters.top_k for c in alone(plan) if c.agents[0].label == "A"] == [10, 20]


def test_points_that_no_agent_tells_apart_are_refused(tmp_path: Path, corpus: Path) -> None:
    agents = [{"label": label, "persona": "insight", "parameters": {"temperature": 0.1}} for label in "AB"]
    with pytest.raises(
        InputError, match=r"temperature=0\.2' and 'temperature=0\.4' are the same for all agents"
    ):
        planned(
            tmp_path,
            {"scenario": "heterogeneous", "agents": agents},
            axes={"temperature": [0.2, 0.4]},
            baseline={"temperature": 0.2},
        )


def test_a_changed_persona_is_another_sweep(tmp_path: Path, corpus: Path) -> None:
    file = tmp_path / "mine.txt"
    agents = [{"label": "A", "persona": "./mine.txt"}, {"label": "B", "persona": "insight"}]
    file.write_text("Write about ducks.")
    before = planned(tmp_path, {"agents": agents}, axes={}).sweep_id
    file.write_text("Write about geese.")
    assert planned(tmp_path, {"agents": agents}, axes={}).sweep_id != before


def test_a_persona_is_a_text_where_no_such_file_is(tmp_path: Path) -> None:
    assert persona_text("/no_think You are brief.", tmp_path) == "/no_think You are brief."
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is no file"):
        persona_text("./pipe", tmp_path)
