"""Every command of the documentation is executed, or its reason not to be stands in one table here.

All of them, mentions in code spans too, are checked against what they call: commands and options of ``chimera``, targets of
the Makefile, parsers of modules, services and profiles of docker-compose.yml, files that they name. New documents are found by
themselves. A block is executed by bash as it stands, in :class:`tests.support.doc_world.World`.
"""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from contracts.sweep import SweepSpec
from producer.plan import make_plan
from producer.sweep_file import load
from tests.support.doc_commands import (
    ROOT,
    Block,
    Command,
    blocks,
    commands,
    documents,
    is_shell,
    is_synopsis,
    problem,
    shell_lines,
)
from tests.support.doc_world import World


class Reason(NamedTuple):
    """Commands that match ``pattern`` are not executed here, because ``why``."""

    pattern: str
    why: str
    document: str | None = None
    """Only there; ``None``: everywhere."""

    def holds_of(self, command: Command) -> bool:
        return self.document in (None, command.document) and re.search(self.pattern, command.text) is not None


NOT_EXECUTED = (
    Reason(r"^make (test|check)\b", "CI is this command"),
    Reason(
        r"^make (quick|hooks)\b", "the same tools on a part of the files; hooks would change this checkout"
    ),
    Reason(
        r"^docker\b|^kind\b",
        "no Docker engine; tests/deploy checks docker-compose.yml and does the Dockerfile's steps",
    ),
    Reason(r"\bkubectl\b", "no cluster; tests/deploy builds every overlay and validates it"),
    Reason(
        r"^chimera (worker|aggregator|flower)\b",
        "README, watching, flower and security start them",
        "docs/cli.md",
    ),
    Reason(r"^chimera run .*--server\b", "the tutorial does it", "docs/cli.md"),
    Reason(r"^chimera flower$", "the tutorial does it", "docs/flower.md"),
    Reason(r"^git clone\b", "this is a clone"),
    Reason(
        r"^make demo\b",
        "takes minutes of a real model; tests/integration/test_real_model.py measures with the same parts",
    ),
    Reason(
        r"^make chaos\b|^python -m benchmarks\.",
        "takes minutes; tests/faults and tests/unit/benchmarks run its parts",
    ),
    Reason(r"^chimera calibrate\b", "takes 20 s a slot; tests/integration/test_calibrate.py does it"),
    Reason(
        r"/pip install (guidellm|aiperf|inference-perf)==",
        "other tools of some GB; the benchmark says which are absent",
    ),
    Reason(r"^(guidellm|aiperf|inference-perf) ", "what the benchmark calls, shown: not installed here"),
)
"""The one table of what is only checked."""

MAY_END_WITH = (
    Reason(r"^chimera status\b", "3: nothing runs any more"),
    Reason(r"^chimera doctor\b", "1: something is red"),
    Reason(r"^chimera cancel\b", "1: not all was measured"),
)
GIVEN = (
    Reason(r"^chimera (pause|resume|cancel)\b", "running sweep.yaml"),
    Reason(r"^chimera status mine.yaml\b", "running mine.yaml"),
    Reason(r"^chimera resume\b", "chimera pause sweep.yaml"),
    Reason(r"^chimera init\b", "rm -f sweep.yaml"),
)
"""What must be there before a block; ``why`` is a line for the shell."""
ALTERNATIVES = ("docs/cli.md",)
"""Documents whose blocks show several ways to write a command, not one after the other."""

COMMANDS = commands()
BLOCKS = [block for document in documents() for block in blocks(document)]
SHELL_BLOCKS = [block for block in BLOCKS if is_shell(block)]


def reason_of(line: Command) -> str | None:
    """Return why a line is not executed; ``None``: it is."""
    if is_synopsis(line.text):
        return "a synopsis"
    return next((reason.why for reason in NOT_EXECUTED if reason.holds_of(line)), None)


def script_of(lines: list[Command]) -> str | None:
    """Return what bash is given of these lines; ``None``: nothing of them is executed."""
    executed = [line for line in lines if reason_of(line) is None]
    if not executed:
        return None
    given = [one.why for one in GIVEN if one.holds_of(executed[0])]
    return "\n".join([*given, *map(_with_its_codes, executed)])


def _with_its_codes(line: Command) -> str:
    codes = [one.why.split(":")[0] for one in MAY_END_WITH if one.holds_of(line)]
    return f"{line.text} || [ $? -eq {codes[0]} ]" if codes else line.text


def parts_of(block: Block) -> list[list[Command]]:
    """Return the lines of a block that are executed together."""
    lines = shell_lines(block)
    return [[line] for line in lines] if block.document in ALTERNATIVES else [lines]


