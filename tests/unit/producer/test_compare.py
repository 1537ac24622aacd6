"""``chimera compare``: its table, its files and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.compare import ALLOWABLE, ComparisonOfResults
from analysis.models import SweepSummary
from analysis.stages_io import write_stages
from producer.cli.exits import DEFECT
from producer.compare import MOST_ROWS
from tests.support.command_line import Chimera, in_process
from tests.support.synthetic import Shape, Synthetic, synthetic

ORACLES = Path(__file__).resolve().parents[3].parent / "shared" / "oracles"

Results = Callable[..., str]


@pytest.fixture
def chimera(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Chimera:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)  # of pytest's workers

    return in_process(monkeypatch, capsys)


def write(made: Synthetic, folder: Path) -> None:
    folder.mkdir()
    (folder / "manifest.json").write_text(made.manifest.model_dump_json())
    write_stages(folder / "stages.jsonl", made.records)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    def make(name: str, **options: Any) -> str:
        write(synthetic(**options), tmp_path / name)
        return name

    return make


@pytest.fixture
def a(results: Results) -> str:
    return results("a", seed=1)


@pytest.fixture
def slow(results: Results) -> str:
    return results("slow", seed=2, shape=Shape(speed=lambda c: 0.95))


def test_the_same_again_ends_with_0(chimera: Chimera, results: Results, a: str) -> None:
    code, out, err = chimera("compare", a, results("b", seed=2), "--fail-on", "throughput:-3%")
    assert (code, err) == (0, "")
    assert "no difference shown" in out and "worse" not in out
    assert "0 regressions" in out and "family of 16 tests" in out and "Welch" not in out


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 0),
        (["--fail-on", "throughput:-3%"], 1),
        (["--fail-on", "throughput:-10%"], 0),
        (["--fail-on", "ttft:+5%", "--fail-on", "throughput:-3%"], 1),
        (["--fail-on", "energy:+3%"], 2),
        (["--fail-on", "throughput:-3%", "--metrics", "throughput"], 1),
        (["--fail-on", "energy:+3%,throughput:-3%"], 1),
    ],
)
def test_the_exit_code_tells_a_regression(
    chimera: Chimera, a: str, slow: str, options: list[str], code: int
) -> None:
    assert chimera("compare", a, slow, *options)[0] == code


def test_other_files_are_not_comparable_unless_allowed(chimera: Chimera, results: Results, a: str) -> None:
    other = results("other", seed=2, corpus="1" * 16)
    code, out, err = chimera("compare", a, other)
    assert (code, out) == (2, "")
    assert err == (
        "chimera: not comparable: files (content hash) differs: 0000000000000000 in the baseline, 1111111111111111 in "
        "the candidate (--allow workload compares all the same)\n"
    )
    code, out, err = chimera("compare", a, other, "--allow", "workload,pool")
    assert (code, err) == (0, "") and "files (content hash) differs (--allow workload)" in out


def test_it_writes_markdown_html_and_json(chimera: Chimera, a: str, slow: str, tmp_path: Path) -> None:
    code, out, _ = chimera("compare", a, slow, "--fail-on", "throughput:-3%", "--out", "deep/out")
    assert code == 1
    for name in ("compare.md", "compare.html", "compare.json"):
        assert f"written: {Path('deep/out') / name}" in out
    made = ComparisonOfResults.model_validate_json((tmp_path / "deep/out/compare.json").read_text())
    assert made.exit_code == 1 and made.command == "chimera compare a slow --fail-on throughput:-3%"
    assert made.chimera is not None
    assert "worse, regression" in (tmp_path / "deep/out/compare.md").read_text()
    assert "worse, regression" in (tmp_path / "deep/out/compare.html").read_text()


def test_json_is_all_that_it_prints(chimera: Chimera, a: str, slow: str, results: Results) -> None:
    code, out, _ = chimera("compare", a, slow, "--json", "--out", "out")
    assert code == 0 and json.loads(out)["comparable"] is True
    code, out, err = chimera("compare", a, results("v", seed=3, version="9"), "--json")
    assert code == 2 and json.loads(out)["comparable"] is False and "--allow server-version" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fail-on", "speed:-3%"], "unknown metric 'speed'"),
        (["--fail-on", "throughput:+3%"], "write throughput:-3%"),
        (["--metrics", "ttft", "--fail-on", "throughput:-3%"], "--metrics leaves throughput out"),
        (["--allow", "everything"], "what may be allowed to differ: " + ", ".join(ALLOWABLE)),
    ],
)
def test_wrong_options_are_one_line(chimera: Chimera, a: str, options: list[str], said: str) -> None:
    code, out, err = chimera("compare", a, a, *options)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1


def test_results_that_are_not_there(chimera: Chimera, a: str) -> None:
    assert chimera("compare", a, "nowhere") == (2, "", "chimera: nowhere: no such file\n")


def test_a_place_that_cannot_be_written_is_no_regression(chimera: Chimera, a: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    code, _, err = chimera("compare", a, a, "--out", "taken/x")
    assert code == 2 and err.startswith("chimera: can't write to taken/x")


def test_a_defect_is_no_regression(chimera: Chimera, a: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("producer.compare.compare_results", broken)
    monkeypatch.delenv("CHIMERA_DEBUG", raising=False)
    code, out, err = chimera("compare", a, a)
    assert (code, out) == (DEFECT, "") and err.startswith("chimera: ZeroDivisionError: a defect")


def test_hostile_names_are_printed_as_text(chimera: Chimera, tmp_path: Path, results: Results) -> None:
    name = "[red]<script>\x1b]0;x\x07"
    for folder, seed in (("x", 1), ("y", 2)):
        made = synthetic({"temperature": (0.2,)}, seed=seed)
        records = [
            r.model_copy(update={"config": name, "execution": None, "config_id": None}) for r in made.records
        ]
        (tmp_path / folder).mkdir()
        write_stages(tmp_path / folder / "stages.jsonl", records)
    code, out, _ = chimera("compare", "x", "y", "--out", "out")
    assert code == 0 and "[red]<script>" in out and "\x1b" not in out
    assert "<script>\x1b" not in (tmp_path / "out/compare.html").read_text()


@pytest.mark.skipif(not ORACLES.is_dir(), reason=f"not here: {ORACLES}")
def test_csv_of_published_figures(chimera: Chimera) -> None:
    csv = ORACLES / "seed_000_stages.csv"
    code, out, err = chimera("compare", csv, csv)
    assert code == 0 and err.startswith("chimera: nothing was tested: too few runs in ")
    assert "too few runs" in out and "No test was made" in out
    assert "distrust: not known of baseline and candidate, and so not checked to be the same: files" in out


def test_a_large_comparison_prints_what_differs(chimera: Chimera, results: Results) -> None:
    axes = {"top_k": list(range(1, 19))}
    odd = Shape(speed=lambda c: 0.5 if c.parameters.top_k == 7 else 1.0)
    code, out, _ = chimera(
        "compare", results("x", axes=axes, runs=3), results("y", axes=axes, runs=3, seed=1, shape=odd)
    )
    assert code == 0
    rows = [line for line in out.splitlines() if line.startswith(" top_k=")]
    assert rows and {row.split()[0] for row in rows} == {"top_k=7"}
    assert f"… and {72 - len(rows)} more comparisons: --out DIR writes all" in out and MOST_ROWS < 72


def test_a_report_against_a_baseline_of_ones_own(chimera: Chimera, a: str, tmp_path: Path) -> None:
    names = [c.name for c in synthetic(seed=1).manifest.configurations]
    for name in names[1:3]:
        code, _, err = chimera("report", a, "--out", "out", "--baseline", name)
        assert (code, err) == (0, "")
        summary = SweepSummary.model_validate_json((tmp_path / "out/summary.json").read_text())
        assert summary.baseline == name
        assert {c.baseline for c in summary.comparisons} == {name}
    code, _, err = chimera("report", a, "--out", "out", "--baseline", "nobody")
    assert code == 2 and "no configuration is named 'nobody'" in err and names[0] in err
