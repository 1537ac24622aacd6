"""What the telemetry says about each stage of a run, as far as it is the stage's own."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.outcome import StageResult
from contracts.telemetry import StageTelemetry
from worker.telemetry.sampler import TelemetrySampler


def with_telemetry(stages: Sequence[StageResult], sampler: TelemetrySampler) -> tuple[StageResult, ...]:
    """Return the stages with their telemetry.

    - A single request of a load gets none: the load as a whole has it.
    - A stage that another one overlapped, as those of agents that run at the same time, gets what was seen of host and GPUs
      meanwhile: these are the conditions that it was measured under (clocks, throttling, memory, utilisation). It gets no
      energy and no mean power: the GPU spent them on both, and nothing tells how much on which.
    """
    spans = [measured_ns(stage) for stage in stages if not _is_request(stage)]
    return tuple(
        stage if _is_request(stage) else stage.model_copy(update={"telemetry": _of(stage, spans, sampler)})
        for stage in stages
    )


def measured_ns(stage: StageResult) -> tuple[int, int]:
    """Return the time that a stage's energy belongs to: the call's own, without pauses and earlier sendings."""
    if stage.call is None:
        return stage.started_ns, stage.ended_ns
    return stage.call.timing.sent_ns, stage.call.timing.end_ns


def _is_request(stage: StageResult) -> bool:
    return stage.asked is not None and stage.asked.request is not None


def _of(stage: StageResult, spans: Sequence[tuple[int, int]], sampler: TelemetrySampler) -> StageTelemetry:
    begin, end = measured_ns(stage)
    seen = sampler.between(begin, end)
    overlapped = sum(max(begin, other[0]) < min(end, other[1]) for other in spans) > 1  # itself is one
    return _without_energy(seen) if overlapped else seen


def _without_energy(seen: StageTelemetry) -> StageTelemetry:
    if not seen.gpus:
        return seen
    none = {"energy_j": None, "energy_source": None, "mean_power_w": None}
    return seen.model_copy(update={"gpus": tuple(gpu.model_copy(update=none) for gpu in seen.gpus)})
