"""What was sampled beside the calls of each stage."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.models import Call, TelemetryOfStage
from analysis.statistics.estimate import SdKind, estimate
from contracts.records import StageRecord
from contracts.telemetry import GpuTelemetry, StageTelemetry, joules_per_token


def telemetry_by_stage(
    records: Sequence[StageRecord], calls: Sequence[Call], sd: SdKind
) -> tuple[TelemetryOfStage, ...]:
    """Summarise the valid calls that hold a sample, stage by stage in the order of first appearance.

    ``records`` are those of the measured calls, in the same order. Failed and suspect calls are left out:
    their energy is not that of the work.
    """
    sampled: dict[str, list[tuple[StageRecord, StageTelemetry]]] = {}
    for record, call in zip(records, calls, strict=True):
        if call.valid and record.telemetry is not None and record.telemetry.samples:
            sampled.setdefault(record.stage, []).append((record, record.telemetry))
    return tuple(_of_stage(stage, found, sd) for stage, found in sampled.items())


def power_w(telemetry: StageTelemetry) -> float | None:
    """Mean power of all sampled GPUs together, W; ``None`` where there is none or one is not known."""
    powers = [gpu.mean_power_w for gpu in telemetry.gpus or ()]
    known = [power for power in powers if power is not None]
    return sum(known) if known and len(known) == len(powers) else None


def throttle_reasons(telemetry: StageTelemetry) -> tuple[str, ...]:
    """Return what held back any of the GPUs, each reason once, sorted."""
    return tuple(sorted({reason for gpu in telemetry.gpus or () for reason in gpu.throttle_reasons or ()}))


def _of_stage(
    stage: str, sampled: Sequence[tuple[StageRecord, StageTelemetry]], sd: SdKind
) -> TelemetryOfStage:
    samples = [telemetry for _, telemetry in sampled]
    gpus: list[GpuTelemetry] = [gpu for telemetry in samples for gpu in telemetry.gpus or ()]
    throttled = [telemetry.throttled for telemetry in samples if telemetry.throttled is not None]
    held_back = [telemetry for telemetry in samples if telemetry.throttled]
    return TelemetryOfStage(
        stage=stage,
        calls=len(samples),
        gpus=max((len(t.gpus) for t in samples if t.gpus is not None), default=None),
        power_w=estimate(map(power_w, samples), sd),
        energy_j=estimate((telemetry.energy_j for telemetry in samples), sd),
        joules_per_token=estimate((joules_per_token(t.energy_j, r.tokens) for r, t in sampled), sd),
        peak_memory_bytes=max(
            (gpu.peak_memory_bytes for gpu in gpus if gpu.peak_memory_bytes is not None), default=None
        ),
        peak_temperature_c=max(
            (gpu.peak_temperature_c for gpu in gpus if gpu.peak_temperature_c is not None), default=None
        ),
        throttled_calls=sum(throttled) if throttled else None,
        throttle_reasons=tuple(sorted({reason for t in held_back for reason in throttle_reasons(t)})),
        cpu_busy_percent=estimate((telemetry.cpu_busy_percent for telemetry in samples), sd),
        cpu_steal_percent=estimate((telemetry.cpu_steal_percent for telemetry in samples), sd),
    )
