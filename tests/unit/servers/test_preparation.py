"""What comes before a run: unloading, or short warm-up calls, each kept as a stage."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.call import CallResult, Outcome
from contracts.configuration import Configuration, Parameters
from contracts.job import JobSpec
from contracts.sweep import ServerSpec
from contracts.workloads import AgentWorkload
from worker.preparation import WARMUP_TOKENS, NotPrepared, prepare
from worker.servers.verdict import not_sent


class Recorder:
    """A server that only unloads, and the calls that were made."""

    supports_schema = False

    def __init__(self, problem: str | None = None, outcome: Outcome = Outcome.OK) -> None:
        self.problem = problem
        self.outcome = outcome
        self.did: list[Any] = []

    async def unload(self, model: str) -> str | None:
        self.did.append(f"unload {model}")
        return self.problem

    async def call(self, prompt: str, parameters: Parameters, schema: dict[str, Any] | None) -> CallResult:
        self.did.append((parameters, schema))
        return not_sent(self.outcome, "why")


def job(**fields: Any) -> JobSpec:
    known: dict[str, Any] = {
        "sweep": "s",
        "execution": "e",
        "configuration": Configuration(name="c", model="m", parameters=Parameters(top_k=3, num_predict=500)),
        "run": 1,
        "block": 1,
        "workload": AgentWorkload(paths=("corpus",)),
        "corpus_digest": "d",
        "base_dir": "/",
        "server": ServerSpec(kind="ollama"),
        "warmup": 1,
        "deadline_s": 60.0,
        "pool": "p",
    }
    return JobSpec(**(known | fields))


SHORT = Parameters(top_k=3, num_predict=WARMUP_TOKENS)


@pytest.mark.parametrize(
    ("fields", "did"),
    [
        ({"warmup": 0}, []),
        ({"warmup": 2}, [(SHORT, None), (SHORT, None)]),
        ({"warmup": "unload"}, ["unload m"]),
        ({"warmup": 1, "reset": True}, ["unload m", (SHORT, None)]),
        ({"warmup": "unload", "reset": True}, ["unload m"]),
    ],
)
async def test_what_is_done(fields: dict[str, Any], did: list[Any]) -> None:
    server = Recorder()
    stages = await prepare(job(**fields), server, server.call)  # type: ignore[arg-type]
    assert server.did == did
    assert [stage.stage for stage in stages] == [
        "unload" if isinstance(done, str) else "warmup" for done in did
    ]
    assert all(stage.phase == "warmup" and stage.ended_ns >= stage.started_ns for stage in stages)


@pytest.mark.parametrize(("supports", "structured", "sent"), [(True, "auto", True), (True, "off", False)])
async def test_the_schema_of_the_workload_is_warmed_up_too(
    supports: bool, structured: str, sent: bool
) -> None:
    server = Recorder()
    server.supports_schema = supports
    workload = AgentWorkload.model_validate({"paths": ["corpus"], "structured": structured})
    await prepare(job(workload=workload), server, server.call)  # type: ignore[arg-type]
    ((_, schema),) = server.did
    assert (schema is not None) == sent


async def test_a_failed_warm_up_is_kept_and_the_run_goes_on() -> None:
    server = Recorder(outcome=Outcome.TIMEOUT)
    (stage,) = await prepare(job(), server, server.call)  # type: ignore[arg-type]
    assert (stage.outcome, stage.reason) == (Outcome.TIMEOUT, "why")
    assert stage.call is not None and stage.call.outcome is Outcome.TIMEOUT


async def test_a_model_that_stays_loaded_ends_the_run() -> None:
    server = Recorder(problem="it stays")
    with pytest.raises(NotPrepared, match="it stays") as caught:
        await prepare(job(reset=True), server, server.call)  # type: ignore[arg-type]
    assert server.did == ["unload m"]
    stage = caught.value.stage
    assert (stage.stage, stage.outcome, stage.reason) == ("unload", Outcome.SERVER_ERROR, "it stays")