PARTS = [part for block in SHELL_BLOCKS for part in parts_of(block)]
FIRST = {script: part[0].place for part in reversed(PARTS) if (script := script_of(part))}
"""Script → its first place: what several documents show alike is executed once."""


def scripts_of(document: str) -> dict[str, str]:
    """What is executed of a document, place → script: in its order, for what one block makes the next may take."""
    own = [part for part in PARTS if part[0].document == document]
    return {
        part[0].place: script
        for part in own
        if (script := script_of(part)) and FIRST[script] == part[0].place
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("documentation"))
    yield made
    made.stop()


@pytest.mark.parametrize("document", documents())
def test_every_command_is_one_of_ours(document: str) -> None:
    wrong = [
        f"{c.place}: `{c.text}`: {why}" for c in COMMANDS if c.document == document and (why := problem(c))
    ]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("document", [name for name in documents() if scripts_of(name)])
def test_commands_do_what_is_said(document: str, world: World) -> None:
    failed = []
    for place, script in scripts_of(document).items():
        done = world.run(script)
        if done.returncode:
            failed.append(
                f"{place}: ended with {done.returncode} after {done.seconds:.1f} s\n{script}\n--- said:\n{done.output[-3000:]}"
            )
    assert not failed, (
        "Mend the command, or give it a reason in NOT_EXECUTED of tests/docs/test_commands.py.\n\n"
        + "\n\n".join(failed)
    )


@pytest.mark.parametrize(
    "table", [NOT_EXECUTED, MAY_END_WITH, GIVEN], ids=["not-executed", "may-end-with", "given"]
)
def test_no_entry_of_a_table_is_idle(table: tuple[Reason, ...]) -> None:
    lines = [line for part in PARTS for line in part]
    assert [one.pattern for one in table if not any(one.holds_of(line) for line in lines)] == []


PYTHON = [block for block in BLOCKS if block.language in ("python", "py")]


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.place)
def test_python_does_what_is_said(block: Block, world: World) -> None:
    for name in re.findall(r"^(?:import|from) (\w+)", block.text, re.M):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: it is no part of Chimera")
    program = world.folder / "block.py"
    program.write_text(world.of_here(block.text))
    done = world.run("python block.py")
    assert done.returncode == 0, f"{block.place}: {done.output[-4000:]}"


YAML = [block for block in BLOCKS if block.language in ("yaml", "yml")]
DATA: dict[str, Callable[[str], Any]] = {"json": json.loads, "toml": tomllib.loads}
OTHERS = [block for block in BLOCKS if block.language in DATA and not is_synopsis(block.text)]


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.place)
def test_sweeps_that_are_shown_can_be_planned(block: Block, tmp_path: Path) -> None:
    """Other YAML can be read at least."""
    trees = list(yaml.safe_load_all(block.text))
    for number, tree in enumerate(trees):
        if isinstance(tree, dict) and set(tree) <= set(SweepSpec.model_fields):
            folder = tmp_path / str(number)
            folder.mkdir()
            plan_of(tree, folder)


@pytest.mark.parametrize("block", OTHERS, ids=lambda block: block.place)
def test_data_that_are_shown_can_be_read(block: Block) -> None:
    assert DATA[block.language](block.text)


def plan_of(shown: dict[str, Any], folder: Path) -> None:
    """Plan a sweep file, or the part of one that is shown."""
    (folder / "corpus").symlink_to(ROOT / "examples" / "corpus")
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "prompts.jsonl").write_text('{"prompt": "Why?"}\n')
    (folder / "mine.txt").write_text("You are brief.\n")
    whole: dict[str, Any] = {
        "name": "shown",
        "workload": {"kind": "agent", "paths": ["corpus"]},
        "server": "ollama",
        "runs": 3,
    } | shown
    if "model" not in whole and "model" not in whole.get("axes", {}):
        whole["model"] = "ref"
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(whole, sort_keys=False))
    assert make_plan(load(path), path).configurations


def test_wrong_commands_are_found() -> None:
    """The checks see what a reader would stumble over."""
    wrong = (
        "chimera runn sweep.yaml",
        "chimera run sweep.yaml --slot 2",
        "chimera worker --server http://127.0.0.1:1",
        "make tset",
        "python -m benchmarks.gapp",
        "python -m benchmarks.slots --jbos 3",
        "python tools/fuzz.py --sed 1",
        "CHIMERA_DEBUG=1 chimera plan sweep.yaml | chimera statu",
        "kubectl exec chimera-0 -- chimera stat",
        "cat examples/quickstrat.yaml",
    )
    assert [text for text in wrong if problem(Command("x.md", 1, text)) is None] == []
