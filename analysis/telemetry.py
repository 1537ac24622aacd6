"""What was sampled beside the calls of each stage."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.models import TelemetryOfStage
from analysis.rows import Sampled
from analysis.statistics.estimate import SdKind, estimate
from analysis.table import Columns, known
from contracts.telemetry import joules_per_token


def telemetry_by_stage(valid: Columns, sd: SdKind) -> tuple[TelemetryOfStage, ...]:
    """Summarise the valid calls that hold a sample, stage by stage in the order of first appearance.

    Failed and suspect calls are left out: their energy is not that of the work.
    """
    sampled: dict[str, list[tuple[int | None, Sampled]]] = {}
    for stage, tokens, one in zip(valid.stage, valid.tokens, valid.sampled, strict=True):
        if one is not None and one[0]:
            sampled.setdefault(stage, []).append((tokens, Sampled._make(one)))
    return tuple(_of_stage(stage, found, sd) for stage, found in sampled.items())


def _of_stage(stage: str, found: Sequence[tuple[int | None, Sampled]], sd: SdKind) -> TelemetryOfStage:
    tokens = [number for number, _ in found]
    columns = dict(zip(Sampled._fields, zip(*(one for _, one in found), strict=True), strict=True))
    energy: Sequence[float | None] = columns["energy_j"]
    throttled = known(columns["throttled"])
    held_back = [one for _, one in found if one.throttled]
    return TelemetryOfStage(
        stage=stage,
        calls=len(found),
        gpus=max(known(columns["gpus"]), default=None),
        power_w=estimate(columns["power_w"], sd),
        energy_j=estimate(energy, sd),
        joules_per_token=estimate(map(joules_per_token, energy, tokens), sd),
        peak_memory_bytes=max(known(columns["peak_memory_bytes"]), default=None),
        peak_temperature_c=max(known(columns["peak_temperature_c"]), default=None),
        throttled_calls=sum(throttled) if throttled else None,
        throttle_reasons=tuple(sorted({reason for one in held_back for reason in one.reasons})),
        cpu_busy_percent=estimate(columns["cpu_busy_percent"], sd),
        cpu_steal_percent=estimate(columns["cpu_steal_percent"], sd),
    )
