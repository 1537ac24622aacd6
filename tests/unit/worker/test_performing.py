"""A whole job against a reference server in this process: who was asked, what was measured, and whose server it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.reference_server import ReferenceServer, Settings
from contracts.call import Outcome
from contracts.configuration import AgentRole, Configuration, Parameters
from contracts.corpus import digest, discover
from contracts.failures import InputError
from contracts.job import JobSpec
from contracts.outcome import ServerIdentity
from contracts.prompts_file import read_prompts
from contracts.settings import DATA_ROOT, WorkerSettings
from contracts.sweep import ServerSpec
from contracts.workloads import AgentPairWorkload, AgentWorkload
from tests.support import loads
from tests.support.present import present
from worker.measured import Measured, Started
from worker.performing import common, perform


@pytest.fixture
async def server() -> AsyncIterator[ReferenceServer]:
    async with ReferenceServer(Settings(ttft_ms=3, itl_ms=1, tokens=30)) as started:
        yield started


@pytest.fixture(autouse=True)
def _everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_ROOT, raising=False)


def job(corpus: Path, workload: Any, *roles: AgentRole, **changes: Any) -> JobSpec:
    fields: dict[str, Any] = {
        "kind": workload.kind,
        "sweep": "s",
        "execution": "e",
        "configuration": Configuration(
            name="c", model=changes.pop("model", "ref"), parameters=Parameters(), agents=roles
        ),
        "run": 1,
        "block": 1,
        "workload": workload,
        "corpus_digest": digest(discover([corpus], [corpus.name])),
        "base_dir": str(corpus.parent),
        "server": ServerSpec(kind="ollama", retries=0),
        "warmup": 1,
        "deadline_s": 30.0,
        "pool": "p",
    }
    return JobSpec(**(fields | changes))


async def performed(spec: JobSpec, url: str, *also: tuple[str, str]) -> Measured:
    return await perform(spec, Started.now(WorkerSettings("s0", "p", url, None, 60.0, also), 1))


def outcomes(measured: Measured) -> list[tuple[str, str, Outcome]]:
    return [(stage.agent, stage.stage, stage.outcome) for stage in measured.stages]


async def test_an_agents_job(server: ReferenceServer, corpus: Path) -> None:
    measured = await performed(job(corpus, AgentWorkload(paths=(corpus.name,))), server.url)
    assert [stage for _, stage, _ in outcomes(measured)] == ["warmup", "ingest", "analysis", "report"]
    assert present(measured.server).model == "ref:latest"
    assert measured.agents == () and (measured.wall_s or 0) >= 0


async def test_the_job_of_two_agents(server: ReferenceServer, corpus: Path) -> None:
    workload = AgentPairWorkload(kind="agent-pair", paths=(corpus.name,))
    roles = [AgentRole(label=label, persona=f"You are {label}.", model="ref") for label in "ab"]
    measured = await performed(job(corpus, workload, *roles, warmup=0), server.url)
    assert sorted((agent, stage) for agent, stage, _ in outcomes(measured)) == [
        (agent, stage) for agent in "ab" for stage in ("analysis", "ingest", "report")
    ]
    assert [agent.role for agent in measured.agents] == roles
    assert {agent.server for agent in measured.agents} == {measured.server}, "they share it"
    assert len(server.log.requests) == 4, "each was asked twice"


async def test_agents_on_two_servers_have_no_server_in_common(corpus: Path) -> None:
    workload = AgentPairWorkload(kind="agent-pair", paths=(corpus.name,))
    roles = [
        AgentRole(label="a", persona="", model="ref"),
        AgentRole(label="b", persona="", model="ref", server="other"),
    ]
    fast = Settings(ttft_ms=3, itl_ms=1, tokens=30)
    async with ReferenceServer(fast) as one, ReferenceServer(fast) as other:
        spec = job(corpus, workload, *roles, warmup=0)
        measured = await performed(spec, one.url, ("other", other.url))
    assert measured.server is None
    assert [present(agent.server).url for agent in measured.agents] == [one.url, other.url]


async def test_a_job_that_can_not_begin_cold_is_lost(server: ReferenceServer, corpus: Path) -> None:
    spec = job(corpus, AgentWorkload(paths=(corpus.name,)), warmup="unload", server=ServerSpec(kind="openai"))
    measured = await performed(spec, server.url)
    assert [stage.stage for stage in measured.stages] == ["unload", "ingest", "analysis", "report"]
    assert {stage.outcome for stage in measured.stages[1:]} == {Outcome.LOST}
    assert all((stage.reason or "").startswith("not run: ") for stage in measured.stages[1:])
    assert not server.log.requests and present(measured.server).software == "llama.cpp"


async def test_prompts_of_a_file_relative_to_the_sweep(server: ReferenceServer, tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "one two"}\n{"prompt": "three four"}\n')
    workload = {"file": "prompts.jsonl", "requests": 2}
    spec = loads.job(workload, digest=read_prompts(tmp_path / "prompts.jsonl").digest, concurrency=1)
    measured = await performed(spec.model_copy(update={"base_dir": str(tmp_path)}), server.url)
    assert [stage.stage for stage in measured.stages] == ["load", "request", "request"]
    assert {stage.outcome for stage in measured.stages} == {Outcome.OK}


async def test_prompts_outside_of_the_only_folder_are_not_read(
    server: ReferenceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "secret.jsonl").write_text('{"prompt": "one two"}\n')
    (tmp_path / "data" / "prompts.jsonl").symlink_to(tmp_path / "secret.jsonl")
    monkeypatch.setenv(DATA_ROOT, str(tmp_path / "data"))
    spec = loads.job({"file": "prompts.jsonl", "requests": 1})
    with pytest.raises(
        InputError, match=r"prompts\.jsonl leads out of .*data, the only folder that is read here"
    ):
        await performed(spec, server.url)


def test_without_a_server_there_is_none_in_common() -> None:
    one, other = (ServerIdentity(kind="ollama", url=f"http://127.0.0.1:{n}") for n in (1, 2))
    assert common([one, one]) == one
    assert common([one, other]) is None and common([one, None]) is None and common([None, None]) is None
