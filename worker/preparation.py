"""What comes before the measured stages of a run: unloading the models, or warm-up calls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.call import Outcome
from contracts.formulas import NS_PER_S
from contracts.job import JobSpec
from contracts.outcome import StageResult
from contracts.plots import plot_of
from contracts.workloads import CorpusWorkload
from worker.caller import Caller
from worker.measurement.clock import now_ns
from worker.workloads.agent import WARMUP_PROMPT
from worker.workloads.agent.prompts import load_prompts

WARMUP_TOKENS = 8
"""Length limit of a warm-up answer: enough to load the model and its first kernels."""
MAX_REST_S = 5.0


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

    def __init__(self, stage: StageResult, before: Sequence[StageResult] = ()) -> None:
        super().__init__(stage.reason)
        self.stage = stage
        self.before = tuple(before)
        """What was done until then."""


async def prepare(spec: JobSpec, callers: Sequence[Caller]) -> tuple[StageResult, ...]:
    """Bring the servers into the state in which the run begins; return what was done, stage by stage.

    Each model is unloaded once on each server, and warmed up once in each way that it is loaded. A stage has the name of
    the first agent that it is for.

    Raises:
        NotPrepared: a model could not be unloaded.
    """
    stages: list[StageResult] = []
    goes_on = _plot.goes_on(spec)
    if spec.warmup == "unload" or (spec.reset and not goes_on):
        for caller in _first_of(callers, loaded=False):
            stage = await _unload(caller)
            if not stage.outcome.valid:
                raise NotPrepared(stage, stages)
            stages.append(stage)
    warmups = 0 if spec.warmup == "unload" else spec.warmup
    workload = spec.workload
    for caller in _first_of(callers, loaded=True):
        # llama.cpp takes seconds for the first schema of its life, which no counter shows.
        structured = (
            isinstance(workload, CorpusWorkload)
            and workload.structured == "auto"
            and caller.server.supports_schema
        )
        schema = load_prompts().answer_schema if structured else None
        stages += [await _warmup(caller, schema) for _ in range(warmups)]
    return tuple(stages)


async def rest(stages: Iterable[StageResult]) -> None:
    """Wait until servers are done with the warm-up answers that they cut: two token times after each.

    A client waits by itself before its own next call (Ollama may give it the cut answer's next token, docs/servers.md), but for
    a load's requests. Where several begin at a barrier each has to be free of the others' warm-up calls, and none may wait
    beyond the barrier.
    """
    await asyncio.sleep(max((_rest_s(stage) for stage in stages), default=0.0))


def _rest_s(stage: StageResult) -> float:
    if stage.call is None or stage.call.outcome is not Outcome.TRUNCATED:
        return 0.0
    timing = stage.call.timing
    texts = timing.text_ns
    # With one frame the time of a token is not known: less than that to the first one.
    token_ns = (texts[-1] - texts[0]) / (len(texts) - 1) if len(texts) > 1 else timing.end_ns - timing.sent_ns
    return max(min(2 * token_ns / NS_PER_S, MAX_REST_S) - (now_ns() - timing.end_ns) / NS_PER_S, 0.0)


def _first_of(callers: Iterable[Caller], *, loaded: bool) -> list[Caller]:
    """Return the first caller of each model on each server; ``loaded``: and of each way to load it."""
    found: dict[tuple[object, ...], Caller] = {}
    for caller in callers:
        given = caller.parameters
        way = (given.num_ctx, given.num_gpu) if loaded else ()
        found.setdefault((caller.server.url, caller.model, *way), caller)
    return list(found.values())


async def _unload(caller: Caller) -> StageResult:
    at, begin_ns = datetime.now(UTC), now_ns()
    problem = await caller.server.unload(caller.model)
    return StageResult(
        stage="unload",
        agent=caller.label,
        phase="warmup",
        outcome=Outcome.OK if problem is None else Outcome.SERVER_ERROR,
        reason=problem,
        started_at=at,
        started_ns=begin_ns,
        ended_ns=now_ns(),
    )


async def _warmup(caller: Caller, schema: dict[str, Any] | None) -> StageResult:
    at, begin_ns = datetime.now(UTC), now_ns()
    result = await caller.warm_up(WARMUP_PROMPT, WARMUP_TOKENS, schema)
    return StageResult(
        stage="warmup",
        agent=caller.label,
        phase="warmup",
        outcome=result.outcome,
        reason=result.reason,
        started_at=at,
        started_ns=begin_ns,
        ended_ns=now_ns(),
        call=result,
    )
