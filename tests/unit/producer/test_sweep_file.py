from __future__ import annotations

from pathlib import Path

import pytest

from contracts.failures import InputError
from contracts.workloads import AgentWorkload
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
        ("runs: 3", "runs: three", "runs: must be a whole number (got 'three')"),
        ("runs: 3", "runs: 0", "runs: must be greater than or equal to 1 (got 0)"),
        (
            "runs: 3",
            "runs: 3\ntemperature: 1",
            "temperature: unknown key; did you mean 'temperature' under 'axes'?",
        ),
        ("  - 0.8", "  - -0.8", "axes.temperature[1]: must be greater than or equal to 0 (got -0.8)"),
        ("  - 0.8", "  - true", "axes.temperature[1]: must be a number (got True)"),
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
            "server: must be 'ollama', 'openai' or 'llama.cpp' (got 'olama')",
        ),
        ("model: ref\n", "", "give the model once: as 'model' or as the axis 'axes.model'"),
        ("name: test", "name: ../up", "name: must be 1 to 64 letters, digits and . _ -"),
        ("name: test", "name: test\nname: again", "name: stands twice (first in line 1)"),
        ("runs: 3", "runs: [3", "not YAML:"),
        (
            "kind: agent",
            "kind: agents",
            "workload.kind: must be agent, agent-pair or prompts (got 'agents'); did you mean 'agent'?",
        ),
        ("deadline: 20", "deadline: .inf", "deadline: must be a finite number"),
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


@pytest.mark.parametrize(
    ("before", "after", "line", "expected"),
    [
        ("runs: 3", "runs: '3'", "runs", "runs: must be a whole number (got '3'): write it without quotes"),
        ("runs: 3", "runs: nan", "runs", "runs: must be a whole number (got 'nan')"),
        ("deadline: 20", "deadline: 5min", "deadline", "deadline: must be a number (got '5min'): in seconds, without a unit"),
        ("  - 0.8", "  - Default", "- Default", "axes.temperature[1]: must be a number (got 'Default'): write it as default"),
        ("  - 0.8", "  - [0.8]", "[0.8]", "axes.temperature[1]: must be a number: one value, not a list"),
        ("name: test", "name: 2026-11-22", "name", "name: must be a text (got datetime.date(2026, 11, 22)): write it in quotes, '2026-11-22'"),
        ("name: test", "name: no", "name", "name: must be a text (got False): YAML reads yes, no, on and off as true and false: write it in quotes"),
        ("name: test", "name:", "name", "name: must be a text (got nothing)"),
        ("model: ref", "model: [a, b]", "model", "model: must be one text: several models are an axis, axes: {model: [a, b]}"),
        ("model: ref", "model: ref\nmodels: [a, b]", "models", "models: unknown key: several models are an axis, axes: {model: [a, b]}"),
        ("model: ref", "model: ''", "model", "model: must not be empty (got '')"),
        ("server: ollama", "server: vllm", "server", "server: must be 'ollama', 'openai' or 'llama.cpp' (got 'vllm'): vLLM, SGLang and others with an OpenAI API are 'openai'"),
        ("server: ollama", "server: http://h:1", "server", "(got 'http://h:1'): where a server is does not belong here: chimera run --server URL"),
        ("server: ollama", "server: {kind: ollama, url: x}", "server", "server.url: unknown key: where a server is does not belong here: chimera run --server URL"),
        ("server: ollama\n", "", "workload", "server: is missing, such as ollama, or {kind: ollama}"),
        ("  kind: agent", "  kind: agent\n  requests: 9", "requests", "workload.requests: unknown key: it is of kind: prompts"),
        ("  kind: agent", "  knd: agent", "knd", "workload.knd: unknown key; did you mean 'kind'?"),
        ("  paths:\n  - corpus", "  paths: corpus", "paths", "workload.paths: must be a list, such as [corpus] (got 'corpus')"),
        ("  paths:", "  path:", "path:", "workload.path: unknown key; did you mean 'paths'?"),
        ("warmup: 0", "warmup: none", "warmup", "warmup: must be a number of warm-up calls, 0 to 100, or 'unload' (got 'none')"),
        ("warmup: 0", "order: blocks", "order", "order: must be a mapping, such as {kind: blocks, seed: 7} (got 'blocks')"),
        ("warmup: 0", "exclude: {temperature: 1}", "exclude", "exclude: must be a list, such as [{temperature: 0.8}]"),
        ("warmup: 0", "warm-up: 0", "warm-up", "warm-up: unknown key; did you mean 'warmup'?"),
        ("axes:", "axes:\n  concurrency: [1]", "concurrency", "axes.concurrency: only for the workload 'prompts'"),
        ("axes:", "axes:\n  model: [a]", "model: ref", "model: give the model once"),
        ("  temperature:\n  - 0.2\n  - 0.8", "  temperature:", "temperature", "axes.temperature: holds no value: give a list"),
        ("  - 0.8", "\t- 0.8", "\t", "not YAML: indent with spaces, not with tabs"),
        ("pool: test", "pool: test\n---\na: 1", "---", "not YAML: a file holds one sweep"),
    ],
)  # fmt: skip
def test_a_usual_mistake_is_told_in_one_line_with_what_to_do(
    tmp_path: Path, before: str, after: str, line: str, expected: str
) -> None:
    path = edited(tmp_path, before, after)
    (problem,) = problems(path)
    number, _, message = problem.partition(": ")
    assert expected in message
    assert int(number) == (1 if "is missing" in message else line_of(path, line))


def test_off_without_quotes_is_off(tmp_path: Path) -> None:
    spec = load(write_sweep(tmp_path, workload={"paths": ["corpus"], "structured": False}))
    assert isinstance(spec.workload, AgentWorkload)
    assert spec.workload.structured == "off"


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
