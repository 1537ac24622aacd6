"""The commands that the documentation shows: found in its Markdown, and checked against what they call.

A fenced block of a shell (or an untagged one that begins with a known program) holds *commands*; a code span that begins
with one of our programs is a *mention*: it may leave out arguments, and may hold ``…``, ``[…]`` and ``A|B``.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import runpy
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import click
import yaml

from producer.cli import cli

ROOT = Path(__file__).resolve().parents[2]
SHELLS = ("console", "bash", "sh", "shell")
OURS = ("chimera", "python", "python3", "make")
PROGRAMS = (*OURS, "docker", "kubectl", "kustomize", "git", "guidellm", "aiperf", "inference-perf")
"""A line of an untagged block that begins with one of these is a command."""
WRAPPERS = ("docker", "kubectl", "sudo", "time", "nice", "watch", "env", "exec")
"""What may stand before a command of ours, with options of its own."""
_HEADS = (
    "docs",
    "examples",
    "deploy",
    "k8s",
    "tools",
    "requirements",
    "benchmarks",
    "tests",
    "docker-compose",
)
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w.+-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```\s*?$", re.M | re.S
)
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*(\.\w+)?")
_COMMENT = re.compile(r"(^|\s+)#(\s.*)?$")


@dataclass(frozen=True)
class Block:
    """One fenced block: where its text begins, its language (may be empty), its text without the indent."""

    document: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command line; ``mention``: it may be incomplete."""

    document: str
    line: int
    text: str
    mention: bool = False

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"


def documents() -> list[str]:
    """Every document that teaches commands, by its path from the root; reports that a program wrote are none."""
    found = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        ROOT / "benchmarks/README.md",
        ROOT / "examples/README.md",
    ]
    return sorted(
        path.relative_to(ROOT).as_posix() for path in found if path.exists() and path.name != "CHANGELOG.md"
    )


@cache
def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str) -> Iterator[Block]:
    """All fenced blocks of a document."""
    text = text_of(document)
    for found in _FENCE.finditer(text):
        indent = found["indent"]
        lines = [line.removeprefix(indent) for line in found["text"].splitlines()]
        yield Block(document, text.count("\n", 0, found.start()) + 2, found["language"], "\n".join(lines))


def is_shell(block: Block) -> bool:
    """Whether a block holds commands: by its language, or, untagged, by its lines' first words."""
    if block.language:
        return block.language in SHELLS
    return any(line.split(" ")[0] in PROGRAMS for line in block.text.splitlines())


def shell_lines(block: Block) -> list[Command]:
    """The commands of a block, continuations joined. Where some lines begin with ``$``, the others are output."""
    lines = block.text.splitlines()
    prompted = any(line.startswith("$ ") for line in lines)
    commands: list[Command] = []
    start, held = 0, ""
    for number, line in enumerate(lines):
        if not held:
            if prompted and not line.startswith("$ "):
                continue
            start, line = number, line.removeprefix("$ ")
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        whole, held = _COMMENT.sub("", held + line), ""
        untagged_text = not block.language and whole[:1].isspace()
        if whole.strip() and not untagged_text:
            commands.append(Command(block.document, block.line + start, whole))
    return commands


def is_synopsis(text: str) -> bool:
    """Whether a line shows what may be written, and is nothing that can be run."""
    return "…" in text or re.search(r"(^|\s)\[", text) is not None


def mentions(document: str) -> Iterator[Command]:
    """Code spans outside of blocks that begin with one of our programs."""
    text = text_of(document)
    outside = _FENCE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for found in _SPAN.finditer(outside):
        span = " ".join(found[1].split())
        if re.match(r"(chimera|make|python3? (-m|tools/))(\s|$)", span):
            yield Command(document, text.count("\n", 0, found.start()) + 1, span, mention=True)


