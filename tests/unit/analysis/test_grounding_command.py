"""``chimera ground``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from contracts.failures import InputError
from producer.cli import cli


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "more").mkdir()
    (tmp_path / "data" / "a.csv").write_text("x\n1\n", encoding="utf-8")
    (tmp_path / "more" / "b.json").write_text("{}", encoding="utf-8")
    (tmp_path / "text.md").write_text("JSON (5), CSV (1), [red]bold[/red] 7.5 ms\x1b[31m", encoding="utf-8")
    return tmp_path


def run(*arguments: object, text: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["ground", *map(str, arguments)], catch_exceptions=False, input=text)


def test_json(folder: Path) -> None:
    result = run(folder / "text.md", "--paths", folder / "data", folder / "more", "--json")
    assert result.exit_code == 0
    assert [(e["figure"], e["verdict"], e["truth"]) for e in json.loads(result.stdout)] == [
        ("5", "contradicted", "1"),
        ("1", "supported", "1"),
        ("7.5", "not_found", None),
    ]


def test_options_in_any_order(folder: Path) -> None:
    one = run("--paths", folder / "data", "--paths", folder / "more", "--json", folder / "text.md")
    assert one.stdout == run("--json", folder / "text.md", "--paths", folder / "data", folder / "more").stdout


def test_table(folder: Path) -> None:
    result = run(folder / "text.md", "--paths", folder / "data", folder / "more")
    assert result.exit_code == 0
    assert "3 figures: 1 supported, 1 contradicted, 1 not found; against 2 files" in result.stdout
    assert "\x1b" not in result.stdout
    assert "[red]" in result.stdout.replace("\n", "")


def test_standard_input(folder: Path) -> None:
    result = run("-", "--paths", folder / "data", "--json", text=b"CSV (1) \xff\xed\xa0\x80 2.5")
    assert [entry["figure"] for entry in json.loads(result.stdout)] == ["1", "2.5"]


def test_a_text_that_is_cut_is_said(folder: Path) -> None:
    (folder / "long.md").write_text("7 " * 4_000, encoding="utf-8")
    result = run(folder / "long.md", "--paths", folder / "data", "--json")
    assert len(json.loads(result.stdout)) == 3_000
    assert "only the first 3000 figures" in result.stderr


def test_wrong_input(folder: Path) -> None:
    (folder / "empty").mkdir()
    for arguments, message in (
        ((folder / "none.md", "--paths", folder / "data"), "none.md: No such file"),
        ((folder, "--paths", folder / "data"), "Is a directory"),
        ((folder / "text.md", "--paths", folder / "none"), "no such file or folder"),
        ((folder / "text.md", "--paths", folder / "empty"), "no csv, json or md file below"),
    ):
        with pytest.raises(InputError, match=message):
            run(*arguments)
    assert run(folder / "text.md").exit_code == 2


def test_a_text_behind_the_paths(folder: Path) -> None:
    result = run("--paths", folder / "data", folder / "text.md")
    assert result.exit_code == 2
    assert "give TEXT.md first" in result.output


def test_one_figure_of_one_file(folder: Path) -> None:
    assert "1 figure: 1 supported" in run("-", "--paths", folder / "data", text=b"CSV (1)").stdout
    assert "against 1 file" in run("-", "--paths", folder / "data", text=b"CSV (1)").stdout.splitlines()[-1]
