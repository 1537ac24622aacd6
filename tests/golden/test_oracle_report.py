"""The first seed's own report against the one made from its calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.rendering import render_html, render_markdown
from analysis.stages_io import read_stages
from analysis.summary import summarise_records

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
STAGES = SHARED / "oracles" / "seed_000_stages.csv"
SEED = SHARED / "seeds" / "000_13ecf150683523e4.txt"
pytestmark = pytest.mark.skipif(
    not (STAGES.is_file() and SEED.is_file()), reason=f"not here: {STAGES}, {SEED}"
)


def seed_section(heading: str) -> list[str]:
    body = SEED.read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1]
    return [line for line in body.split("\n## ")[0].splitlines() if line.strip()]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


@pytest.fixture(scope="module")
def markdown() -> str:
    return render_markdown(summarise_records(read_stages(STAGES)))


def test_every_aggregate_to_the_printed_digit(markdown: str) -> None:
    rows = [cells(line) for line in seed_section("Aggregate Metrics")[2:]]
    assert len(rows) == 7
    made = {tuple(row[:2]) for row in map(cells, markdown.splitlines())}
    for label, value in rows:
        suffix = " (n = 6)" if "±" in value else ""
        assert (label, value + suffix) in made


def test_every_call_to_the_printed_digit(markdown: str) -> None:
    header, _, *rows = map(cells, seed_section("LLM Call Metrics"))
    assert len(rows) == 6
    made = [cells(line)[:6] for line in markdown.splitlines() if line.startswith("| ")]
    assert header in made
    for row in rows:
        assert row in made


def test_the_statistical_summary(markdown: str) -> None:
    lines = seed_section("Statistical Summary")
    assert len(lines) == 3
    for line in lines:
        assert any(made.startswith(line) for made in markdown.splitlines()), line


def test_beside_it_what_is_true(markdown: str) -> None:
    row = next(line for line in markdown.splitlines() if line.startswith("| Average Throughput "))
    assert row == "| Average Throughput | 96.69 ± 47.37 tok/s (n = 6) | 116.02 ± 0.91 tok/s (n = 5) |"
    assert "- **Run 1 / report**: aborted: no final record from the server" in markdown
    assert "- **Run 1 / analysis**: cold, load time 4835.62 ms" in markdown
    assert "| 530.15 ± 20.02 ms (n = 4) |" in markdown
    assert "| 526.06 ± 19.60 ms (n = 5) |" in markdown


def test_html_has_the_same_figures() -> None:
    page = render_html(summarise_records(read_stages(STAGES)))
    for figure in ("96.69 ± 47.37 tok/s", "1259.81 ± 1797.39 ms", "5530", "66951.18 ms", "49.0%", "142.7%"):
        assert figure in page


def test_nothing_is_said_of_what_these_data_do_not_tell(markdown: str) -> None:
    for title in ("Conditions of Measurement", "Inert Axes", "Telemetry", "Reproducibility"):
        assert f"# {title}" not in markdown
    for words in ("calibrate", "suspect |", "ITL", "How that is known", "Before a run"):
        assert words not in markdown


def test_population_sd_is_named(markdown: str) -> None:
    other = render_markdown(summarise_records(read_stages(STAGES), sd="population"))
    assert "96.69 ± 43.25 tok/s" in other
    assert "population standard deviation (n)" in other
    assert "sample standard deviation (n − 1)" in markdown
