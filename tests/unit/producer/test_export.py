"""``chimera export``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.export import read_parquet
from analysis.naming import execution_name
from analysis.provenance import Provenance
from analysis.stages_io import read_stages, write_stages
from contracts.records import StageRecord
from tests.support.command_line import Chimera, in_process
from tests.support.synthetic import synthetic

MADE = synthetic(runs=2)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "manifest.json").write_text(MADE.manifest.model_dump_json())
    write_stages(folder / "stages.jsonl", MADE.records)
    return folder


@pytest.fixture
def chimera(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Chimera:
    monkeypatch.chdir(tmp_path)
    return in_process(monkeypatch, capsys)


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_what_it_writes_reads_back(chimera: Chimera, results: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / f"deep/er.{form}"
    code, said, _ = chimera("export", results, "--out", out)
    assert code == 0 and said.splitlines()[0] == f"{len(MADE.records)} stages: {out}"
    read = read_parquet(out) if form == "parquet" else read_stages(out)
    assert read == list(MADE.records)
    # And once more, from what was exported.
    again = tmp_path / "again.jsonl"
    assert chimera("export", out, "--out", again)[0] == 0
    assert read_stages(again) == list(MADE.records)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_its_provenance_stands_beside_it(chimera: Chimera, results: Path, tmp_path: Path, form: str) -> None:
    code, said, _ = chimera("export", results, "--out", tmp_path / f"x.{form}")
    beside = tmp_path / f"x.{form}.provenance.json"
    assert code == 0 and f"provenance: {beside}" in said
    told = Provenance.model_validate(json.loads(beside.read_text()))
    assert told.sweep_id == MADE.manifest.sweep_id and told.models[0].digests == ("abc",)


def test_without_a_file_it_takes_the_results_name(chimera: Chimera, results: Path, tmp_path: Path) -> None:
    name = execution_name(MADE.manifest)
    assert chimera("export", results, "--format", "csv")[0] == 0
    assert (tmp_path / f"{name}.csv").is_file()
    (tmp_path / "sub").mkdir()
    assert chimera("export", results, "--format", "parquet", "--out", "sub")[0] == 0
    assert (tmp_path / "sub" / f"{name}.parquet").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "which format? Give --format jsonl|csv|parquet, or --out FILE with that ending"),
        (["--out", "x"], "which format? Give --format jsonl|csv|parquet, or --out FILE with that ending"),
        (
            ["--out", "x.xlsx"],
            "--out x.xlsx: the ending .xlsx is unknown; the known ones are .jsonl, .csv, .parquet, or give "
            "--format jsonl|csv|parquet",
        ),
        (
            ["--out", "x.csv", "--format", "parquet"],
            "--out x.csv is a csv file by its ending, but --format says parquet; give one of them",
        ),
    ],
)
def test_a_format_that_is_not_told_or_told_twice_is_one_sentence(
    chimera: Chimera, results: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    before = sorted(tmp_path.iterdir())
    assert chimera("export", results, *options) == (2, "", f"chimera: {said}\n")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "options",
    [["--out", "x.CSV"], ["--out", "x.csv", "--format", "csv"], ["--out", "x.txt", "--format", "csv"]],
)
def test_ending_and_format_may_agree_or_one_alone_may_tell(
    chimera: Chimera, results: Path, tmp_path: Path, options: list[str]
) -> None:
    assert chimera("export", results, *options)[0] == 0
    assert (tmp_path / options[1]).read_text().split(",", 2)[:2] == list(StageRecord.model_fields)[:2]


def test_no_results_and_no_place(chimera: Chimera, results: Path, tmp_path: Path) -> None:
    code, _, said = chimera("export", tmp_path / "nowhere", "--format", "csv")
    assert code == 2 and said == f"chimera: {tmp_path / 'nowhere'}: no such file\n"
    (tmp_path / "taken").write_text("a file")
    code, _, said = chimera("export", results, "--out", tmp_path / "taken" / "x.csv")
    assert code == 2 and said.startswith("chimera: can't write")


def test_a_blank_text_is_told(chimera: Chimera, tmp_path: Path, results: Path) -> None:
    records = [record.model_copy(update={"text": ""}) for record in MADE.records[:1]]
    write_stages(results / "stages.jsonl", records)
    said = chimera("export", results, "--out", tmp_path / "x.csv")[1]
    assert "1 blank text(s) are empty cells, which read back as not known" in said
