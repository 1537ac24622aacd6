"""What a system does not tell of itself is missing, and no reason to fail."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

import pytest

from worker.telemetry import host
from worker.telemetry.host import boot_id


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"], ids=["no file", "empty", "no text"])
def test_a_system_without_an_id_of_its_boot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "boot_id").write_bytes(content)
    monkeypatch.setattr(host, "_BOOT_ID", tmp_path / "boot_id")
    assert boot_id.__wrapped__() is None  # not what this process knows of itself


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("processor : 0\nmodel name\t: A CPU @ 3 GHz\n", "A CPU @ 3 GHz"),
        ("processor : 0\nmodel name :\n", "by its platform"),
        (None, "by its platform"),
    ],
    ids=["named", "without a name", "no file"],
)
def test_a_cpus_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cpuinfo: str | None, name: str) -> None:
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(host, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "processor", lambda: "by its platform")
    assert host._cpu_name() == name


def test_code_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert host._version() == "unknown"
