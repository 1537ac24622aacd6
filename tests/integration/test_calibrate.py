"""Calibration on real workers: the floor is measured, stored, shown and printed in the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.floor import MeasurementFloor
from contracts.manifest import Manifest
from producer.doctor import examine
from tests.support.cluster import Cluster, Shell, wait_for
from tests.support.sweeps import write_sweep


@pytest.fixture
def calibrated(cluster: Cluster) -> Cluster:
    cluster.slot("s0", cluster.reference_server(ttft_ms=20, itl_ms=1, tokens=20))
    cluster.aggregator()
    run = cluster.python("calibrate", "-m", "producer", "calibrate", "--json")
    wait_for(lambda: not run.alive, seconds=90, what="chimera calibrate ends")
    assert run.returncode == 0, run.log.read_text()
    return cluster


def test_the_floor_is_stored_shown_and_in_the_report(
    calibrated: Cluster, tmp_path: Path, corpus: Path
) -> None:
    floor = calibrated.store.floor("s0")
    assert floor is not None and floor.calls >= 2
    assert floor.clock == "kernel"
    (printed,) = json.loads((calibrated.folder / "calibrate.log").read_text())
    assert MeasurementFloor.model_validate(printed) == floor

    wait_for(
        lambda: (status := calibrated.store.slot("s0")) and status.floor, what="the slot shows its floor"
    )
    (said,) = [finding for finding in examine(calibrated.url) if finding.part == "floor"]
    assert said.good and said.what.startswith("s0: TTFT ± ")

    output, folder = calibrated.run(write_sweep(tmp_path, runs=1), "--calibrate")
    assert "calibrating" not in output  # it is calibrated
    (slot,) = Manifest.model_validate_json((folder / "manifest.json").read_text()).slots
    assert slot.floor == floor
    assert f"{floor.ttft_error_p99_ms:.2f}" in (folder / "report.md").read_text()


def test_a_run_calibrates_a_new_slot_first(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    cluster.slot("s0", cluster.reference_server(ttft_ms=20, itl_ms=1, tokens=20))
    cluster.aggregator()
    output, folder = cluster.run(write_sweep(tmp_path, runs=1), "--calibrate")
    assert "measurement floor of s0: TTFT ± " in output
    (slot,) = Manifest.model_validate_json((folder / "manifest.json").read_text()).slots
    assert slot.floor is not None and slot.floor.slot == "s0"


def test_an_unknown_slot_is_named(cluster: Cluster) -> None:
    run = cluster.python("calibrate", "-m", "producer", "calibrate", "--slot", "nobody")
    wait_for(lambda: not run.alive, seconds=30, what="chimera calibrate ends")
    assert run.returncode == 2
    assert "no slot is live" in run.log.read_text()


def test_without_a_broker_this_machine_is_measured(shell: Shell) -> None:
    code, output = shell.run("calibrate")
    assert code == 0, output
    assert "kernel" in output
