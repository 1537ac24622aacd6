"""docs/sweep_file.md and its schema are those of the models, and say what is so."""

from __future__ import annotations

import ast
import copy
import functools
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from contracts import configuration, quantities, sweep, workloads
from contracts.failures import InputError
from producer.plan import make_plan
from producer.sweep_file import load
from tests.support.sweeps import sweep_tree
from tools import sweep_reference
from tools.sweep_reference import PARTS, ROOT, SECTIONS, docs, main, rules, schema

KINDS = ("agent", "agent-pair", "prompts")
EXAMPLES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "examples").rglob("*.yaml"))
RULES = [
    pytest.param(group.get("base", {}), rule, id=f"{g}.{r}")
    for g, group in enumerate(rules())
    for r, rule in enumerate(group["rules"])
]


def test_the_files_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--check"])
    assert (code, capsys.readouterr().out) == (0, "")


def test_a_stale_file_is_named_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sweep_reference, "ROOT", tmp_path)
    monkeypatch.setattr(sweep_reference, "made", lambda: {tmp_path / "page.md": "new\n"})
    assert main(["--check"]) == 1
    assert main([]) == main(["--check"]) == 0
    assert (tmp_path / "page.md").read_text() == "new\n"
    assert "page.md is not up to date: run tools/sweep_reference.py" in capsys.readouterr().out


def test_every_field_says_what_it_is_with_an_example() -> None:
    told = {f"{s.model.__name__}.{name}": doc for s in SECTIONS for name, doc in docs(s.model).items()}
    assert [name for name, doc in told.items() if not doc.what or doc.example is None] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_workload_is_a_sweep(kind: str) -> None:
    spec = load(PARTS / f"{kind}.yaml")
    assert spec.workload.kind == kind


def broken(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return the smallest sweep with ``changes``: dotted key → value, ``None`` takes the key away."""
    tree = sweep_tree(**copy.deepcopy(base))
    for dotted, value in changes.items():
        *above, last = dotted.split(".")
        at = tree
        for part in above:
            at = at.setdefault(part, {})
        at.pop(last, None)
        if value is not None:
            at[last] = value
    return tree


@pytest.mark.parametrize(("base", "rule"), RULES)
def test_a_rule_is_told_as_the_page_says(
    base: dict[str, Any], rule: dict[str, Any], tmp_path: Path, corpus: Path
) -> None:
    (tmp_path / "empty").mkdir()
    path = tmp_path / "sweep.yaml"
    path.write_text(rule["text"] if "text" in rule else yaml.safe_dump(broken(base, rule["set"])))
    with pytest.raises(InputError) as caught:
        make_plan(load(path), path)
    assert rule.get("shown", rule["message"]) in str(caught.value)


def messages(module: ModuleType) -> list[str]:
    """Return what the module's validators say, with a … for what they fill in."""
    found = []
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ValueError":
            (text,) = node.args
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            found.append("".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in parts))
    return found


@pytest.mark.parametrize("module", [sweep, workloads, quantities, configuration], ids=lambda m: m.__name__)
def test_every_rule_of_the_models_is_on_the_page(module: ModuleType) -> None:
    known = [rule["message"] for group in rules() for rule in group["rules"]]
    # A rule may quote a message with what was filled in: all parts of it are in the rule then.
    missing = [
        message
        for message in messages(module)
        if not any(rule in message or all(part in rule for part in message.split("…")) for rule in known)
    ]
    assert missing == []


@functools.cache
def whole_schema() -> dict[str, Any]:
    return schema()


def problems_by_schema(tree: object, at: dict[str, Any] | None = None) -> list[str]:
    """Return what is wrong with a sweep by the schema alone."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    whole = whole_schema()
    asked = whole if at is None else {**at, "$defs": whole["$defs"]}
    return [error.message for error in jsonschema.Draft202012Validator(asked).iter_errors(tree)]


def test_the_schema_is_one() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    jsonschema.Draft202012Validator.check_schema(whole_schema())


@pytest.mark.parametrize("name", [*EXAMPLES, *(f"tools/reference/{kind}.yaml" for kind in KINDS)])
def test_a_right_sweep_is_right_by_the_schema(name: str) -> None:
    assert problems_by_schema(yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))) == []


def test_every_example_of_a_field_is_right_by_the_schema() -> None:
    whole = whole_schema()
    parts = [whole, *whole["$defs"].values()]
    wrong = [
        f"{part['description'][:40]}: {name}: {problem}"
        for part in parts
        for name, value in part["properties"].items()
        for example in value["examples"]
        for problem in problems_by_schema(example, value)
    ]
    assert wrong == []


WRONG: list[dict[str, Any]] = [
    {"name": None},
    {"name": "my sweep"},
    {"name": 2026},
    {"server": "vllm"},
    {"server": {"kind": "ollama", "url": "http://127.0.0.1"}},
    {"workload": {"kind": "agents", "paths": ["corpus"]}},
    {"workload": {"kind": "agent", "paths": "corpus"}},
    {"workload": {"kind": "agent-pair", "paths": ["corpus"], "agents": 1}},
    {"workload": {"kind": "prompts", "synthetic": {"input_tokens": 0, "output_tokens": 1}, "requests": 40}},
    {"workload": {"kind": "prompts", "file": "x", "duration": "1 hour"}},
    {"axes": {"temprature": [1]}},
    {"axes": {"temperature": 0.5}},
    {"axes": {"temperature": []}},
    {"axes": {"temperature": [0.2, 0.2]}},
    {"axes": {"temperature": ["hot"]}},
    {"axes": {"top_p": [90]}},
    {"runs": "3"},
    {"runs": 0},
    {"runs": {"until": {"speed": "1%"}}},
    {"runs": {"until": {"ttft": 1}}},
    {"warmup": "none"},
    {"deadline": "5min"},
    {"order": "blocks"},
    {"exclude": {"temperature": 0.2}},
    {"priority": 10},
    {"runz": 3},
]


@pytest.mark.parametrize("changes", WRONG, ids=str)
def test_a_wrong_sweep_is_wrong_by_the_schema_and_by_the_model(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(sweep_tree(**changes)))
    with pytest.raises(InputError):
        load(path)
    assert problems_by_schema(sweep_tree(**changes)) != []
