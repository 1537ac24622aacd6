"""The server's side of a job: identify → prepare → the workload → identify."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contracts.call import CallResult
from contracts.corpus import resolve_roots
from contracts.failures import InputError
from contracts.job import JobSpec
from contracts.outcome import AgentOutcome, ServerIdentity, StageResult
from contracts.settings import DATA_ROOT
from contracts.workloads import AgentPairWorkload, AgentWorkload, CorpusWorkload, PromptsWorkload
from worker.caller import Caller, callers_of
from worker.identifying import identify_after, identify_before
from worker.lost import lost_agents, lost_stages
from worker.measured import Measured, Started
from worker.preparation import NotPrepared, prepare, rest
from worker.reading_aside import giving_way, read_aside
from worker.workloads.agent import Ask, run_agent
from worker.workloads.agent_pair import Member, run_pair
from worker.workloads.prompts import run_prompts


async def perform(spec: JobSpec, started: Started) -> Measured:
    """Measure the job; a failed call is data.

    Raises:
        ChimeraError: the job can't be carried out here.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + spec.deadline_s
    async with callers_of(
        spec.configuration, spec.server, started.settings, lambda: deadline - loop.time()
    ) as callers:
        before = await identify_before(callers)
        try:
            prepared = await prepare(spec, callers)
        except NotPrepared as error:
            lost = lost_stages(spec, started, f"not run: {error}")
            return Measured(common(before), (*error.before, error.stage, *lost), agents=lost_agents(spec))
        run = await _run(spec, callers, prepared)
        stages = (*prepared, *run.stages)
        servers = await identify_after(callers, before, stages)
        return Measured(
            server=common(servers),
            stages=stages,
            agent_result=run.agent_result,
            agents=tuple(
                agent.model_copy(update={"server": server})
                for agent, server in zip(run.agents, servers, strict=False)  # a workload may know no agents
            ),
            wall_s=run.wall_s,
        )


def common(servers: Sequence[ServerIdentity | None]) -> ServerIdentity | None:
    """Return the server that all agents used, with one model; ``None``: there is no such."""
    return servers[0] if all(server == servers[0] for server in servers) else None


async def _run(spec: JobSpec, callers: Sequence[Caller], prepared: Sequence[StageResult]) -> Measured:
    """Return the workload's stages and results; the servers are not told yet."""
    match spec.workload:
        case AgentWorkload():
            return await _agent(spec, spec.workload, callers[0])
        case AgentPairWorkload():
            await rest(prepared)
            return await _pair(spec, spec.workload, callers)
        case PromptsWorkload():
            await rest(prepared)
            return await _prompts(spec, spec.workload, callers[0])


async def _agent(spec: JobSpec, workload: AgentWorkload, caller: Caller) -> Measured:
    base, inside = _folders(spec)
    run = await run_agent(
        workload,
        resolve_roots(workload.paths, base),
        _ask(caller, workload, aside=False),
        expected_digest=spec.corpus_digest,
        use_schema=caller.server.supports_schema,
        inside=inside,
    )
    return Measured(None, run.stages, run.result, wall_s=run.wall_s)


async def _pair(spec: JobSpec, workload: AgentPairWorkload, callers: Sequence[Caller]) -> Measured:
    base, inside = _folders(spec)
    members = [
        Member(
            caller.label,
            _ask(caller, workload, aside=True),
            use_schema=workload.structured == "auto" and caller.server.supports_schema,
        )
        for caller in callers
    ]
    with giving_way():
        run = await run_pair(
            workload,
            resolve_roots(workload.paths, base),
            members,
            expected_digest=spec.corpus_digest,
            inside=inside,
        )
    agents = tuple(
        AgentOutcome(role=role, result=member.result, exec_s=member.exec_s)
        for role, member in zip(spec.configuration.agents, run.members, strict=True)
    )
    return Measured(None, run.stages, agents=agents, wall_s=run.wall_s)


async def _prompts(spec: JobSpec, workload: PromptsWorkload, caller: Caller) -> Measured:
    file = None
    if workload.file is not None:
        base, inside = _folders(spec)
        file = resolve_roots((workload.file,), base)[0]
        if inside is not None and not file.resolve().is_relative_to(inside.resolve()):
            raise InputError(
                f"workload.file: {file} leads out of {inside}, the only folder that is read here"
            )
    run = await run_prompts(spec, caller.server, file=file, left_s=caller.left_s)
    return Measured(None, run.stages, wall_s=run.wall_s)


def _folders(spec: JobSpec) -> tuple[Path, Path | None]:
    """Return the folder that relative paths are relative to, and the only one that is read (``None``: any is)."""
    data_root = os.environ.get(DATA_ROOT)
    return Path(data_root or spec.base_dir), Path(data_root) if data_root else None


def _ask(caller: Caller, workload: CorpusWorkload, *, aside: bool) -> Ask:
    """``aside``: other calls run while an answer is read."""

    async def ask(stage: str, prompt: str, schema: dict[str, Any] | None) -> CallResult:
        recording = await caller.ask(prompt, schema, workload.min_words)
        return await read_aside(recording) if aside else recording()

    return ask
