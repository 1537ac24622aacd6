"""Reading what an offline report needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.results_folder import read_results
from analysis.stages_io import write_stages
from contracts.failures import InputError
from tests.support.factories import ManifestFactory, RecordFactory


@pytest.fixture
def folder(tmp_path: Path, record: RecordFactory, manifest: ManifestFactory) -> Path:
    plan = manifest()
    write_stages(tmp_path / "stages.jsonl", [record(execution=plan.execution)])
    (tmp_path / "manifest.json").write_text(plan.model_dump_json())
    return tmp_path


def test_the_manifest_beside_the_stages_is_read(folder: Path) -> None:
    assert read_results(folder)[1] is not None
    assert read_results(folder / "stages.jsonl")[1] is not None


def test_another_file_in_the_folder_stands_alone(folder: Path) -> None:
    (folder / "other.csv").write_text("config,agent,run,stage\nc,a,1,report\n")
    assert read_results(folder / "other.csv")[1] is None


def test_a_manifest_of_another_execution_is_refused(folder: Path, record: RecordFactory) -> None:
    write_stages(folder / "stages.jsonl", [record(execution="another")])
    with pytest.raises(InputError, match=r"is of execution another, but manifest\.json beside it is of"):
        read_results(folder)


@pytest.mark.parametrize("content", ["{", '{"sweep": 1}', ""])
def test_a_broken_manifest_is_one_line(folder: Path, content: str) -> None:
    (folder / "manifest.json").write_text(content)
    with pytest.raises(InputError) as caught:
        read_results(folder)
    assert str(folder / "manifest.json") in str(caught.value)
    assert "\n" not in str(caught.value)