def commands() -> list[Command]:
    """Every command and every mention of every document."""
    found: list[Command] = []
    for document in documents():
        for block in filter(is_shell, blocks(document)):
            found += [
                Command(c.document, c.line, c.text, mention=is_synopsis(c.text)) for c in shell_lines(block)
            ]
        found += mentions(document)
    return found


def simple_commands(text: str, *, mention: bool = False) -> list[list[str]]:
    """Split a line at ``|``, ``&&``, ``;`` into words; assignments before a command and redirections are left out."""
    if mention:
        text = re.sub(r"…|[\[\]]", " ", text)
        text = re.sub(r"(\S)\|\S+", r"\1", text)
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split, lexer.commenters = True, ""
    found: list[list[str]] = [[]]
    redirected = False
    for token in lexer:
        if set(token) <= set("();|&"):
            found.append([])
        elif set(token) <= set("<>&"):
            redirected = True
        elif redirected:
            redirected = False
        elif found[-1] or not re.match(r"\w+=", token):
            found[-1].append(token)
    return [words for words in found if words]


def problem(command: Command) -> str | None:
    """Return what is wrong with a command, by what it calls; ``None``: nothing that can be seen without running it."""
    try:
        parts = simple_commands(command.text, mention=command.mention)
    except ValueError:  # a line of a longer construct, such as a function's: bash is the judge
        return None
    for words in parts:
        wrong = _problem(words, command)
        if wrong:
            return wrong
    return None


def _problem(words: list[str], command: Command) -> str | None:
    for word in words:
        ours = word.startswith(tuple(f"{head}/" for head in _HEADS)) and not re.search(r"[…*$<{]", word)
        if ours and not command.mention and not (ROOT / word.split("@")[0].split(":")[0]).exists():
            return f"there is no {word}"
    match words:
        case ["chimera", *rest]:
            return _of_chimera(rest, command)
        case ["python" | "python3", "-m", module, *rest]:
            return _of_module(module, rest, command)
        case ["python" | "python3", script, *rest] if script.endswith(".py") and "/" in script:
            return _of_program(
                lambda: runpy.run_path(str(ROOT / script), run_name="__main__"), script, rest, command
            )
        case ["make", *rest]:
            unknown = [target for target in rest if "=" not in target and target not in _targets()]
            return f"the Makefile has no {unknown}" if unknown else None
        case ["docker", "compose", *rest]:
            return _of_compose(rest) or _wrapped(words, command)
        case ["docker", "build", *rest] if "--target" in rest:
            target = rest[rest.index("--target") + 1]
            known = re.search(rf"^FROM .* AS {re.escape(target)}$", text_of("Dockerfile"), re.M | re.I)
            return None if known else f"the Dockerfile has no target {target}"
        case [first, *_] if first in WRAPPERS:
            return _wrapped(words, command)
    return None


def _wrapped(words: list[str], command: Command) -> str | None:
    """Check what a wrapper such as ``kubectl exec … --`` starts, where that is ours."""
    if words[0] == "kubectl":  # a namespace may be called chimera
        words = words[words.index("--") :] if "--" in words else []
    for at, word in enumerate(words[1:], 1):
        if word == "chimera" and at + 1 < len(words):
            return _of_chimera(words[at + 1 :], command)
    return None


def _of_chimera(words: list[str], command: Command) -> str | None:
    group: click.Command = cli
    context = click.Context(cli, info_name="chimera")
    while isinstance(group, click.Group):
        while words and words[0].startswith("-"):
            if not any(words[0] in option.opts for option in group.get_params(context)):
                return f"chimera knows no option {words[0]}"
            words = words[1:]
        if not words:
            return None
        found = group.get_command(context, words[0])
        if found is None:
            if command.mention and _PLACEHOLDER.fullmatch(words[0]):
                return None
            return f"chimera knows no command {words[0]!r}"
        group, words = found, words[1:]
    try:
        group.make_context(group.name, list(words), parent=context)
    except click.exceptions.Exit:  # --help
        return None
    except click.MissingParameter as error:
        variable = getattr(error.param, "envvar", None)
        return None if command.mention or variable else error.format_message()
    except click.BadParameter as error:
        placeheld = command.mention and any(_PLACEHOLDER.fullmatch(word) for word in words)
        return None if placeheld or "exist" in error.message else error.format_message()
    except click.BadOptionUsage as error:
        return None if command.mention and "requires an argument" in error.message else error.format_message()
    except click.UsageError as error:
        return error.format_message()
    return None


