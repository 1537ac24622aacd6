"""Energy is a stage's own only where nothing else was measured meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from contracts.call import Outcome
from contracts.outcome import AskedLoad, StageResult
from contracts.telemetry import GpuTelemetry, StageTelemetry
from worker.sampled import with_telemetry


class Sampler:
    """Saw one GPU at all times."""

    def between(self, start_ns: int, end_ns: int) -> StageTelemetry:
        gpu = GpuTelemetry(
            index=0,
            energy_j=(end_ns - start_ns) / 1.0,
            energy_source="counter",
            mean_power_w=1.0,
            max_power_w=2.0,
        )
        return StageTelemetry(samples=3, period_s=0.1, gpus=(gpu,))


def stage(name: str, begin: int, end: int, agent: str = "A", **more: Any) -> StageResult:
    at = datetime.now(UTC)
    return StageResult(
        stage=name, agent=agent, outcome=Outcome.OK, started_at=at, started_ns=begin, ended_ns=end, **more
    )


def energies(*stages: StageResult) -> list[float | None]:
    sampled = with_telemetry(stages, Sampler())  # type: ignore[arg-type]
    return [one.telemetry.gpus[0].energy_j for one in sampled if one.telemetry and one.telemetry.gpus]


def test_one_after_the_other_each_has_its_own() -> None:
    assert energies(stage("ingest", 0, 5), stage("analysis", 5, 9), stage("report", 9, 20)) == [5, 4, 11]


def test_of_stages_at_the_same_time_none_has_and_the_conditions_stay() -> None:
    stages = (
        stage("analysis", 0, 10),
        stage("report", 10, 30),
        stage("analysis", 0, 12, "B"),
        stage("report", 40, 50, "B"),
    )
    assert energies(*stages) == [None, None, None, 10]
    gpu = with_telemetry(stages, Sampler())[0].telemetry.gpus[0]  # type: ignore[arg-type,union-attr,index]
    assert (gpu.energy_source, gpu.mean_power_w, gpu.max_power_w) == (None, None, 2.0)


def test_a_stage_that_was_not_run_takes_nothing_from_another() -> None:
    assert energies(stage("report", 5, 5), stage("analysis", 0, 10, "B")) == [0, 10]


def test_a_load_has_the_energy_and_its_requests_have_none() -> None:
    requests = [stage("request", at, at + 8, asked=AskedLoad(request=at + 1)) for at in range(3)]
    load = stage("load", 0, 12, asked=AskedLoad())
    sampled = with_telemetry([load, *requests], Sampler())  # type: ignore[arg-type]
    assert [one.telemetry is None for one in sampled] == [False, True, True, True]
    assert energies(load, *requests) == [12]
