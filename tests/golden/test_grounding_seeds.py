"""The figures that the seeds' models invented, against the corpus."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from analysis.grounding import Grounder
from analysis.models.grounding import Figure
from contracts.facts import Facts
from producer.cli import cli
from producer.ground import facts_below

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
CORPUS = SHARED / "corpus"
FIRST, SECOND = SHARED / "seeds" / "000_13ecf150683523e4.txt", SHARED / "seeds" / "001_72802525cad8bd6f.txt"
pytestmark = pytest.mark.skipif(
    not (CORPUS.is_dir() and FIRST.is_file() and SECOND.is_file()),
    reason=f"not here: {CORPUS}, {FIRST}, {SECOND}",
)


@pytest.fixture(scope="module")
def facts() -> Facts:
    return facts_below(["corpus"], SHARED)


def found(seed: Path, facts: Facts) -> dict[str, list[Figure]]:
    by_figure = defaultdict(list)
    for figure in Grounder(facts).ground(seed.read_text(encoding="utf-8")):
        by_figure[figure.figure].append(figure)
    return by_figure


def contradicted(figures: dict[str, list[Figure]]) -> list[tuple[str, str | None]]:
    in_order = sorted((f for of_one in figures.values() for f in of_one), key=lambda figure: figure.start)
    return [(figure.figure, figure.truth) for figure in in_order if figure.verdict == "contradicted"]


def test_the_corpus(facts: Facts) -> None:
    assert facts.files_total == 101
    assert facts.counts == {"csv": 28, "json": 44, "md": 29}


def test_the_second_seed(facts: Facts) -> None:
    figures = found(SECOND, facts)
    # In a list, in the list by file type and in the table; nothing else.
    assert contradicted(figures) == [("65", "44"), ("26", "29"), ("10", "28")] * 3
    assert {figure.verdict for figure in figures["101"]} == {"supported"}
    for time in (
        "14.59",
        "12.8",
        "1.02",
        "26.89",
        "6.35",
        "13.2",
        "5.8",
        "11.5",
        "4.2",
        "16.1",
        "7.0",
        "15.8",
        "8.2",
    ):
        assert figures[time], time
        assert {figure.verdict for figure in figures[time]} == {"not_found"}, time
    assert [len(figures[time]) for time in ("13.2", "5.8", "6.35")] == [2, 2, 2]
    assert [figure.verdict for figure in figures["45"]] == ["not_found"]
    assert "1.0" not in figures
    assert [figure.verdict for figure in figures["November 26, 2025"]] == ["not_found"]


def test_the_first_seed(facts: Facts) -> None:
    figures = found(FIRST, facts)
    assert contradicted(figures) == [("28", "29")]
    (wrong,) = [figure for figure in figures["28"] if figure.verdict == "contradicted"]
    assert "Markdown (28 files)" in wrong.context
    assert {figure.verdict for figure in figures["44"]} == {"supported"}
    assert [f.verdict for f in figures["28"] if "CSV Files (28)" in f.context] == ["supported"] * 2
    for invented in (
        "gemma3_1b_v3_latency.json",
        "gemma3_270m_v4_throughput.json",
        "gemma3_1b穌_v2_accuracy.json",
        "gemma3_270m_v4_compilation.json",
        *("12.5", "500", "0.85", "30"),
    ):
        assert [figure.verdict for figure in figures[invented]] == ["not_found"], invented
    real = [f for of_one in figures.values() for f in of_one if f.figure.startswith("reports/")]
    assert len(real) == 15
    assert {figure.verdict for figure in real} == {"supported"}


@pytest.mark.parametrize("seed", [FIRST, SECOND])
def test_the_command(seed: Path) -> None:
    ways = (["corpus"], ["corpus/reports", "corpus/csv_data"], ["corpus/csv_data", "corpus/reports"])
    answers = []
    for paths in ways:
        arguments = ["ground", str(seed), "--paths", *(str(SHARED / path) for path in paths), "--json"]
        result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        answers.append(json.loads(result.stdout))
    assert answers[0] == answers[1] == answers[2]
    assert all(set(entry) == {"figure", "context", "verdict", "truth"} for entry in answers[0])