def _of_module(module: str, words: list[str], command: Command) -> str | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        return f"there is no module {module}"
    if spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{module}.__main__")
    if spec is None or not _is_ours(spec.origin):
        return None if spec is not None else f"{module} is no program"
    if "argparse" not in Path(spec.origin or "").read_text(encoding="utf-8"):
        return f"{module} takes no arguments" if words and not set(words) & {"--help", "…"} else None
    start = lambda: runpy.run_module(module, run_name="__main__", alter_sys=True)  # noqa: E731
    return _of_program(start, module, words, command)


def _is_ours(origin: str | None) -> bool:
    return origin is not None and Path(origin).is_relative_to(ROOT) and ".venv" not in origin


class _Parsed(BaseException):
    """The arguments are good; nothing is to be done with them."""


def _of_program(start: Callable[[], Any], name: str, words: list[str], command: Command) -> str | None:
    """Parse ``words`` by the program's own argparse parser, and stop it there."""
    real = argparse.ArgumentParser.parse_args

    def parse(self: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> NoReturn:
        real(self, args, namespace)
        raise _Parsed

    def fail(self: argparse.ArgumentParser, message: str) -> NoReturn:
        raise ValueError(message)

    with (
        mock.patch.object(sys, "argv", [name, *words]),
        mock.patch.object(argparse.ArgumentParser, "parse_args", parse),
        mock.patch.object(argparse.ArgumentParser, "error", fail),
    ):
        try:
            start()
        except (_Parsed, SystemExit):  # SystemExit: --help
            return None
        except ValueError as error:
            return None if command.mention and "expected" in str(error) else f"{name}: {error}"
    return f"{name} has no parser that could tell"


@cache
def _targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][\w-]*):", text_of("Makefile"), re.M))


@cache
def _compose() -> tuple[frozenset[str], frozenset[str]]:
    """Services and profiles of docker-compose.yml."""
    services = yaml.safe_load(text_of("docker-compose.yml"))["services"]
    profiles = {profile for service in services.values() for profile in service.get("profiles", ())}
    return frozenset(services), frozenset(profiles)


def _of_compose(words: list[str]) -> str | None:
    if not (ROOT / "docker-compose.yml").exists():
        return "there is no docker-compose.yml"
    services, profiles = _compose()
    named: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--profile":
            profile = next(rest, "")
            if profile not in profiles:
                return f"docker-compose.yml has no profile {profile!r}"
        elif word in ("-f", "--file", "--env-file", "-p"):
            next(rest, "")
        elif not word.startswith("-"):
            named = [word, *rest]
    match named:
        case [
            "exec" | "run" | "logs" | "restart" | "stop" | "start" | "up" | "pull" | "build" as verb,
            *more,
        ]:
            values = {
                "--scale",
                "-e",
                "--env",
                "-v",
                "-u",
                "--user",
                "-w",
                "--tail",
                "--since",
                "--timeout",
                "-t",
            }
            plain = _without_options(more, values)
            asked = plain[:1] if verb in ("exec", "run") else plain
            unknown = [service for service in asked if service not in services]
            return f"docker-compose.yml has no service {unknown}" if unknown else None
    return None


def _without_options(words: list[str], with_value: set[str]) -> list[str]:
    plain: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in with_value:
            next(rest, "")
        elif not word.startswith("-"):
            plain.append(word)
    return plain
