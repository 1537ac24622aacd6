from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from contracts.outcome import GpuIdentity
from worker.telemetry import host


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A driver that does not come back."""
    release = threading.Event()
    monkeypatch.setattr(host, "gpu_identities", lambda _: release.wait())
    monkeypatch.setattr(host, "NVML_S", 0.05)
    yield
    release.set()


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_known", {})


def test_a_driver_that_hangs_does_not_hang_the_job(hanging: None) -> None:
    assert host.host_identity().gpus is None


def test_nobody_is_asked_where_no_gpu_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "gpu_identities", lambda _: pytest.fail("NVML was asked"))
    assert host.host_identity(gpu_indices=[]).gpus == ()


def test_who_the_machine_is_is_found_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "gpu_identities", lambda _: (GpuIdentity(index=0),))
    first = host.host_identity()
    monkeypatch.setattr(host, "gpu_identities", lambda _: pytest.fail("NVML was asked again"))
    assert host.host_identity() is first


def test_a_silent_driver_is_asked_again_but_not_by_every_job(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(host, "gpu_identities", asked.append)  # returns None: no NVML
    assert host.host_identity().gpus is None
    assert host.host_identity().gpus is None
    assert len(asked) == 1
    monkeypatch.setattr(host, "AGAIN_S", -1.0)
    assert host.host_identity().gpus is None
    assert len(asked) == 2
