"""Several agents over the same files: each reads them, then the calls of all begin at one barrier.

One agent is measured alone by the same code, so that nothing but the other agents makes the difference.

**Ingest** is done before the barrier, by one agent after the other, each for itself: its CPU time falls into nobody's calls, and
the time in each agent's stage is its own, as in its solo runs. (Read once for all, the stages of all agents but one would hold a
copy of the one's time.) The files come from the system's cache then; so they do in the runs after the first.

**Reading the answers.** An agent needs its analysis for its report, so that answer is read (JSON, some 10 µs of CPU a frame) while
the others' calls run. ``ask`` is to read it beside the loop (:mod:`worker.reading_aside`): what of the others' bytes comes
meanwhile has the kernel's stamps, but several frames that are read together have only the last one's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.call import Outcome
from contracts.formulas import NS_PER_S
from contracts.outcome import AgentResult, StageResult
from contracts.workloads import CorpusWorkload
from worker.measurement.clock import now_ns
from worker.workloads.agent import STAGES, Ask, Material, ask_agent, read_material
from worker.workloads.agent.timed import not_run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """One of the agents that run at the same time."""

    label: str
    ask: Ask
    """Performs one of its calls, with its persona; never raises for a failed call."""
    use_schema: bool
    """Give its server the JSON schema of the analysis."""


@dataclass(frozen=True)
class MemberRun:
    """What one agent came to: always the three stages, in order, with its label."""

    stages: tuple[StageResult, ...]
    result: AgentResult
    exec_s: float | None
    """From the barrier to the end of its last stage, s; ``None``: it had nothing to call with."""


@dataclass(frozen=True)
class PairRun:
    """One run of all agents, in their order."""

    members: tuple[MemberRun, ...]
    wall_s: float | None
    """From the barrier to the end of the last stage of all, s."""

    @property
    def stages(self) -> tuple[StageResult, ...]:
        """The stages of all, agent by agent."""
        return tuple(stage for member in self.members for stage in member.stages)


async def run_pair(
    workload: CorpusWorkload,
    roots: list[Path],
    members: Sequence[Member],
    *,
    expected_digest: str | None,
    inside: Path | None = None,
) -> PairRun:
    """Perform one run. ``roots``, ``expected_digest`` and ``inside`` as of :func:`worker.workloads.agent.read_material`.

    Agents whose files can't be read stay away from the barrier. Whatever happens to one agent, the others go on;
    cancellation ends all.
    """
    materials = [
        read_material(workload, roots, expected_digest=expected_digest, inside=inside) for _ in members
    ]
    barrier = _Barrier(sum(material.result is not None for material in materials))
    runs = await asyncio.gather(
        *(_perform(member, material, barrier) for member, material in zip(members, materials, strict=True))
    )
    spans = [run.exec_s for run in runs if run.exec_s is not None]
    return PairRun(tuple(runs), max(spans, default=None))


class _Barrier:
    """Holds the agents until all are there; knows when it opened."""

    def __init__(self, parties: int) -> None:
        self._barrier = asyncio.Barrier(parties) if parties else None
        self.opened_ns: int | None = None

    async def wait(self) -> int:
        """Wait for the others; return when the first of all went on, ns."""
        assert self._barrier is not None
        await self._barrier.wait()
        if self.opened_ns is None:
            self.opened_ns = now_ns()
        return self.opened_ns


async def _perform(member: Member, material: Material, barrier: _Barrier) -> MemberRun:
    opened_ns = await barrier.wait() if material.result is not None else None
    try:
        run = await ask_agent(material, member.ask, use_schema=member.use_schema, persona=True)
        stages, result = run.stages, run.result
    except Exception as error:  # a defect in reading one agent's answer must not end the others
        log.exception("agent %s failed", member.label)
        why = f"internal error: {type(error).__name__}: {error}"
        stages = (material.stage, *(not_run(stage, Outcome.LOST, why) for stage in STAGES[1:]))
        result = AgentResult(ingest=material.result)
    exec_s = None if opened_ns is None else (stages[-1].ended_ns - opened_ns) / NS_PER_S
    labelled = tuple(stage.model_copy(update={"agent": member.label}) for stage in stages)
    return MemberRun(labelled, result, exec_s)
