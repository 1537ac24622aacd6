from __future__ import annotations

from pathlib import Path

import pytest

from contracts.failures import InputError
from producer.sweep_file import load
from tests.support.sweeps import write_sweep


def problems(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(path)
    assert caught.value.exit_code == 2
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def edited(folder: Path, before: str, after: str) -> Path:
    path = write_sweep(folder)
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    return path


def line_of(path: Path, text: str) -> int:
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_a_valid_file_gives_its_spec(tmp_path: Path) -> None:
    spec = load(write_sweep(tmp_path, axes={"num_gpu": [60, "default"]}))
    assert spec.axes.given() == {"num_gpu": (60, None)}
    assert spec.server.kind == "ollama"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("runs: 3", "runz: 3", "runz: unknown key; did you mean 'runs'?"),
        ("runs: 3", "runs: three", "runs: input should be a valid integer (got 'three')"),
        ("runs: 3", "runs: 0", "runs: input should be greater than or equal to 1 (got 0)"),
        (
            "runs: 3",
            "runs: 3\ntemperature: 1",
            "temperature: unknown key; did you mean 'temperature' under 'axes'?",
        ),
        ("  - 0.8", "  - -0.8", "axes.temperature[1]: input should be greater than or equal to 0 (got -0.8)"),
        ("  - 0.8", "  - true", "axes.temperature[1]: input should be a valid number (got True)"),
        ("  - 0.8", "  - 0.2", "axes.temperature: holds the same value twice"),
        ("  temperature:", "  temprature:", "axes.temprature: unknown key; did you mean 'temperature'?"),
        (
            "  temperature:\n  - 0.2\n  - 0.8",
            "  temperature: []",
            "axes.temperature: must hold at least one value",
        ),
        (
            "  temperature:\n  - 0.2\n  - 0.8",
            "  temperature: 0.5",
            "axes.temperature: must be a list, such as [0.5]",
        ),
        (
            "server: ollama",
            "server: olama",
            "server.kind: input should be 'ollama', 'openai' or 'llama.cpp' (got 'olama')",
        ),
        ("model: ref\n", "", "give the model once: as 'model' or as the axis 'axes.model'"),
        ("name: test", "name: ../up", "name: string should match pattern"),
        ("name: test", "name: test\nname: again", "name: stands twice (first in line 1)"),
        ("runs: 3", "runs: [3", "not YAML:"),
        ("kind: agent", "kind: agents", "workload: kind: must be agent, agent-pair or prompts"),
        ("deadline: 20", "deadline: .inf", "deadline: input should be a finite number"),
    ],
)
def test_wrong_input_is_named_with_its_key_and_line(
    tmp_path: Path, before: str, after: str, expected: str
) -> None:
    path = edited(tmp_path, before, after)
    (problem,) = problems(path)
    line, _, message = problem.partition(": ")
    assert expected in message
    assert 1 <= int(line) <= len(path.read_text().splitlines()) + 1


def test_the_line_is_the_lines_key(tmp_path: Path) -> None:
    path = edited(tmp_path, "- 0.8", "- hot")
    assert problems(path)[0].startswith(f"{line_of(path, 'hot')}: ")


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    path = edited(tmp_path, "runs: 3", "runs: x\nrunz: 1")
    assert len(problems(path)) == 2


def test_an_axis_that_a_request_cannot_set_is_refused(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, server="openai", axes={"num_ctx": [512, 1024]})
    (problem,) = problems(path)
    assert problem.startswith(f"{line_of(path, 'axes:')}: axes: ")
    assert "num_ctx can't be set by a request to a server of kind 'openai'" in problem


@pytest.mark.parametrize("content", [b"", b"- a\n- b\n", b"\xff\xfe\x00", b"just words"])
def test_what_is_no_sweep_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"sweep\.yaml"):
        load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.yaml: no such file"):
        load(tmp_path / "nothing.yaml")


def test_yaml_aliases_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("a: &a [x, x]\nb: [*a, *a]\n")
    assert problems(path) == ["2: YAML aliases (*a) are not taken"]
