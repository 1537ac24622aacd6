"""Write docs/sweep_file.md and docs/sweep.schema.json from the models of a sweep file.

    python tools/sweep_reference.py           writes them
    python tools/sweep_reference.py --check   says which is not up to date, and ends with 1 then

A field's docstring says what it is, and may end with ``Unit: …`` and ``Example: ``…``.``; types, defaults and allowed values
come from the model itself. Examples and the rules between keys are in ``tools/reference/``, and tests try them all.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from contracts.configuration import Parameters
from contracts.plots import RELOADING
from contracts.sweep import Axes, OrderSpec, Point, RunsSpec, ServerSpec, SweepSpec, Timeouts
from contracts.workloads import (
    AgentPairWorkload,
    AgentSpec,
    AgentWorkload,
    PromptsWorkload,
    SaturationSearch,
    Slo,
    Synthetic,
    TokenCounts,
)

ROOT = Path(__file__).resolve().parents[1]
PARTS = Path(__file__).resolve().parent / "reference"
PAGE = ROOT / "docs" / "sweep_file.md"
SCHEMA = ROOT / "docs" / "sweep.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DOC = re.compile(
    r"(?P<what>.*?)(?:\s+Unit: (?P<unit>[^`]+?)\.)?(?:\s+Example: ``(?P<example>.+?)``\.)?", re.DOTALL
)
_WORDS = {
    r"^[A-Za-z0-9]": "a name: 1 to 64 letters, digits and `. _ -`",
    "%": "a percentage such as `5%`",
    "min|h|d": "a time such as `90s`, `30min`, `2h`, `1d`",
}
"""Part of a pattern → what it allows, in words."""


@dataclass(frozen=True)
class Section:
    """One table of the page."""

    model: type[BaseModel]
    title: str
    below: str
    """The key that holds it."""
    words: str = ""

    @property
    def anchor(self) -> str:
        return re.sub(r"[^a-z0-9 _-]", "", self.title.lower()).replace(" ", "-")


SECTIONS = (
    Section(SweepSpec, "The file", ""),
    Section(
        AgentWorkload, "Workload agent", "workload", "The Chimera agent reads files and reports on them."
    ),
    Section(
        AgentPairWorkload, "Workload agent-pair", "workload", "Several agents at the same time on one slot."
    ),
    Section(AgentSpec, "An agent", "workload.agents[]"),
    Section(PromptsWorkload, "Workload prompts", "workload", "Single requests under a load."),
    Section(Synthetic, "Synthetic prompts", "workload.synthetic"),
    Section(
        TokenCounts,
        "Token counts",
        "workload.synthetic.input_tokens",
        "Also `output_tokens`. A number alone is that number for all.",
    ),
    Section(Slo, "SLO", "workload.slo", "A request is good if it keeps every limit that is given."),
    Section(
        SaturationSearch,
        "Search",
        "workload.search",
        "In each run: doubling from `start`, then bisection, until the highest load that is kept up with is known.",
    ),
    Section(
        ServerSpec,
        "Server",
        "server",
        "Which protocol it speaks. *Where* it is belongs to the worker's slot.",
    ),
    Section(
        Timeouts,
        "Timeouts",
        "server.timeouts",
        "One that is not given: only the job's deadline ends the call.",
    ),
    Section(
        Axes,
        "Axes",
        "axes",
        "Each is a list. Every combination of their values is a configuration. `num_gpu` and `num_ctx` can be set by a "
        "request to Ollama only; `concurrency` and `rate` are for the workload `prompts`.",
    ),
    Section(
        Point,
        "Points",
        "include[], exclude[], baseline",
        "The same names as of the axes, each with one value. `exclude` and `baseline` name as many axes as they need; in "
        "`include`, an axis that is not named is the server's default.",
    ),
    Section(
        RunsSpec,
        "Runs until precise",
        "runs",
        "Instead of a number ([until_precise.md](until_precise.md)): after each block only the configurations that still "
        "need runs get another one.",
    ),
    Section(OrderSpec, "Order", "order", "More of it: [scheduling.md](scheduling.md)."),
)
_TITLES = {section.model.__name__: section for section in SECTIONS}


@dataclass(frozen=True)
class Doc:
    """What a field's docstring says."""

    what: str
    unit: str | None
    example: str | None


