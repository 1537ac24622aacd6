"""Formulas over a stage's telemetry."""

from __future__ import annotations

import pytest

from contracts.telemetry import GpuTelemetry, StageTelemetry, joules_per_token


@pytest.mark.parametrize(
    ("energy_j", "tokens", "expected"),
    [(120.0, 48, 2.5), (0.5, 1, 0.5), (120.0, 0, None), (None, 48, None), (120.0, None, None)],
)
def test_joules_per_token(energy_j: float | None, tokens: int | None, expected: float | None) -> None:
    assert joules_per_token(energy_j, tokens) == expected


def stage(*gpus: GpuTelemetry) -> StageTelemetry:
    return StageTelemetry(samples=3, period_s=0.1, gpus=gpus)


@pytest.mark.parametrize(
    ("energies", "expected"), [([], None), ([1.5], 1.5), ([1.5, 2.0], 3.5), ([1.5, None], None)]
)
def test_energy_of_all_gpus(energies: list[float | None], expected: float | None) -> None:
    assert stage(*(GpuTelemetry(index=i, energy_j=e) for i, e in enumerate(energies))).energy_j == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [([], None), ([False], False), ([False, True], True), ([False, None], None), ([None, True], True)],
)
def test_throttled_by_any_gpu(known: list[bool | None], expected: bool | None) -> None:
    assert stage(*(GpuTelemetry(index=i, throttled=t) for i, t in enumerate(known))).throttled is expected


def test_without_nvml_nothing_is_known_of_gpus() -> None:
    bare = StageTelemetry(samples=3, period_s=0.1)
    assert (bare.gpus, bare.energy_j, bare.throttled) == (None, None, None)


def test_it_reads_back_from_json() -> None:
    whole = stage(
        GpuTelemetry(index=1, uuid="GPU-a", energy_j=2.5, energy_source="counter", throttle_reasons=("x",))
    )
    assert StageTelemetry.model_validate_json(whole.model_dump_json()) == whole
