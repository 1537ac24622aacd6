"""GPU and host beside the calls of each stage."""

from __future__ import annotations

from analysis.models import ConfigurationSummary, TelemetryOfStage
from analysis.rendering.document import Paragraph, Section
from analysis.rendering.layout.tables import Column, sparse_table
from analysis.rendering.numbers import ABSENT, count, mean_sd, value
from analysis.statistics.estimate import Estimate

_GIB = 2**30


def telemetry_sections(c: ConfigurationSummary) -> tuple[Section, ...]:
    """Return the section, or nothing where nothing was sampled."""
    stages = c.telemetry

    def estimates(name: str) -> tuple[str, ...]:
        return tuple(_mean(getattr(stage, name), stage.calls) for stage in stages)

    table = sparse_table(
        (
            Column("Stage", "l", tuple(stage.stage for stage in stages), keep=True),
            Column("Valid calls", "r", tuple(str(stage.calls) for stage in stages), keep=True),
            Column("Mean power (W)", "r", estimates("power_w")),
            Column("Energy (J)", "r", estimates("energy_j")),
            Column("Energy per token (J)", "r", estimates("joules_per_token")),
            Column("Peak GPU memory (GiB)", "r", tuple(map(_memory, stages))),
            Column("Peak temp. (°C)", "r", tuple(count(stage.peak_temperature_c) for stage in stages)),
            Column("Throttled calls", "r", tuple(count(stage.throttled_calls) for stage in stages)),
            Column("Host busy (%)", "r", tuple(value(stage.cpu_busy_percent.mean) for stage in stages)),
            Column("Host stolen (%)", "r", tuple(value(stage.cpu_steal_percent.mean) for stage in stages)),
        )
    )
    return (Section("Telemetry", (table, *_several_gpus(c))),) if table is not None else ()


def _mean(estimate: Estimate, calls: int) -> str:
    """The mean over valid calls; with its n where not every call tells."""
    if not estimate.n:
        return ABSENT
    return mean_sd(estimate) + (f" (n = {estimate.n})" if estimate.n != calls else "")


def _memory(stage: TelemetryOfStage) -> str:
    return ABSENT if stage.peak_memory_bytes is None else f"{stage.peak_memory_bytes / _GIB:.2f}"


def _several_gpus(c: ConfigurationSummary) -> tuple[Paragraph, ...]:
    most = max((stage.gpus or 0 for stage in c.telemetry), default=0)
    if most < 2:
        return ()
    return (
        Paragraph(
            f"Power and energy are those of all {most} sampled GPUs together; memory and temperature the highest of one."
        ),
    )