def docs(model: type[BaseModel]) -> dict[str, Doc]:
    """Return field → what its docstring says; an axis without one has that of the parameter of its name."""
    found: dict[str, Doc] = {}
    for base in reversed(model.__mro__):
        if not (issubclass(base, BaseModel) and base.__module__.startswith("contracts.")):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, after in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                text = " ".join(inspect.cleandoc(str(after.value.value)).split())
                parts = _DOC.fullmatch(text)
                assert parts is not None
                found[field.target.id] = Doc(**parts.groupdict())
    if model is Axes:
        for name, doc in docs(Parameters).items():
            example = None if doc.example is None else f"[{doc.example}]"
            found.setdefault(name, Doc(doc.what, doc.unit, example))
    return {name: found[name] for name in model.model_fields}


def schema() -> dict[str, Any]:
    """Return the JSON schema of a sweep file, as people write one."""
    made = SweepSpec.model_json_schema(mode="validation")
    models = {section.model.__name__: section.model for section in SECTIONS} | {"Parameters": Parameters}
    for name, part in {"SweepSpec": made, **made["$defs"]}.items():
        told = docs(models[name])
        for field, value in part["properties"].items():
            value.pop("title", None)
            if name == "Axes":
                value = part["properties"][field] = _axis(value)
            if name == "Point":
                value["anyOf"] = [
                    {"const": "default"} if one == {"type": "null"} else one for one in value["anyOf"]
                ]
            if value.get("default", 0) is None:
                del value["default"]
            value["description"] = plain(told[field].what)
            example = told[field].example
            if example is not None:
                value["examples"] = [yaml.safe_load(example)]
        part.pop("title", None)
        part["description"] = plain(str(part.get("description", "")))
    clean: dict[str, Any] = _without(made, {"gt", "le"})
    return {"$schema": DIALECT, "title": "Chimera sweep file", **clean}


def _axis(value: dict[str, Any]) -> dict[str, Any]:
    """An axis that is there is a list of different values, where ``default`` is written for none."""
    (made,) = (one for one in value["anyOf"] if one.get("type") == "array")
    if "anyOf" in made["items"]:
        made["items"]["anyOf"].append({"const": "default"})
    return {**made, "uniqueItems": True}


def _without(value: Any, names: set[str]) -> Any:
    """Take away what pydantic writes and JSON schema does not know."""
    if isinstance(value, dict):
        return {key: _without(item, names) for key, item in value.items() if key not in names}
    return [_without(item, names) for item in value] if isinstance(value, list) else value


