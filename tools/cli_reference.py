"""Writes docs/cli.md, the reference of the command line, from the commands themselves.

::

    python tools/cli_reference.py            write it
    python tools/cli_reference.py --check    exit code 1 where it is not what would be written
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click

from contracts.logs import LOG_FORMAT
from producer.cli import cli
from producer.cli.command import OPTIONS, Command, Commands
from producer.cli.exits import MEANINGS
from producer.cli.program import DEBUG
from producer.cli.start import SHELLS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cli.md"
SETTINGS = ROOT / "contracts" / "settings.py"

HEAD = """\
# The command line

This page is made from the code by `python tools/cli_reference.py`; change the commands, not the page.

`chimera --help` lists the commands, `chimera COMMAND --help` explains one, with examples. What they do and when one
needs them is told elsewhere: the [sweep file](sweep_file.md), [scheduling](scheduling.md), [watching](watching.md),
[comparing](compare.md), [security](security.md).

"""

JSON = """\
## JSON

With `--json` a command prints exactly one JSON document on standard output, and everything else (progress, warnings) on
standard error. The shapes are below, at each command. A key may be added; one that is removed or changes its meaning is in
the change log. What is not known is `null`.

Where the command can't do what it was asked, that document is

```json
{"error": {"kind": "input", "message": "sweep.yaml: no such file", "exit_code": 2}}
```

and the exit code is the same as without `--json`. `kind` is `input` (what was given is wrong), `setup` (a part is missing
or does not answer), `incomplete` (a sweep ended without all its outcomes), `usage` (the command line is wrong),
`interrupted` or `defect`. It is on standard output so that a script reads one place, whatever comes; the message also
stands on standard error, for people who read the log.

"""

TERMINALS = """\
## Colours, pipes and CI

On a terminal `run`, `resume`, `cancel` and `status --watch` write over their own lines. In a pipe, where `TERM` is `dumb`, and
where `CI` is set, they print plain lines: when something changed at most one a second at first, later at most one in a
sixtieth of the time that the sweep has run, and one a minute at least. Tables are 160 columns wide there, or as wide
as `COLUMNS` says.

`NO_COLOR` (set, and not empty) switches colours off. `FORCE_COLOR` or `CLICOLOR_FORCE` switches them on in a pipe; they bring no
other escape sequences. Flower has its own settings.

"""


def page() -> str:
    """Return the whole page."""
    parts = [_commands_listed(), _exit_codes(), JSON, TERMINALS, _completion(), _environment(), *_commands()]
    return HEAD + "".join(parts).rstrip() + "\n"


def _commands_listed() -> str:
    rows = []
    for heading, names in _group().sections.items():
        for name in names:
            rows.append(f"| {heading} | [`chimera {name}`](#chimera-{name}) | {_short(name)} |")
            heading = ""
    return "\n".join(["| | command | what it does |", "|---|---|---|", *rows]) + "\n\n"


def _exit_codes() -> str:
    rows = [f"| {code} | {_cell(what)} |" for code, what in MEANINGS.items()]
    return "\n".join(["## Exit codes", "", "| code | what it says |", "|---|---|", *rows]) + "\n\n"


def _completion() -> str:
    lines = ["## Completion", "", "One line installs it; a shell that is started later has it:", ""]
    lines += ["| shell | command |", "|---|---|"]
    lines += [f"| {shell} | `{how}` |" for shell, how in SHELLS.items()]
    lines += [
        "",
        "It completes commands, options and files, and names of executions, sweeps and slots that the broker",
    ]
    lines += ["knows. A broker that does not answer within a second is not waited for.", "", ""]
    return "\n".join(lines)


def _environment() -> str:
    rows = [f"| `{name}` | {_cell(what)} |" for name, what in _variables()]
    rows.append(f"| `{LOG_FORMAT}` | `text` or `json`: the default of `--log-format`. |")
    rows.append(f"| `{DEBUG}` | An unexpected error shows its traceback. |")
    return "\n".join(["## Environment", "", "| variable | what |", "|---|---|", *rows]) + "\n\n"


def _variables() -> Iterator[tuple[str, str]]:
    """Yield the public environment variables of contracts/settings.py, each with its docstring."""
    tree = ast.parse(SETTINGS.read_text(encoding="utf-8"))
    for node, after in zip(tree.body, tree.body[1:], strict=False):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
            continue
        name, value, said = node.targets[0], node.value.value, _docstring(after)
        if isinstance(name, ast.Name) and not name.id.startswith("_") and str(value).startswith("CHIMERA_"):
            assert said, f"{name.id} in contracts/settings.py has no docstring"
            yield str(value), said


def _docstring(node: ast.stmt | None) -> str:
    """Return the text below a name, as Markdown has it and with JSON's words; empty where there is none."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return ""
    text = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", inspect.cleandoc(str(node.value.value))).replace("``", "`")
    return text.replace("`None`", "`null`")


def _commands() -> Iterator[str]:
    documented: dict[str, str] = {}
    for names in _group().sections.values():
        for name in names:
            yield _command(name, _group().commands[name], documented)


def _command(name: str, command: click.Command, documented: dict[str, str]) -> str:
    """Return a command's section; ``documented``: document → the command that explained it."""
    assert isinstance(command, Command), f"{name} is no producer.cli.command.Command"
    context = click.Context(command, info_name=name, parent=click.Context(cli, info_name="chimera"))
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"## `chimera {name}`", "", *_prose(command.help or ""), "```text", usage, "```", ""]
    lines += ["```console"]
    width = max(len(line) for line, _ in command.examples)
    lines += [f"chimera {line.ljust(width)}   # {what}" for line, what in command.examples]
    lines += ["```", ""]
    for heading, options in _options(command).items():
        lines += [f"| {'option' if heading == OPTIONS else heading.lower()} | what |", "|---|---|"]
        lines += [_option(option, context) for option in options]
        lines.append("")
    if command.exits:
        lines += ["| exit code | what it says |", "|---|---|"]
        lines += [f"| {code} | {_cell(what)} |" for code, what in command.exits.items()]
        lines.append("")
    if command.document in documented:
        first = documented[command.document]
        lines += [f"`--json` prints an object as [`chimera {first}`](#chimera-{first}) does.", ""]
    elif command.document:
        documented[command.document] = name
        lines += _document(command.document)
    if command.after:
        lines += [f"Next: {command.after}", ""]
    return "\n".join(lines) + "\n"


