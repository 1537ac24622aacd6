"""What comes before a run: unloading, or short warm-up calls, each kept as a stage."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.call import Outcome
from contracts.configuration import Configuration, Parameters
from contracts.job import JobSpec
from contracts.sweep import ServerSpec
from contracts.workloads import AgentWorkload
from worker.caller import Caller
from worker.preparation import WARMUP_TOKENS, NotPrepared, prepare
from worker.servers.base import CallRequest, Recording
from worker.servers.verdict import not_sent


class Recorder:
    """A server that only unloads, and the calls that were made."""

    supports_schema = False
    url = "http://s"

    def __init__(self, problem: str | None = None, outcome: Outcome = Outcome.OK) -> None:
        self.problem = problem
        self.outcome = outcome
        self.did: list[Any] = []

    async def unload(self, model: str) -> str | None:
        self.did.append(f"unload {model}")
        return self.problem

    async def record(self, request: CallRequest, timeout_s: float) -> Recording:
        assert request.system is None
        self.did.append((request.model, request.parameters, request.answer_schema))
        return lambda: not_sent(self.outcome, "why")

    def caller(self, label: str = "chimera", model: str = "m", num_ctx: int | None = None) -> Caller:
        given = Parameters(top_k=3, num_predict=500, num_ctx=num_ctx)
        return Caller(label, self, model, given, "persona", lambda: 9.0)  # type: ignore[arg-type]


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
WARM = ("m", SHORT, None)


@pytest.mark.parametrize(
    ("fields", "did"),
    [
        ({"warmup": 0}, []),
        ({"warmup": 2}, [WARM, WARM]),
        ({"warmup": "unload"}, ["unload m"]),
        ({"warmup": 1, "reset": True}, ["unload m", WARM]),
        ({"warmup": "unload", "reset": True}, ["unload m"]),
    ],
)
async def test_what_is_done(fields: dict[str, Any], did: list[Any]) -> None:
    server = Recorder()
    stages = await prepare(job(**fields), [server.caller()])
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
    await prepare(job(workload=workload), [server.caller()])
    ((_, _, schema),) = server.did
    assert (schema is not None) == sent


async def test_a_failed_warm_up_is_kept_and_the_run_goes_on() -> None:
    server = Recorder(outcome=Outcome.TIMEOUT)
    (stage,) = await prepare(job(), [server.caller()])
    assert (stage.outcome, stage.reason) == (Outcome.TIMEOUT, "why")
    assert stage.call is not None and stage.call.outcome is Outcome.TIMEOUT


async def test_a_model_that_stays_loaded_ends_the_run() -> None:
    server = Recorder(problem="it stays")
    with pytest.raises(NotPrepared, match="it stays") as caught:
        await prepare(job(reset=True), [server.caller()])
    assert server.did == ["unload m"]
    stage = caught.value.stage
    assert (stage.stage, stage.outcome, stage.reason) == ("unload", Outcome.SERVER_ERROR, "it stays")


async def test_each_model_of_the_agents_is_unloaded_once_and_warmed_up_in_each_way_it_is_loaded() -> None:
    server, other = Recorder(), Recorder()
    other.url = "http://t"
    callers = [
        server.caller("A"),
        server.caller("B", num_ctx=64),
        server.caller("C", num_ctx=64),
        server.caller("D", model="n"),
        other.caller("E"),
    ]
    stages = await prepare(job(reset=True), callers)
    assert [(s.agent, s.stage) for s in stages] == [
        ("A", "unload"),
        ("D", "unload"),
        ("E", "unload"),
        ("A", "warmup"),
        ("B", "warmup"),
        ("D", "warmup"),
        ("E", "warmup"),
    ]
    wider = SHORT.model_copy(update={"num_ctx": 64})
    assert server.did == ["unload m", "unload n", WARM, ("m", wider, None), ("n", SHORT, None)]
    assert other.did == ["unload m", WARM]


async def test_what_was_done_before_a_model_stayed_loaded_is_kept() -> None:
    good, bad = Recorder(), Recorder(problem="it stays")
    bad.url = "http://t"
    with pytest.raises(NotPrepared) as caught:
        await prepare(job(warmup="unload"), [good.caller("A"), bad.caller("B")])
    assert [stage.agent for stage in caught.value.before] == ["A"]
    assert caught.value.stage.agent == "B"
