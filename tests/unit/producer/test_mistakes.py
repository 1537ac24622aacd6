"""Mistakes in a sweep file that only its plan shows, files that are none, and an interrupt of the program itself."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.failures import InputError
from producer.cli import main
from producer.cli.exits import INTERRUPTED, WRONG
from producer.init.sweep import found_paths
from producer.plan import make_plan
from producer.sweep_file import load
from tests.support.sweeps import write_sweep


def planned(folder: Path, **changes: Any) -> object:
    path = write_sweep(folder, **changes)
    return make_plan(load(path), path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exclude": [{"temperature": 0.5}]}, "agrees with no configuration, so it would exclude nothing"),
        (
            {
                "axes": {"temperature": [0.2, 0.8], "num_ctx": [1024, 4096]},
                "exclude": [{"temperature": 0.2, "num_ctx": 1024}],
                "baseline": {"temperature": 0.2, "num_ctx": 1024},
            },
            "each value is there, but not all together",
        ),
        ({"baseline": {"temperature": 0.5}}, "temperature has 0.2, 0.8"),
        (
            {"model": None, "axes": {"model": ["a", "b"]}, "include": [{"temperature": 0.5}]},
            "name the model in every point, as it is an axis",
        ),
        (
            {
                "workload": {
                    "kind": "prompts",
                    "synthetic": {"input_tokens": 8, "output_tokens": 4},
                    "requests": 20,
                },
                "axes": {"concurrency": [1]},
                "include": [{"temperature": 0.5}],
            },
            "give each point one load, concurrency or rate (got none)",
        ),
    ],
    ids=["exclude", "combination", "value", "model", "load"],
)
def test_points_that_are_none_are_told_with_what_there_is(
    tmp_path: Path, corpus: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        planned(tmp_path, **changes)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name: \xff\xfe", "can't be read as UTF-8 text"),
        (b"name: [", "sweep.yaml:1: not YAML: "),
        (b"name: \x00", "not YAML: "),
        (b"a: &x [1]\nb: *x\n", "sweep.yaml:2: YAML aliases (*x) are not taken"),
        (b"[" * 3000 + b"]" * 3000, "nested too deeply"),
    ],
    ids=["bytes", "open", "control character", "alias", "deep"],
)
def test_a_file_that_is_no_sweep_is_told_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load(path)
    assert said in str(caught.value)


def test_a_folder_that_can_not_be_listed_holds_nothing(tmp_path: Path) -> None:
    assert found_paths(tmp_path / "nobody") == []


# --- the program --------------------------------------------------------------------------------


class _Ended(BaseException):
    pass


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def load(_: Path) -> None:
        raise error

    monkeypatch.setattr("producer.sweep_file.load", load)
    monkeypatch.setattr(sys, "argv", ["chimera", "plan", "sweep.yaml", "--json"])


def test_an_interrupt_is_one_document_and_ends_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes: list[int] = []

    def ends(code: int) -> None:
        codes.append(code)
        raise _Ended

    broken(monkeypatch, KeyboardInterrupt())
    monkeypatch.setattr(os, "_exit", ends)
    with pytest.raises(_Ended):
        main()
    out, err = capsys.readouterr()
    assert codes == [INTERRUPTED] and err.strip().startswith("chimera: interrupted.")
    assert json.loads(out)["error"]["kind"] == "interrupted"


def test_a_full_disk_is_no_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert ended.value.code == WRONG and "make room" in err
    assert json.loads(out)["error"]["kind"] == "setup"