def _prose(text: str) -> list[str]:
    return [*inspect.cleandoc(text).splitlines(), ""]


def _options(command: Command) -> dict[str, list[click.Option]]:
    found: dict[str, list[click.Option]] = {OPTIONS: []}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            found.setdefault(getattr(parameter, "heading", OPTIONS), []).append(parameter)
    return {heading: options for heading, options in found.items() if options}


def _option(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    assert record is not None
    written, said = record
    variables = [option.envvar] if isinstance(option.envvar, str) else option.envvar or []
    of_environment = [f"`{name}`" for name in variables if name not in said]
    more = f" Environment: {', '.join(of_environment)}." if of_environment else ""
    return f"| `{_cell(written)}` | {_cell(said)}{more} |"


def _document(path: str) -> list[str]:
    """Return the table of a document's keys, and of those of the models within it that are its own."""
    listed = re.fullmatch(r"list\[(.*)\]", path)
    module, _, name = (listed[1] if listed else path).partition(":")
    model = getattr(import_module(module), name)
    lines = [f"`--json` prints {'a list of objects' if listed else 'an object'}:", ""]
    lines += ["| key | type | what |", "|---|---|---|"]
    deep = path not in _SHORT
    lines += [f"| `{key}` | {_cell(kind)} | {_cell(what)} |" for key, kind, what in _fields(model, deep)]
    return [*lines, ""]


_SHORT = ("analysis.compare:ComparisonOfResults",)
"""Documents of which the keys within are not listed: there are a hundred."""
_ELSEWHERE = ("Description", "Breaker")
"""Models that are explained in docs/results.md and docs/reliability.md."""


def _fields(model: type, deep: bool, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield key, type and docstring of a model's or dataclass' fields; ``deep``: and of its parts, ``a[].b``."""
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(found, ast.ClassDef)
    for node, after in zip(found.body, [*found.body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        kind = ast.unparse(node.annotation)
        yield f"{prefix}{node.target.id}", _type(kind, vars(inspect.getmodule(model))), _docstring(after)
        for word in re.findall(r"\b[A-Z]\w+", kind):
            part = getattr(inspect.getmodule(model), word, None)
            if deep and inspect.isclass(part) and hasattr(part, "__annotations__") and word not in _ELSEWHERE:
                many = "[]" if kind.startswith(("tuple", "list")) else ""
                yield from _fields(part, prefix.count(".") < 1, f"{prefix}{node.target.id}{many}.")


def _type(annotation: str, known: Mapping[str, Any]) -> str:
    """Return a Python annotation as JSON has it; ``known``: the names of its module."""
    for word in re.findall(r"\b[A-Z]\w+", annotation):
        if get_origin(known.get(word)) is Literal:
            annotation = annotation.replace(word, ", ".join(map(repr, get_args(known[word]))))
    text = re.sub(r"Annotated\[(\w+),.*\]$", r"\1", annotation)
    text = re.sub(r"\bdatetime\b", "string (UTC)", text)
    for python, json in (
        (r"\bstr\b", "string"),
        (r"\bfloat\b|\bint\b", "number"),
        (r"\bbool\b", "true or false"),
        (r"\bNone\b", "null"),
        (r"Literal\[(.*?)\]", r"\1"),
        (r"(?:tuple|list)\[(.*?), \.\.\.\]", r"list of \1"),
        (r"list\[(.*?)\]", r"list of \1"),
        (r"dict\[(.*), (.*)\]", r"object of \2"),
        (r"tuple\[(.*?)\]", r"(\1)"),
        (r"\bAny\b", "anything"),
    ):
        text = re.sub(python, json, text)
    return re.sub(r"\b(?!UTC)[A-Z][A-Za-z]+\b", "object", text).replace("'", '"')


def _short(name: str) -> str:
    return _cell(_group().commands[name].get_short_help_str(limit=300))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _group() -> Commands:
    assert isinstance(cli, Commands)
    return cli


def main() -> None:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="exit code 1 where the page is out of date")
    if parser.parse_args().check:
        if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page():
            sys.exit(f"{PAGE.relative_to(ROOT)} is out of date: python tools/cli_reference.py")
    else:
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
