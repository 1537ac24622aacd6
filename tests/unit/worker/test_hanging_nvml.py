from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from worker.telemetry import host


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A driver that does not come back."""
    release = threading.Event()
    monkeypatch.setattr(host, "gpu_identities", lambda _: release.wait())
    monkeypatch.setattr(host, "NVML_S", 0.05)
    yield
    release.set()


def test_a_driver_that_hangs_does_not_hang_the_job(hanging: None) -> None:
    assert host.host_identity().gpus is None


def test_nobody_is_asked_where_no_gpu_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "gpu_identities", lambda _: pytest.fail("NVML was asked"))
    assert host.host_identity(gpu_indices=[]).gpus == ()
