"""The second seed's pair: legacy figures to the printed digit, through the program itself."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from analysis.models.pairs import LEGACY_NOTE
from analysis.rendering.each import render_each
from analysis.stages_io import read_stages
from analysis.summary import summarise_records
from producer.cli import cli

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
STAGES = SHARED / "oracles" / "seed_001_stages.csv"
RECORDED = SHARED / "oracles" / "seed_001_pair.csv"
OTHERS = SHARED / "oracles" / "rust_sweep_part_stages.csv"
pytestmark = pytest.mark.skipif(
    not (STAGES.is_file() and RECORDED.is_file()), reason=f"not here: {STAGES}, {RECORDED}"
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    found = CliRunner().invoke(cli, ["report", str(STAGES), "--out", str(folder), "--each", "agent"])
    assert found.exit_code == 0, found.output
    return folder


@pytest.fixture(scope="module")
def summary(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return found


def test_the_recorded_pair_figures(summary: dict[str, Any]) -> None:
    (recorded,) = csv.DictReader(RECORDED.read_text(encoding="utf-8").splitlines())
    (pair,) = summary["pairs"]
    assert (pair["config"], pair["run"]) == (recorded["config"], int(recorded["run"]))
    assert pair["agents"] == ["collector", "insight"]
    legacy = pair["legacy"]
    for name, column in (
        *(("sequential_s", "sequential_estimated_s"), ("wall_s", "concurrent_wall_time_s")),
        *(("speedup", "concurrency_speedup"), ("efficiency_percent", "efficiency_percent")),
        *(("throughput_delta", "throughput_delta"), ("ttft_delta_ms", "ttft_delta_ms")),
    ):
        assert legacy[name] == pytest.approx(float(recorded[column]), rel=1e-10), name
    assert legacy["contention"] is (recorded["resource_contention_detected"] == "True") is False


def test_means_over_runs_are_plain_numbers(summary: dict[str, Any]) -> None:
    (found,) = summary["pair_configurations"]
    assert found["runs"] == 1
    assert found["speedup"] == pytest.approx(1.9869898995, abs=1e-10)
    assert found["efficiency_percent"] == pytest.approx(99.3494949754, abs=1e-10)
    assert found["throughput_delta"] == pytest.approx(0.92902734, abs=1e-8)
    assert found["ttft_delta_ms"] == pytest.approx(-4.30685, abs=1e-9)
    assert found["legacy_note"] == LEGACY_NOTE


def test_nothing_is_claimed_that_one_run_without_solo_can_not_tell(summary: dict[str, Any]) -> None:
    (found,) = summary["pair_configurations"]
    assert found["contention"] == "not known"
    assert found["gain"] is None
    assert found["all_active"]["mean"] is None  # when its calls were sent is not recorded
    assert all(member["solo"] is None for member in found["members"])
    assert found["fairness"]["of"] == "raw rates"


def test_the_agents_report_prints_the_seeds_figures(out: Path) -> None:
    (text,) = [path.read_text(encoding="utf-8") for path in (out / "agents").glob("*insight*.md")]
    assert text.startswith("# Chimera Agent insight\n")
    for line in ("- Throughput: 41.89 tok/s", "- TTFT: 657.74 ms"):
        assert line in text.splitlines()
    assert "- Execution time: 55.59s (" in text
    assert "**Measured:** at the same time as collector" in text


def test_the_report_labels_them(out: Path) -> None:
    text = (out / "report.md").read_text(encoding="utf-8")
    section = text.split("## Agents at the Same Time", 1)[1]
    assert section.index("### Legacy Figures") < section.index(
        "| chimera-homo/test014 | 1 | 1.99× | 99.3 % |"
    )
    row = next(line for line in section.splitlines() if "1.99×" in line)
    assert row == "| chimera-homo/test014 | 1 | 1.99× | 99.3 % | 0 of 1 runs | +0.93 | −4.31 |"
    assert LEGACY_NOTE in text
    assert "Legacy Figures" in (out / "report.html").read_text(encoding="utf-8")


def test_the_combined_report() -> None:
    (text,) = render_each(summarise_records(read_stages(STAGES)), "pair").values()
    assert text.startswith("# Chimera Agents collector and insight\n")
    assert "1.99×" in text and LEGACY_NOTE in text


@pytest.mark.skipif(not OTHERS.is_file(), reason=f"not here: {OTHERS}")
def test_two_agents_without_a_wall_time_are_no_pair() -> None:
    found = summarise_records(read_stages(OTHERS))
    assert len({c.agent for c in found.configurations}) == 2
    assert found.pairs == () and found.pair_configurations == ()
