"""The command line itself: help, examples, colours, errors and exit codes."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from contracts.failures import BrokerError, ChimeraError, InputError, SetupError, SweepIncomplete
from producer.cli import cli
from producer.cli.command import Command, Commands
from producer.cli.exits import (
    DEFECT,
    INTERRUPTED,
    MEANINGS,
    NOTHING_RUNS,
    OK,
    OUTPUT_CLOSED,
    RESULT_SAYS_NO,
    WRONG,
)
from producer.cli.printing import PIPE_COLUMNS, colours, console
from producer.documents import ErrorDocument, VersionDocument
from tests.support.command_line import Chimera, in_process
from tests.support.sweeps import write_sweep

assert isinstance(cli, Commands)
COMMANDS: dict[str, Command] = {name: c for name, c in cli.commands.items() if isinstance(c, Command)}
EXAMPLES = [(name, line) for name, command in COMMANDS.items() for line, _ in command.examples]


@pytest.fixture
def chimera(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Chimera:
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "CHIMERA_BROKER", "CHIMERA_DEBUG", "CHIMERA_HOME"):
        monkeypatch.delenv(name, raising=False)

    return in_process(monkeypatch, capsys)


# --- help ---------------------------------------------------------------------------------------


def test_every_command_is_one_that_teaches_and_stands_in_one_section() -> None:
    assert isinstance(cli, Commands)
    assert set(COMMANDS) == set(cli.commands)
    listed = [name for names in cli.sections.values() for name in names]
    assert sorted(listed) == sorted(cli.commands)
    assert cli.sections["Start with"] == ("init", "plan", "run")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_a_sentence_an_example_and_help_for_each_option(name: str) -> None:
    command = COMMANDS[name]
    assert command.help and command.help.split("\n")[0].strip()
    assert command.examples
    assert [o.name for o in command.params if isinstance(o, click.Option) and not o.help] == []
    shown = CliRunner().invoke(cli, [name, "--help"], prog_name="chimera").output
    assert f"\n  chimera {command.examples[0][0]}\n" in shown


@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_every_example_is_taken_by_the_command_s_own_options(name: str, line: str) -> None:
    words = shlex.split(line.partition(" > ")[0])
    assert words[0] == name
    made = COMMANDS[name].make_context(f"chimera {name}", words[1:])
    assert made.params


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]], ids=["nothing", "--help", "-h"])
def test_the_help_of_all_is_short_and_begins_with_three_commands(arguments: list[str]) -> None:
    text = CliRunner().invoke(cli, arguments, prog_name="chimera").output
    lines = text.splitlines()
    assert len(lines) <= 40
    start = lines.index("Start with:")
    assert [line.split()[0] for line in lines[start + 1 : start + 4]] == ["init", "plan", "run"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu", "x.yaml"], "Did you mean 'run'?"),
        (["run", "x.yaml", "--slot", "2"], "--slots"),
        (["status", "--jsn"], "--json"),
    ],
    ids=["command", "option", "flag"],
)
def test_what_is_misspelt_is_told_with_what_is_near(
    chimera: Chimera, arguments: list[str], said: str
) -> None:
    code, out, err = chimera(*arguments)
    assert (code, out) == (WRONG, "") and said in err


# --- exit codes and errors ----------------------------------------------------------------------


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("producer.sweep_file.load", broken)


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (InputError("wrong"), WRONG, "input"),
        (SetupError("missing"), WRONG, "setup"),
        (BrokerError("away"), WRONG, "setup"),
        (SweepIncomplete("lost"), RESULT_SAYS_NO, "incomplete"),
        (ChimeraError("no report"), RESULT_SAYS_NO, "incomplete"),
        (ZeroDivisionError("a defect"), DEFECT, "defect"),
    ],
    ids=["input", "setup", "broker", "incomplete", "other", "defect"],
)
def test_an_error_is_a_message_and_with_json_the_one_document(
    chimera: Chimera, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, kind: str
) -> None:
    raising(monkeypatch, error)
    assert chimera("plan", "x.yaml")[:2] == (code, "")
    ended, out, err = chimera("plan", "x.yaml", "--json")
    details = ErrorDocument.model_validate_json(out).error
    assert (ended, details.exit_code, details.kind) == (code, code, kind)
    assert str(error) in details.message and err == f"chimera: {details.message}\n"
    assert code in MEANINGS


def test_a_wrong_command_line_is_a_document_too(chimera: Chimera) -> None:
    code, out, err = chimera("plan", "--json", "--frobnicate")
    assert code == WRONG and "No such option" in err
    assert json.loads(out)["error"]["kind"] == "usage"


def test_a_defect_shows_its_traceback_on_request(chimera: Chimera, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, ZeroDivisionError("a defect"))
    monkeypatch.setenv("CHIMERA_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        chimera("plan", "x.yaml")


def test_an_interrupt_ends_with_130_and_says_what_goes_on(tmp_path: Path) -> None:
    """In a process of its own: it ends without ado."""
    code = (
        "import sys, producer.sweep_file as f\n"
        "def load(path): raise KeyboardInterrupt\n"
        "f.load = load\n"
        "sys.argv = ['chimera', 'plan', 'x.yaml', '--json']\n"
        "from producer.cli import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == INTERRUPTED
    assert done.stderr.strip().startswith("chimera: interrupted.")
    assert ErrorDocument.model_validate_json(done.stdout).error.kind == "interrupted"


@pytest.mark.parametrize(
    "arguments", [["version"], ["plan", "sweep.yaml"], ["plan", "sweep.yaml", "--json"]], ids=" ".join
)
def test_a_pipe_that_nobody_reads_ends_it_with_141_and_no_word(
    tmp_path: Path, corpus: Path, arguments: list[str]
) -> None:
    """Not with 1: behind ``| head`` that would be a regression, or a red part."""
    write_sweep(tmp_path)
    command = [sys.executable, "-m", "producer", *arguments]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, cwd=tmp_path, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (OUTPUT_CLOSED, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_a_full_disk_is_no_defect(tmp_path: Path, corpus: Path, more: list[str]) -> None:
    write_sweep(tmp_path)
    command = [sys.executable, "-m", "producer", "plan", "sweep.yaml", *more]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False
        )
    assert done.returncode == WRONG and "No space left" in done.stderr and "Traceback" not in done.stderr


def test_nothing_runs_is_3(chimera: Chimera, redis_url: str) -> None:
    code, out, _ = chimera("status", "--broker", redis_url, "--json")
    assert code == NOTHING_RUNS and json.loads(out)["executions"] == []


def test_a_red_doctor_is_1_and_still_prints_its_findings(chimera: Chimera) -> None:
    code, out, _ = chimera("doctor", "--broker", "redis://127.0.0.1:1/0", "--json")
    tree = json.loads(out)
    assert code == RESULT_SAYS_NO and tree["healthy"] is False
    assert tree["findings"][0]["advice"]


# --- JSON ---------------------------------------------------------------------------------------


def test_plan_prints_one_document(chimera: Chimera, tmp_path: Path, corpus: Path) -> None:
    code, out, _ = chimera("plan", write_sweep(tmp_path), "--json")
    tree = json.loads(out)
    assert code == OK and tree["jobs_min"] == len(tree["jobs"]) == 6 and tree["job_s"] is None


def test_version(chimera: Chimera) -> None:
    code, out, _ = chimera("version", "--json")
    made = VersionDocument.model_validate_json(out)
    assert code == OK and made.packages["celery"] and made.python.count(".") == 2
    assert chimera("version")[1].startswith(
        f"chimera {made.chimera or 'not installed'} (Python {made.python}"
    )


# --- what is printed to -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": "0"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
    ],
    ids=str,
)
def test_colours(environment: dict[str, str], terminal: bool, expected: bool) -> None:
    assert colours(environment, terminal) is expected


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("environment", "live"),
    [({}, True), ({"CI": "true"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, True)],
    ids=str,
)
def test_lines_are_written_over_on_a_terminal_that_is_watched_only(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], live: bool
) -> None:
    settings(monkeypatch, **environment)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert console().is_interactive is live


def test_forced_colours_in_a_pipe_bring_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    settings(monkeypatch, FORCE_COLOR="1")
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    made = console()
    made.print("[red]x[/red]")
    assert not made.is_interactive and made.width == PIPE_COLUMNS
    assert stream.getvalue() == "\x1b[31mx\x1b[0m\n"


@pytest.mark.parametrize("columns", [None, "77"])
def test_a_pipe_is_as_wide_as_it_is_told(monkeypatch: pytest.MonkeyPatch, columns: str | None) -> None:
    settings(monkeypatch, **({} if columns is None else {"COLUMNS": columns}))
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert console().width == (PIPE_COLUMNS if columns is None else 77)


# --- start-up -----------------------------------------------------------------------------------


def test_help_imports_nothing_that_a_command_alone_needs() -> None:
    code = (
        "import sys\nsys.argv = ['chimera', '--help']\n"
        "from producer.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'redis', 'celery', 'kombu', 'httpx', 'numpy', 'scipy', 'jinja2', 'rich.console', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    environment: dict[str, Any] = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stderr.strip() == "[]" and "Start with:" in done.stdout


def test_signals_end_a_run_as_ctrl_c_does() -> None:
    from producer.cli.sweeps import _end_by_interrupt

    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGHUP)}
    try:
        _end_by_interrupt()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGHUP)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
