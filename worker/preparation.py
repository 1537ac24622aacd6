"""What comes before the measured stages of a run: unloading the model, or warm-up calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from contracts.call import CallResult, Outcome
from contracts.configuration import Parameters
from contracts.job import JobSpec
from contracts.outcome import StageResult
from contracts.plots import plot_of
from contracts.workloads import CorpusWorkload
from worker.measurement.clock import now_ns
from worker.servers import ModelServer
from worker.workloads.agent import WARMUP_PROMPT
from worker.workloads.agent.prompts import load_prompts

WARMUP_TOKENS = 8
"""Length limit of a warm-up answer: enough to load the model and its first kernels."""

Call = Callable[[str, Parameters, dict[str, Any] | None], Awaitable[CallResult]]
"""``(prompt, parameters, schema)`` → the call."""


class _Plot:
    """Which load of which plot this process measured last: within one, the server keeps what it has loaded."""

    def __init__(self) -> None:
        self._last: tuple[str, str, int] | None = None

    def goes_on(self, spec: JobSpec) -> bool:
        """Return whether the job goes on with it."""
        before = self._last
        self._last = None
        if spec.load is not None:
            self._last = (spec.execution, plot_of(spec.configuration), spec.load)
        return self._last is not None and self._last == before


_plot = _Plot()


class NotPrepared(Exception):
    """The run can't begin as the sweep asks; its stage says why."""

    def __init__(self, stage: StageResult) -> None:
        super().__init__(stage.reason)
        self.stage = stage


async def prepare(spec: JobSpec, server: ModelServer, call: Call) -> tuple[StageResult, ...]:
    """Bring the server into the state in which the run begins; return what was done, stage by stage.

    Raises:
        NotPrepared: the model could not be unloaded.
    """
    stages = []
    goes_on = _plot.goes_on(spec)
    if spec.warmup == "unload" or (spec.reset and not goes_on):
        stages.append(await _unload(spec.configuration.model, server))
    warmups = 0 if spec.warmup == "unload" else spec.warmup
    short = spec.configuration.parameters.model_copy(update={"num_predict": WARMUP_TOKENS})
    # llama.cpp takes seconds for the first schema of its life, which no counter shows.
    workload = spec.workload
    structured = (
        isinstance(workload, CorpusWorkload) and workload.structured == "auto" and server.supports_schema
    )
    schema = load_prompts().answer_schema if structured else None
    for _ in range(warmups):
        stages.append(await _warmup(call, short, schema))
    return tuple(stages)


async def _unload(model: str, server: ModelServer) -> StageResult:
    at, begin_ns = datetime.now(UTC), now_ns()
    problem = await server.unload(model)
    stage = StageResult(
        stage="unload",
        phase="warmup",
        outcome=Outcome.OK if problem is None else Outcome.SERVER_ERROR,
        reason=problem,
        started_at=at,
        started_ns=begin_ns,
        ended_ns=now_ns(),
    )
    if problem is not None:
        raise NotPrepared(stage)
    return stage


async def _warmup(call: Call, parameters: Parameters, schema: dict[str, Any] | None) -> StageResult:
    at, begin_ns = datetime.now(UTC), now_ns()
    result = await call(WARMUP_PROMPT, parameters, schema)
    return StageResult(
        stage="warmup",
        phase="warmup",
        outcome=result.outcome,
        reason=result.reason,
        started_at=at,
        started_ns=begin_ns,
        ended_ns=now_ns(),
        call=result,
    )