def plain(text: str) -> str:
    """Return a docstring's text as Markdown."""
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", text.replace("``", "`"))


def page() -> str:
    """Return the text of docs/sweep_file.md."""
    made = schema()
    lines = [
        "<!-- Written by tools/sweep_reference.py from the models: change those, and run it. -->",
        "",
        (PARTS / "intro.md").read_text(encoding="utf-8").rstrip(),
        "",
    ]
    for kind in ("agent", "agent-pair", "prompts"):
        example = (PARTS / f"{kind}.yaml").read_text(encoding="utf-8").rstrip()
        lines += [f"### Example: {kind}", "", "```yaml", example, "```", ""]
    lines += ["## Keys", ""]
    for section in SECTIONS:
        lines += _section(section, made)
    lines += ["## Default, null and what is not given", "", (PARTS / "default.md").read_text().rstrip(), ""]
    reloading = ", ".join(f"`{axis}`" for axis in RELOADING)
    lines += [
        "## What needs a reload",
        "",
        f"Another value of {reloading} makes the server load the model anew; no other axis does. "
        + (PARTS / "reload.md").read_text(encoding="utf-8").rstrip(),
        "",
        "## What is refused",
        "",
        (PARTS / "refused.md").read_text(encoding="utf-8").rstrip(),
        "",
    ]
    for group in rules():
        lines += [f"### {group['title']}", "", "| the message says | what it means |", "|---|---|"]
        lines += [
            f"| {_cell(rule.get('shown', rule['message']))} | {_cell(rule['means'])} |"
            for rule in group["rules"]
        ]
        lines.append("")
    return "\n".join(lines)


def rules() -> list[dict[str, Any]]:
    """Return the groups of rules: title, and of each rule message, meaning, and a sweep that breaks it."""
    groups: list[dict[str, Any]] = yaml.safe_load((PARTS / "rules.yaml").read_text(encoding="utf-8"))
    return groups


def _section(section: Section, made: dict[str, Any]) -> list[str]:
    part = made if section.model is SweepSpec else made["$defs"][section.model.__name__]
    told, required = docs(section.model), part.get("required", ())
    lines = [f"### {section.title}", ""]
    below = f"Below `{section.below}`." if section.below else "The top of the file."
    lines += [f"{below} {section.words}".rstrip(), "", "| key | what | value | unit | default | example |"]
    lines.append("|---|---|---|---|---|---|")
    for name in _in_order(section.model):
        doc, value = told[name], part["properties"][name]
        default = "needed" if name in required else _default(section.model, name)
        example = f"`{doc.example}`" if doc.example else ""
        cells = (f"`{name}`", plain(doc.what), _values(value), doc.unit or "", default, example)
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return [*lines, ""]


def _in_order(model: type[BaseModel]) -> list[str]:
    """Return the fields, the kind of a workload first."""
    names = list(model.model_fields)
    return sorted(names, key=lambda name: name != "kind") if "kind" in names else names


def _values(value: dict[str, Any]) -> str:
    """Return in words what may stand at a key."""
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        # YAML reads off as false; nobody writes that.
        return ", ".join(f"`{one}`" for one in value["enum"] if one is not False)
    if "$ref" in value:
        return _link(value["$ref"].rpartition("/")[2])
    for choice in ("anyOf", "oneOf"):
        if choice in value:
            told = [_values(one) for one in value[choice] if one != {"type": "null"}]
            return ", or ".join(told)
    kind = value.get("type")
    if kind == "array":
        least, most = value.get("minItems"), value.get("maxItems")
        count = f" ({least} to {most})" if most else ""
        return f"list of: {_values(value['items'])}{count}"
    if kind == "object":
        names = ", ".join(f"`{one}`" for one in value["propertyNames"]["enum"])
        return f"mapping of {names} to {_values(value['additionalProperties'])}"
    if kind == "string":
        pattern = value.get("pattern", "")
        return next((words for part, words in _WORDS.items() if part in pattern), "text")
    if kind == "boolean":
        return "`true`, `false`"
    return f"{'whole number' if kind == 'integer' else 'number'}{_range(value)}"


def _link(name: str) -> str:
    if name == "Parameters":
        return f"[mapping](#{_TITLES['Point'].anchor}) of parameters"
    return f"[{_TITLES[name].title.lower()}](#{_TITLES[name].anchor})"


def _range(value: dict[str, Any]) -> str:
    low, high = value.get("minimum"), value.get("maximum")
    parts = [
        *([f"≥ {low:,}"] if low is not None else []),
        *([f"> {value['exclusiveMinimum']:,}"] if "exclusiveMinimum" in value else []),
        *([f"≤ {high:,}"] if high is not None else []),
        *([f"< {value['exclusiveMaximum']:,}"] if "exclusiveMaximum" in value else []),
    ]
    return f" {', '.join(parts)}" if parts else ""


def _default(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None:
        return "not given"
    if name == "agents":
        return f"`{len(default)}`"
    if isinstance(default, BaseModel) or default == ():
        return "none of its own"
    return f"`{json.dumps(default)}`".replace('"', "")


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def made() -> dict[Path, str]:
    """Return path → text of all that this tool writes."""
    return {PAGE: page(), SCHEMA: json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or check them; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1: one is not up to date")
    check = parser.parse_args(arguments).check
    stale = 0
    for path, text in made().items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if check:
            print(f"{path.relative_to(ROOT)} is not up to date: run tools/sweep_reference.py")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
