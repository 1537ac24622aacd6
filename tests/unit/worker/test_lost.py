"""A job that could not be carried out has every stage of its workload, each lost, with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.call import Outcome
from contracts.configuration import AgentRole, Configuration, Parameters
from contracts.settings import WorkerSettings
from contracts.workloads import AgentPairWorkload, AgentWorkload
from tests.support.loads import job
from worker.lost import lost_agents, lost_stages
from worker.measured import Started

STARTED = Started.now(WorkerSettings("s0", "p", "http://127.0.0.1:1", None, 60.0), 1)
ROLES = tuple(AgentRole(label=label, persona="", model="m", parameters=Parameters()) for label in ("a", "b"))
PAIR = Configuration(name="c", model="m", parameters=Parameters(), agents=ROLES)


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        (
            {"workload": AgentWorkload(paths=("x",))},
            [("chimera", "ingest"), ("chimera", "analysis"), ("chimera", "report")],
        ),
        (
            {"workload": AgentPairWorkload(kind="agent-pair", paths=("x",)), "configuration": PAIR},
            [(agent, stage) for agent in "ab" for stage in ("ingest", "analysis", "report")],
        ),
        ({}, [("chimera", "load")]),
    ],
    ids=["agent", "agent-pair", "prompts"],
)
def test_every_stage_is_lost(changes: dict[str, Any], stages: list[tuple[str, str]]) -> None:
    spec = job({"requests": 1}).model_copy(update=changes)
    lost = lost_stages(spec, STARTED, "its worker died")
    assert [(stage.agent, stage.stage) for stage in lost] == stages
    assert {(stage.outcome, stage.reason) for stage in lost} == {(Outcome.LOST, "its worker died")}
    assert all(stage.started_ns == STARTED.ns <= stage.ended_ns for stage in lost)
    assert [agent.role for agent in lost_agents(spec)] == list(spec.configuration.agents)
    assert all(agent.exec_s is None for agent in lost_agents(spec))
